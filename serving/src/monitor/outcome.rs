//! What became of those who were scored.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use scorehouse_features::definition::{ChurnDefinition, ChurnSpec, Pipeline, Source, TableSpec};
use scorehouse_features::expression::Expression;
use scorehouse_features::ids::{ColumnName, FeatureSetName, SourceName};
use scorehouse_features::source::column::TypedColumn;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value};
use scorehouse_features::view::key::key_text;
use scorehouse_offline::ScanRange;
use scorehouse_training::history::{AVAILABLE_TIME, EVENT_TIME};
use serde_json::Value as Json;

use super::Monitor;
use crate::error::{Noun, ServeError};

/// What happened to an entity, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    at: Timestamp,
    holds: bool,
}

/// Events by key, an entity's in order of time.
type Events = HashMap<String, Vec<Event>>;

/// What became of those who were scored.
pub enum Outcomes<'a> {
    /// Deals by their first closing row.
    Deals(Events),
    /// Customers by what they do within a horizon.
    Leaving {
        /// What leaving means.
        spec: &'a ChurnSpec,
        /// Purchases, or ends of contracts.
        events: Events,
    },
    /// Outcomes as they were reported.
    Told(Events),
}

/// What is known of one score's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It happened, or it did not.
    Known(bool),
    /// Nobody can tell yet.
    Pending,
}

impl Outcome {
    /// The outcome, if it is known.
    pub const fn known(self) -> Option<bool> {
        match self {
            Self::Known(outcome) => Some(outcome),
            Self::Pending => None,
        }
    }
}

impl<'a> Outcomes<'a> {
    /// Reads the outcomes of a model.
    ///
    /// # Errors
    /// [`ServeError::Unknown`] for the model, [`ServeError::NotSuited`] for one that recommends, and what
    /// history reports.
    pub fn of(monitor: &Monitor<'a>, model: &str) -> Result<Self, ServeError> {
        let project = monitor.project;
        let Some(spec) = project.models.get(model) else {
            let known = project.models.keys().map(|name| name.as_str());
            return Err(ServeError::unknown(Noun::Model, model, known));
        };
        match &spec.pipeline {
            Pipeline::Win(win) => {
                let key = key_column(monitor, &win.fit.feature_set)?;
                Ok(Self::Deals(events(monitor, &win.closed, key, Some(&win.won))?))
            }
            Pipeline::Churn(churn) => {
                let key = key_column(monitor, &churn.fit.feature_set)?;
                let (source, filter) = match &churn.definition {
                    ChurnDefinition::NonContractual { activity, filter, .. } => (activity, filter),
                    ChurnDefinition::Contractual { ended, filter, .. } => (ended, filter),
                };
                Ok(Self::Leaving { spec: churn, events: events(monitor, source, key, filter.as_ref())? })
            }
            Pipeline::Table(table) => told(monitor, model, Some(table)).map(Self::Told),
            Pipeline::Registered(_) => told(monitor, model, None).map(Self::Told),
            Pipeline::Upsell(_) | Pipeline::Interactions(_) => {
                let message = "recommends; its answers have no outcome of their own".into();
                Err(ServeError::NotSuited { model: model.to_owned(), message })
            }
        }
    }

    /// What became of a score as of a moment; none for a score that had nothing left to tell, as that of a deal that
    /// was closed already.
    pub fn of_score(&self, key: &str, as_of: Timestamp, now: Timestamp) -> Option<Outcome> {
        match self {
            Self::Deals(events) => match events.get(key).and_then(|events| events.first()) {
                None => Some(Outcome::Pending),
                Some(end) => (end.at > as_of).then_some(Outcome::Known(end.holds)),
            },
            Self::Leaving { spec, events } => {
                let until = as_of.after(spec.horizon);
                let within = |event: &&Event| event.holds && event.at > as_of && event.at <= until;
                let happened =
                    events.get(key).is_some_and(|events| events.iter().any(|event| within(&event)));
                let left = match spec.definition {
                    ChurnDefinition::NonContractual { .. } => !happened,
                    ChurnDefinition::Contractual { .. } => happened,
                };
                // An end, or a purchase, settles it at once; that nothing happened is known when the horizon is over.
                Some(if happened || until <= now { Outcome::Known(left) } else { Outcome::Pending })
            }
            Self::Told(events) => {
                let after = events.get(key).and_then(|events| events.iter().find(|event| event.at >= as_of));
                Some(after.map_or(Outcome::Pending, |event| Outcome::Known(event.holds)))
            }
        }
    }
}

fn key_column<'a>(monitor: &Monitor<'a>, set: &FeatureSetName) -> Result<&'a ColumnName, ServeError> {
    let project = monitor.project;
    let entity = project.feature_sets.get(set).and_then(|set| project.entities.get(&set.entity));
    let bug = || ServeError::Bug { message: format!("the feature set {set} has no entity") };
    entity.map(|entity| &entity.key).ok_or_else(bug)
}

