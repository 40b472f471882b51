//! Rows of a source as events of entities, in canonical order.

use std::collections::BTreeMap;

use scorehouse_features::definition::{Project, Source};
use scorehouse_features::expression::Expression;
use scorehouse_features::ids::{ColumnName, EntityKey, EntityName, SourceName};
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Value, ValueType};
use scorehouse_features::view::key::key_text;

use crate::dataset::{Column, ColumnData, from_record_batch};
use crate::error::TrainingError;
use crate::history::{ARRIVAL, AVAILABLE_TIME, EVENT_TIME};
use crate::trained::TrainRequest;

/// One row of one entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Event {
    /// When it happened.
    pub at: Timestamp,
    /// When it was known; never before it happened.
    pub known: Timestamp,
    arrival: i64,
    /// What the expression said; true without one.
    pub holds: bool,
}

/// Events by entity, entities in the order of their keys, an entity's events in order of time, availability
/// and arrival.
pub(crate) type Events = BTreeMap<EntityKey, Vec<Event>>;

/// Reads the rows of a source that are known by now, with what `expression` (over the source's columns) says
/// of each.
///
/// # Errors
/// [`TrainingError::Definition`] when the project declares no such source or it lacks the entity's key
/// column, and what the history reports.
pub(crate) fn read_events(
    request: &TrainRequest<'_>,
    entity: &EntityName,
    source: &SourceName,
    expression: Option<&Expression>,
) -> Result<Events, TrainingError> {
    let declared = request.project.sources.get(source);
    let declared = declared
        .ok_or_else(|| TrainingError::Definition(format!("the project declares no source {source}")))?;
    let read = Columns::of(request.project, entity, declared, expression)?;
    let batch = request.history.rows(source, &read.names)?;
    let moment = |name: &str| match from_record_batch(&batch, name, ValueType::Time)?.data {
        ColumnData::Time(values) => Ok(values),
        _ => Err(TrainingError::history(format!("column {name} holds no moments"))),
    };
    let (at, known) = (moment(EVENT_TIME)?, moment(AVAILABLE_TIME)?);
    let arrival = from_record_batch(&batch, ARRIVAL, ValueType::Int)?;
    let columns: Result<Vec<Column>, _> = read
        .names
        .iter()
        .zip(&read.types)
        .map(|(name, kind)| from_record_batch(&batch, name.as_str(), *kind))
        .collect();
    let columns = columns?;
    let mut events = Events::new();
    let mut inputs =
        vec![Value::Missing(scorehouse_features::value::Missing::Undefined); declared.columns.len()];
    for row in 0..batch.num_rows() {
        let (Some(at), Some(known)) = (at[row], known[row]) else { continue };
        let known = known.max(at);
        let Some(key) = key_text(&columns[0].value(row)).and_then(|key| EntityKey::new(key).ok()) else {
            continue;
        };
        if known > request.now {
            continue;
        }
        for (slot, column) in read.slots.iter().zip(&columns[1..]) {
            inputs[*slot] = column.value(row);
        }
        let holds = expression.is_none_or(|expression| expression.is_true(&inputs, known));
        let arrival = match arrival.value(row) {
            Value::Int(number) => number,
            _ => 0,
        };
        events.entry(key).or_default().push(Event { at, known, arrival, holds });
    }
    events.values_mut().for_each(|events| events.sort_unstable());
    Ok(events)
}

/// The columns to read: the key first, then what the expression reads.
struct Columns {
    names: Vec<ColumnName>,
    types: Vec<ValueType>,
    /// The expression's slot of every column but the key.
    slots: Vec<usize>,
}

impl Columns {
    fn of(
        project: &Project,
        entity: &EntityName,
        source: &Source,
        expression: Option<&Expression>,
    ) -> Result<Self, TrainingError> {
        let lacks = || {
            let name = &source.name;
            TrainingError::Definition(format!("source {name} has no column with the key of entity {entity}"))
        };
        let key = &project.entities.get(entity).ok_or_else(lacks)?.key;
        let at = source.columns.iter().position(|column| column.name == *key).ok_or_else(lacks)?;
        let slots: Vec<usize> = expression.map_or(&[][..], |expression| expression.slots()).to_vec();
        let columns = std::iter::once(at).chain(slots.iter().copied()).map(|at| source.columns.get(at));
        let columns: Option<Vec<_>> = columns.collect();
        let columns = columns.ok_or_else(|| {
            TrainingError::Definition(format!(
                "an expression reads beyond the columns of source {}",
                source.name
            ))
        })?;
        Ok(Self {
            names: columns.iter().map(|column| column.name.clone()).collect(),
            types: columns.iter().map(|column| column.value_type).collect(),
            slots,
        })
    }
}
