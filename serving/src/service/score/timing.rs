//! When a deal is going to end, beside its score.

use scorehouse_features::time::{DAY, Span, Timestamp};
use scorehouse_features::value::Value;
use scorehouse_models::Curve;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::ServeError;
use crate::live_model::LiveModel;
use crate::service::scalar::Text;

/// Days ahead that are told when the request names no dates.
const AHEAD: [i64; 3] = [30, 60, 90];
/// Most dates of one request.
const MOST_DATES: usize = 100;
/// Shares of won deals between whose days four of five are won.
const RANGE: [f64; 2] = [0.1, 0.9];

/// True, or the dates by which a win is asked for.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(untagged, expecting = "`timing` is true, false, or an object with `dates`")]
pub enum TimingAsked<'a> {
    /// True: by 30, 60 and 90 days from the moment whose knowledge counts.
    Flag(bool),
    /// By these dates.
    #[schema(value_type = Dates<'static>)]
    Dates(#[serde(borrow)] Dates<'a>),
}

/// The dates by which a win is asked for.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Dates<'a> {
    /// Moments, RFC 3339 or dates; at most 100.
    #[serde(borrow)]
    #[schema(value_type = Vec<String>)]
    pub dates: Vec<Text<'a>>,
}

/// When a deal is going to end.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TimingShown {
    /// How likely it is won by each date.
    pub won_by: Vec<WonBy>,
    /// If it is won: as likely before this moment as after it.
    #[schema(value_type = String, format = DateTime)]
    pub likely_close: Timestamp,
    /// If it is won: one of ten such deals is won before this moment.
    #[schema(value_type = String, format = DateTime)]
    pub earliest_close: Timestamp,
    /// If it is won: nine of ten such deals are won before this moment.
    #[schema(value_type = String, format = DateTime)]
    pub latest_close: Timestamp,
}

/// How likely a deal is won by a date.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct WonBy {
    /// The date.
    #[schema(value_type = String, format = DateTime)]
    pub date: Timestamp,
    /// The probability that it is won before it, 0 to 1; for late dates that of the score.
    pub probability: f64,
}

/// The moments that a request asks for, read once for all its rows; none: the days ahead of each row's moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments(Option<Vec<Timestamp>>);

impl Moments {
    /// These moments; the days ahead when there are none.
    #[must_use]
    pub fn by(dates: Vec<Timestamp>) -> Self {
        Self(Some(dates).filter(|dates| !dates.is_empty()))
    }

    /// Reads the dates; none when nothing is asked.
    ///
    /// # Errors
    /// [`ServeError::WrongType`] for text that is no moment, [`ServeError::TooMany`].
    pub fn of(asked: Option<&TimingAsked<'_>>) -> Result<Option<Self>, ServeError> {
        let dates = match asked {
            None | Some(TimingAsked::Flag(false)) => return Ok(None),
            Some(TimingAsked::Flag(true)) => return Ok(Some(Self(None))),
            Some(TimingAsked::Dates(Dates { dates })) => dates,
        };
        if dates.len() > MOST_DATES {
            return Err(ServeError::TooMany { what: "dates", limit: MOST_DATES, given: dates.len() });
        }
        let read = |text: &Text<'_>| {
            Timestamp::parse(text).map_err(|error| ServeError::WrongType {
                field: "timing.dates".into(),
                expected: error.expected.into(),
                given: format!("the text {:?}", error.given),
            })
        };
        Ok(Some(Self(Some(dates.iter().map(read).collect::<Result<_, _>>()?))))
    }

    /// When a row that scored `probability` is going to end.
    ///
    /// # Errors
    /// [`ServeError::NotSuited`] for a model that knows nothing of time, and what scoring reports.
    pub fn told(
        &self,
        model: &LiveModel,
        values: &[Value],
        as_of: Timestamp,
        probability: f64,
    ) -> Result<TimingShown, ServeError> {
        let curve = model.scoring().curve(values, as_of, probability)?;
        let unfit = || {
            model.not_suited("does not know when deals end: only models of pipeline \"win\" learn it, from enough deals that ended")
        };
        Ok(self.shown(&curve.ok_or_else(unfit)?, as_of))
    }

    /// A curve as it is shown.
    #[must_use]
    pub fn shown(&self, curve: &Curve, as_of: Timestamp) -> TimingShown {
        let default = || AHEAD.iter().map(|days| as_of.after(Span(days * DAY))).collect();
        let dates: Vec<Timestamp> = self.0.clone().unwrap_or_else(default);
        let won_by = |date: Timestamp| WonBy { date, probability: curve.won_by(date.days_since(as_of)) };
        let at = |share: f64| as_of.after(Span((curve.days_if_won(share) * DAY as f64) as i64));
        TimingShown {
            won_by: dates.into_iter().map(won_by).collect(),
            likely_close: at(0.5),
            earliest_close: at(RANGE[0]),
            latest_close: at(RANGE[1]),
        }
    }
}
