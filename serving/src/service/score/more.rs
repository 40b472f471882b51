//! What a score is asked for beside itself.

use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_models::Score;

use super::request::ScoreRequest;
use super::timing::{Moments, TimingShown};
use super::what_if::{Again, WhatIfAsked, WhatIfShown};
use crate::error::ServeError;
use crate::live_model::LiveModel;

/// What is asked, read once for all rows of a request.
#[derive(Debug, Clone, Default)]
pub struct MoreAsked {
    timing: Option<Moments>,
    what_if: Option<WhatIfAsked>,
}

/// What is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct More {
    /// When a deal is going to end.
    pub timing: Option<TimingShown>,
    /// What would have to change.
    pub what_if: Option<WhatIfShown>,
    /// What is lost, on average, with a customer who may leave.
    pub value_at_stake: Option<f64>,
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
        request.what_if.iter().try_for_each(WhatIfAsked::check)?;
        Ok(Self { timing: Moments::of(request.timing.as_ref())?, what_if: request.what_if })
    }

    /// True when there is nothing to tell beside the score.
    #[must_use]
    pub const fn is_nothing(&self, model: &LiveModel) -> bool {
        self.timing.is_none() && self.what_if.is_none() && model.margin().is_none()
    }

    /// How many plain rows one row of such a request weighs.
    #[must_use]
    pub fn weight(request: &ScoreRequest<'_>) -> usize {
        match (&request.what_if, &request.timing) {
            (Some(_), _) => 1000,
            (None, Some(_)) => 8,
            (None, None) => 1,
        }
    }

    /// Answers for one row; `again` scores it with other values.
    ///
    /// # Errors
    /// What each part reports.
    pub fn answer(&self, row: &RowScored<'_>, again: &mut Again<'_>) -> Result<More, ServeError> {
        let told = |moments: &Moments| moments.told(row.model, row.values, row.as_of, row.score.output);
        let timing = self.timing.as_ref().map(told).transpose()?;
        let what_if = self.what_if.map(|asked| asked.found(row, again)).transpose()?;
        let margin = row.model.margin();
        let value_at_stake = margin.and_then(|m| m.at_stake(row.values, row.as_of, row.score.output));
        Ok(More { timing, what_if, value_at_stake })
    }
}
