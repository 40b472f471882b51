//! What became of the scores, as the server is asked.

use scorehouse_features::time::{DAY, Span, Timestamp};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::ServeError;
use crate::monitor::Monitored;
use crate::score_log::read::Range;
use crate::service::history::MonitorAsked;
use crate::state::AppState;

/// The length of a period when nobody says.
pub const EVERY: Span = Span(30 * DAY);

/// Which scores, and how they are grouped.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PeriodAsked {
    /// Only scores answered at this moment or later.
    pub since: Option<String>,
    /// Only scores answered before this moment.
    pub until: Option<String>,
    /// The length of a period, such as `7d`; 30 days if not given.
    pub every: Option<String>,
}

/// Looks at one model.
///
/// # Errors
/// [`ServeError::InvalidParameter`] for text that is no moment or span, [`ServeError::Unavailable`] in a server
/// without history, and what reading reports.
pub fn monitor(state: &AppState, model: &str, asked: &PeriodAsked) -> Result<Monitored, ServeError> {
    let (range, every) = grouped(asked)?;
    let missing = || ServeError::Unavailable { what: "history", reason: "this server has none".into() };
    let history = state.history.as_ref().ok_or_else(missing)?;
    state.shadows.settle();
    state.score_log.flush()?;
    let (registry, now) = (state.registry.as_ref(), state.clock.now());
    history.monitor(&MonitorAsked { project: &state.project, registry, model, now, range, every })
}

/// The range and the length of a period.
///
/// # Errors
/// [`ServeError::InvalidParameter`].
pub fn grouped(asked: &PeriodAsked) -> Result<(Range, Span), ServeError> {
    let wrong = |error: scorehouse_features::time::InvalidTime| ServeError::InvalidParameter {
        message: error.to_string(),
    };
    let moment = |text: Option<&String>, otherwise: Timestamp| {
        text.map_or(Ok(otherwise), |text| Timestamp::parse(text).map_err(wrong))
    };
    let since = moment(asked.since.as_ref(), Timestamp::MIN)?;
    let until = moment(asked.until.as_ref(), Timestamp::MAX)?;
    let every = asked.every.as_ref().map_or(Ok(EVERY), |text| text.parse().map_err(wrong))?;
    Ok((Range { since, until }, every))
}
