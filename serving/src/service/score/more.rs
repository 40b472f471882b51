//! What a score is asked for beside itself.

use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_models::Score;

use super::request::ScoreRequest;
use super::timing::{Moments, TimingShown};
use crate::error::ServeError;
use crate::live_model::LiveModel;

/// What is asked, read once for all rows of a request.
#[derive(Debug, Clone, Default)]
pub struct MoreAsked {
    timing: Option<Moments>,
}

/// What is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct More {
    /// When a deal is going to end.
    pub timing: Option<TimingShown>,
}

/// A row that was scored.
#[derive(Debug, Clone, Copy)]
pub struct RowScored<'a> {
    /// The version that scored it.
    pub model: &'a LiveModel,
    /// The model's inputs in order.
    pub values: &'a [Value],
    /// The moment whose knowledge counted.
    pub as_of: Timestamp,
    /// Its score.
    pub score: &'a Score,
}

impl MoreAsked {
    /// Reads what a request asks for.
    ///
    /// # Errors
    /// [`ServeError::WrongType`] and [`ServeError::TooMany`].
    pub fn of(request: &ScoreRequest<'_>) -> Result<Self, ServeError> {
        Ok(Self { timing: Moments::of(request.timing.as_ref())? })
    }

    /// How many plain rows one row of such a request weighs.
    #[must_use]
    pub fn weight(request: &ScoreRequest<'_>) -> usize {
        if request.timing.is_some() { 8 } else { 1 }
    }

    /// Answers for one row.
    ///
    /// # Errors
    /// What each part reports.
    pub fn answer(&self, row: &RowScored<'_>) -> Result<More, ServeError> {
        let told = |moments: &Moments| moments.told(row.model, row.values, row.as_of, row.score.output);
        Ok(More { timing: self.timing.as_ref().map(told).transpose()? })
    }
}