/// The rows of a source that are known by now, by key and in order of time, with what `expression` says of each.
fn events(
    monitor: &Monitor<'_>,
    name: &SourceName,
    key: &ColumnName,
    expression: Option<&Expression>,
) -> Result<Events, ServeError> {
    let bug = |what: &str| ServeError::Bug { message: format!("source {name} has no {what}") };
    let source: &Source = monitor.project.sources.get(name).ok_or_else(|| bug("declaration"))?;
    let slots = expression.map_or(&[][..], Expression::slots);
    let read = slots.iter().filter_map(|slot| source.columns.get(*slot)).map(|column| column.name.clone());
    let columns: Vec<ColumnName> = std::iter::once(key.clone()).chain(read).collect();
    let batch = monitor.store.scan(name, &columns, ScanRange::as_of(monitor.now))?;
    let typed = batch.columns()[..columns.len()].iter().map(TypedColumn::of).collect::<Option<Vec<_>>>();
    let typed = typed.ok_or_else(|| bug("typed columns"))?;
    let moments = |name: &str| {
        let column = batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        Some(column.values())
    };
    let at = moments(EVENT_TIME).ok_or_else(|| bug("event time"))?;
    let known = moments(AVAILABLE_TIME).ok_or_else(|| bug("availability time"))?;
    let mut inputs = vec![Value::Missing(Missing::Undefined); source.columns.len()];
    let mut found = Events::new();
    for row in 0..batch.num_rows() {
        let key = typed[0].value(row);
        let Some(key) = key_text(&key) else { continue };
        for (slot, column) in slots.iter().zip(&typed[1..]) {
            inputs[*slot] = column.value(row);
        }
        let moment = Timestamp(known[row].max(at[row]));
        let holds = expression.is_none_or(|expression| expression.is_true(&inputs, moment));
        found.entry(key.into_owned()).or_default().push(Event { at: Timestamp(at[row]), holds });
    }
    found.values_mut().for_each(|events| events.sort_by_key(|event| event.at));
    Ok(found)
}

/// Outcomes from the built-in log.
fn told(monitor: &Monitor<'_>, model: &str, table: Option<&TableSpec>) -> Result<Events, ServeError> {
    let declared = table.and_then(|table| table.positive.as_deref());
    let mut found = Events::new();
    reported(monitor, model, &mut |key, at, outcome| {
        let event = Event { at, holds: positive(outcome, declared) };
        found.entry(key.to_owned()).or_default().push(event);
    })?;
    found.values_mut().for_each(|events| events.sort_by_key(|event| event.at));
    Ok(found)
}

/// Shows `see` every outcome of a model in the built-in log: its key, when it happened, what it is.
///
/// # Errors
/// [`ServeError::Io`].
pub(super) fn reported(
    monitor: &Monitor<'_>,
    model: &str,
    see: &mut dyn FnMut(&str, Timestamp, &Json),
) -> Result<(), ServeError> {
    let path = monitor.project.state.join("outcomes").join("outcomes.jsonl");
    let failed = |source| ServeError::Io { what: path.display().to_string(), source };
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(failed)?,
    };
    for line in BufReader::new(file).lines() {
        // A line that is being written, or was torn by a crash, was not acknowledged.
        let Ok(line) = serde_json::from_str::<Json>(&line.map_err(failed)?) else { continue };
        if line["model"] != model {
            continue;
        }
        let at = line["at"].as_str().and_then(|text| Timestamp::parse(text).ok());
        let key = match &line["key"] {
            Json::String(text) => Some(text.clone()),
            Json::Number(number) => Some(number.to_string()),
            _ => None,
        };
        if let (Some(at), Some(key)) = (at, key) {
            see(&key, at, &line["outcome"]);
        }
    }
    Ok(())
}

/// Whether an outcome is the one that the model foretells: the declared label, else true, 1, `true`, `yes` or `won`.
fn positive(outcome: &Json, declared: Option<&str>) -> bool {
    let text = match outcome {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    match declared {
        Some(declared) => text == declared,
        None => ["1", "1.0", "true", "yes", "won"].contains(&text.to_ascii_lowercase().as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(day: i64) -> Timestamp {
        Timestamp(day * scorehouse_features::time::DAY)
    }

    #[test]
    fn a_deal_that_is_open_is_pending_and_one_closed_before_the_score_does_not_count() {
        let events = HashMap::from([("D-1".to_owned(), vec![Event { at: at(5), holds: true }])]);
        let deals = Outcomes::Deals(events);
        assert_eq!(deals.of_score("D-1", at(4), at(9)), Some(Outcome::Known(true)));
        assert_eq!(deals.of_score("D-1", at(5), at(9)), None);
        assert_eq!(deals.of_score("D-2", at(4), at(9)), Some(Outcome::Pending));
    }

    #[test]
    fn an_outcome_is_positive_as_declared_or_as_it_is_usually_written() {
        assert!(positive(&json!("Yes"), None) && positive(&json!(1), None) && positive(&json!(true), None));
        assert!(!positive(&json!("no"), None) && !positive(&json!(0), None) && !positive(&json!(null), None));
        assert!(positive(&json!("churned"), Some("churned")) && !positive(&json!("yes"), Some("churned")));
    }
}
