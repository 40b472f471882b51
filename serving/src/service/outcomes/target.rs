//! Where a model's outcomes are told, and how one becomes a row there.

use scorehouse_features::definition::{ChurnDefinition, Origin, Pipeline, Project, Source};
use scorehouse_features::expression::Expression;
use scorehouse_features::ids::{ColumnName, FeatureSetName, SourceName};
use scorehouse_features::source::event::EventReader;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use serde_json::{Map, Value as Json};

use super::OutcomeRequest;
use crate::error::{Noun, RejectedRow, ServeError};
use crate::service::events;
use crate::state::AppState;

/// The source that tells a model's outcomes.
#[derive(Debug)]
pub struct Target<'a> {
    /// Reads its rows.
    pub reader: &'a EventReader,
    source: &'a Source,
    key: &'a ColumnName,
    decides: Option<&'a Expression>,
}

struct Declared<'a> {
    source: &'a SourceName,
    key: Option<&'a ColumnName>,
    decides: Option<&'a Expression>,
}

impl<'a> Target<'a> {
    /// The target of a model's outcomes; none when they go to the built-in log.
    ///
    /// # Errors
    /// [`ServeError::Unknown`] when neither the project nor the registry has such a model.
    pub fn of(state: &'a AppState, model: &str) -> Result<Option<Self>, ServeError> {
        let Some(spec) = state.project.models.get(model) else {
            return if state.live.knows(model) { Ok(None) } else { Err(unknown(state, model)) };
        };
        let Some(declared) = declared(&state.project, &spec.pipeline) else { return Ok(None) };
        let reader = events::reader(state, declared.source.as_str())?;
        let bug = || ServeError::Bug { message: format!("the outcome source of {model} is not declared") };
        let source = state.project.sources.get(declared.source).ok_or_else(bug)?;
        let key = declared.key.ok_or_else(bug)?;
        Ok(Some(Self { reader, source, key, decides: declared.decides }))
    }

    /// The row as an event of the source.
    ///
    /// # Errors
    /// A refusal when a bare value is given but more than one column decides, or the key stands there twice.
    pub fn event(&self, outcome: &OutcomeRequest) -> Result<Json, RejectedRow> {
        let mut fields = match &outcome.outcome {
            Json::Object(fields) => fields.clone(),
            value => self.bare(value)?,
        };
        let key = self.key.as_str();
        if fields.get(key).is_some_and(|given| *given != outcome.key) {
            return Err(refused(key, format!("{key} differs from the outcome's key")));
        }
        fields.insert(key.to_owned(), outcome.key.clone());
        if let Some(at) = &outcome.at {
            fields.insert(self.source.event_time.to_string(), Json::String(at.clone()));
        }
        Ok(Json::Object(fields))
    }

    /// A bare value stands in the one column that decides.
    fn bare(&self, value: &Json) -> Result<Map<String, Json>, RejectedRow> {
        let slots = self.decides.map_or(&[][..], Expression::slots);
        if let [slot] = slots
            && let Some(column) = self.source.columns.get(*slot)
            && matches!(column.origin, Origin::Read { .. })
        {
            return Ok(Map::from_iter([(column.name.to_string(), value.clone())]));
        }
        let columns = self.source.columns.iter().map(|column| column.name.as_str());
        let names: Vec<&str> = columns.filter(|name| *name != self.key.as_str()).collect();
        let message =
            format!("outcome must be an object with fields of {}: {}", self.source.name, names.join(", "));
        Err(refused("outcome", message))
    }

    /// Whether a row counts as positive; none when nothing declared decides.
    #[must_use]
    pub fn positive(&self, values: &[Value], event_time: Timestamp) -> Option<bool> {
        self.decides.map(|decides| decides.is_true(values, event_time))
    }
}

fn refused(field: &str, message: String) -> RejectedRow {
    RejectedRow { row: 0, field: Some(field.to_owned()), message, nearest: None }
}

fn unknown(state: &AppState, model: &str) -> ServeError {
    ServeError::unknown(Noun::Model, model, state.project.models.keys().map(|name| name.as_str()))
}

fn declared<'a>(project: &'a Project, pipeline: &'a Pipeline) -> Option<Declared<'a>> {
    match pipeline {
        Pipeline::Win(spec) => Some(Declared {
            source: &spec.closed,
            key: entity_key(project, &spec.fit.feature_set),
            decides: Some(&spec.won),
        }),
        Pipeline::Churn(spec) => match &spec.definition {
            ChurnDefinition::Contractual { ended, filter, .. } => Some(Declared {
                source: ended,
                key: entity_key(project, &spec.fit.feature_set),
                decides: filter.as_ref(),
            }),
            ChurnDefinition::NonContractual { .. } => None,
        },
        Pipeline::Upsell(spec) => {
            Some(Declared { source: &spec.source, key: Some(&spec.user), decides: spec.filter.as_ref() })
        }
        Pipeline::Table(_) | Pipeline::Interactions(_) | Pipeline::Registered(_) => None,
    }
}

fn entity_key<'a>(project: &'a Project, set: &FeatureSetName) -> Option<&'a ColumnName> {
    let entity = &project.feature_sets.get(set)?.entity;
    project.entities.get(entity).map(|entity| &entity.key)
}
