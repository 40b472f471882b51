//! What happened after: the answer of reality to a score, stored as just another fact.
//!
//! A model whose project declares where its outcomes are told (a win model's `closed` source, a contractual
//! churn model's `ended`, an upsell model's interactions) has them stored there, so that the next training
//! learns from them. The outcomes of all other models go to the built-in [`OutcomeLog`].

mod log;
mod target;

use scorehouse_features::online::PushedRow;
use scorehouse_features::source::Outcome;
use scorehouse_features::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use utoipa::ToSchema;

pub use log::OutcomeLog;

use crate::error::{RejectedRow, ServeError};
use crate::service::events;
use crate::service::scalar::OneOrMany;
use crate::state::AppState;
use target::Target;

/// One outcome.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"model": "win", "key": "D-1001", "outcome": "won", "at": "2011-12-09"}))]
pub struct OutcomeRequest {
    /// The model whose scores it answers; one model per request.
    pub model: String,
    /// The entity's key.
    #[schema(value_type = String)]
    pub key: Json,
    /// What happened: an object with the fields of the model's outcome source, or the one value that decides.
    pub outcome: Json,
    /// When it happened, RFC 3339 or a date; now if not given.
    #[serde(default)]
    pub at: Option<String>,
}

/// What became of outcomes. They are on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OutcomeAnswer {
    /// Outcomes stored.
    pub accepted: usize,
    /// Outcomes stored before under the same idempotency key, and not again.
    pub duplicates: usize,
    /// The source they were stored in; none for the built-in log.
    pub source: Option<String>,
    /// Per outcome: whether it counts as positive for the model; null where that is not declared.
    pub positive: Vec<Option<bool>>,
}

/// Reads one outcome or a list of them, all of one model.
///
/// # Errors
/// [`ServeError::InvalidField`] without any outcome or with two models.
pub fn one_model(outcomes: OneOrMany<OutcomeRequest>) -> Result<Vec<OutcomeRequest>, ServeError> {
    let outcomes = outcomes.0;
    let invalid = |message: &str| ServeError::InvalidField { message: message.into(), nearest: None };
    let first = outcomes.first().ok_or_else(|| invalid("give at least one outcome"))?;
    if outcomes.iter().any(|other| other.model != first.model) {
        return Err(invalid("the outcomes of one request must all be of one model"));
    }
    if outcomes.len() > events::MOST_ROWS {
        let given = outcomes.len();
        return Err(ServeError::TooMany { what: "outcomes", limit: events::MOST_ROWS, given });
    }
    Ok(outcomes)
}

/// Stores outcomes of one model: all of them, or none with a reason per refused one.
///
/// # Errors
/// [`ServeError::Unknown`] for the model, [`ServeError::RowsRejected`], and what the store reports.
pub fn report(
    state: &AppState,
    outcomes: &[OutcomeRequest],
    idempotency: Option<&str>,
) -> Result<OutcomeAnswer, ServeError> {
    let model = outcomes.first().map_or("", |first| first.model.as_str());
    let answer = match Target::of(state, model)? {
        Some(target) => to_source(state, &target, outcomes, idempotency)?,
        None => to_log(state, outcomes)?,
    };
    state.metrics.outcomes(model, answer.accepted);
    Ok(answer)
}

fn to_source(
    state: &AppState,
    target: &Target<'_>,
    outcomes: &[OutcomeRequest],
    idempotency: Option<&str>,
) -> Result<OutcomeAnswer, ServeError> {
    let now = state.clock.now();
    let mut rows = Vec::with_capacity(outcomes.len());
    let mut rejected = Vec::new();
    for (number, outcome) in outcomes.iter().enumerate() {
        match row(target, outcome, now) {
            Ok(row) => rows.push(PushedRow { id: events::event_id(idempotency, number)?, ..row }),
            Err(reason) => rejected.push(RejectedRow { row: number, ..reason }),
        }
    }
    if !rejected.is_empty() {
        rejected.truncate(100);
        return Err(ServeError::RowsRejected { rows: rejected, total: outcomes.len() });
    }
    let positive = rows.iter().map(|row| target.positive(&row.values, row.event_time)).collect();
    let receipt = events::store(state, target.reader.source(), rows)?;
    let source = Some(target.reader.source().to_string());
    Ok(OutcomeAnswer { accepted: receipt.accepted, duplicates: receipt.duplicates, source, positive })
}

fn row(target: &Target<'_>, outcome: &OutcomeRequest, now: Timestamp) -> Result<PushedRow, RejectedRow> {
    let event = target.event(outcome)?;
    match target.reader.read(&event, now).map_err(|reason| events::rejected(&reason))? {
        Outcome::Kept(row) => Ok(PushedRow {
            event_time: row.event_time,
            available: row.available,
            arrival: 0,
            values: row.values,
            id: None,
        }),
        Outcome::Filtered => Err(RejectedRow {
            row: 0,
            field: None,
            message: format!("the source {} leaves such rows out (keep)", target.reader.source()),
            nearest: None,
        }),
    }
}

fn to_log(state: &AppState, outcomes: &[OutcomeRequest]) -> Result<OutcomeAnswer, ServeError> {
    let now = state.clock.now();
    let mut lines = Vec::new();
    for (number, outcome) in outcomes.iter().enumerate() {
        let refuse = |message: String| ServeError::RowsRejected {
            rows: vec![RejectedRow { row: number, field: Some("at".into()), message, nearest: None }],
            total: outcomes.len(),
        };
        let at = match &outcome.at {
            Some(text) => Timestamp::parse(text).map_err(|error| refuse(error.to_string()))?,
            None => now,
        };
        let line = json!({
            "model": outcome.model, "key": outcome.key, "outcome": outcome.outcome, "at": at, "received": now,
        });
        lines.extend_from_slice(line.to_string().as_bytes());
        lines.push(b'\n');
    }
    state.outcomes.append(&lines)?;
    let positive = vec![None; outcomes.len()];
    Ok(OutcomeAnswer { accepted: outcomes.len(), duplicates: 0, source: None, positive })
}
