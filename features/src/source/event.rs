//! One event in JSON becomes one row.

use serde_json::Value as Json;

use super::assemble::{Assembler, Outcome};
use super::block::read_text;
use super::error::SourceError;
use super::layout::{FieldPlan, Layout};
use super::moment::MomentFormat;
use super::reject::{RejectReason, cut};
use crate::definition::{Origin, Source};
use crate::ids::SourceName;
use crate::nearest::nearest;
use crate::time::Timestamp;
use crate::value::{Missing, Value, ValueType};

/// Reads the events of one source; made once, used for every event.
#[derive(Debug, Clone)]
pub struct EventReader {
    source: SourceName,
    width: usize,
    positions: Vec<usize>,
    headers: Vec<String>,
    layout: Layout,
    assembler: Assembler,
}

impl EventReader {
    /// Prepares the reading of `source`'s events.
    ///
    /// # Errors
    /// [`SourceError::Definition`] when the source is not sound.
    pub fn new(source: &Source) -> Result<Self, SourceError> {
        let mut positions = Vec::new();
        let mut headers = Vec::new();
        for (position, column) in source.columns.iter().enumerate() {
            if let Origin::Read { header, .. } = &column.origin {
                positions.push(position);
                headers.push(header.clone());
            }
        }
        let layout = Layout::of_events(source)?;
        Ok(Self {
            source: source.name.clone(),
            width: source.columns.len(),
            positions,
            headers,
            layout,
            assembler: Assembler::new(source)?,
        })
    }

    /// The source whose events are read.
    #[must_use]
    pub fn source(&self) -> &SourceName {
        &self.source
    }

    /// Reads one event: an object whose fields are the source's columns, by name or by header. A time column
    /// that the source needs and the event does not bring is `now`.
    ///
    /// # Errors
    /// [`RejectReason`] naming the field that is unknown, missing or of the wrong type.
    pub fn read(&self, event: &Json, now: Timestamp) -> Result<Outcome, RejectReason> {
        let Json::Object(fields) = event else { return Err(RejectReason::NotAnObject) };
        let mut values = vec![Value::Missing(Missing::NullAtSource); self.width];
        for (name, given) in fields {
            let index = self.index(name).ok_or_else(|| self.unknown(name))?;
            values[self.positions[index]] = self.value(&self.layout.fields[index], given)?;
        }
        let (event_time, available) = self.assembler.time_columns();
        for position in std::iter::once(event_time).chain(available) {
            if values[position].is_missing() && self.positions.contains(&position) {
                values[position] = Value::Time(now);
            }
        }
        for (field, position) in self.layout.fields.iter().zip(&self.positions) {
            if field.required && values[*position].is_missing() {
                return Err(RejectReason::Required { column: field.name.clone() });
            }
        }
        self.assembler.complete(values)
    }

    fn index(&self, name: &str) -> Option<usize> {
        let by_name = self.layout.fields.iter().position(|f| f.name.as_str() == name);
        by_name.or_else(|| self.headers.iter().position(|h| h == name))
    }

    fn unknown(&self, name: &str) -> RejectReason {
        let known = self.layout.fields.iter().map(|f| f.name.as_str());
        RejectReason::UnknownField {
            field: cut(name, 80).to_owned(),
            nearest: nearest(name, known).map(str::to_owned),
        }
    }

    fn value(&self, field: &FieldPlan, given: &Json) -> Result<Value, RejectReason> {
        let wrong = || RejectReason::WrongType {
            column: field.name.clone(),
            expected: expected(field.value_type).to_owned(),
            given: cut(&given.to_string(), 80).to_owned(),
        };
        match (field.value_type, given) {
            (_, Json::Null) => Ok(Value::Missing(Missing::NullAtSource)),
            (ValueType::Bool, Json::Bool(v)) => Ok(Value::Bool(*v)),
            (ValueType::Int, Json::Number(v)) => whole(v).map(Value::Int).ok_or_else(wrong),
            (ValueType::Float, Json::Number(v)) => {
                v.as_f64().filter(|v| v.is_finite()).map(Value::Float).ok_or_else(wrong)
            }
            // Keys are often numbers on the other side; a whole number has one spelling only.
            (ValueType::Text, Json::Number(v)) => {
                v.as_i64().map(|v| Value::Text(v.to_string().into())).ok_or_else(wrong)
            }
            (ValueType::Text, Json::String(v)) => Ok(Value::Text(v.as_str().into())),
            (ValueType::Time, Json::Number(v)) if matches!(field.moment, MomentFormat::Unix(_)) => {
                read_text(&self.layout, field, &v.to_string())
            }
            (ValueType::Time, Json::String(v)) => moment(field, v).ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }
}

/// Reads an event without keeping a reader; see [`EventReader::read`].
///
/// # Errors
/// [`SourceError`] for a source that is not sound; the inner error is the event's.
pub fn parse(
    source: &Source,
    event: &Json,
    now: Timestamp,
) -> Result<Result<Outcome, RejectReason>, SourceError> {
    Ok(EventReader::new(source)?.read(event, now))
}

/// Events write moments in RFC 3339; the format of the source's files is understood as well.
fn moment(field: &FieldPlan, text: &str) -> Option<Value> {
    let read = MomentFormat::Iso.read(text.as_bytes()).or_else(|| field.moment.read(text.as_bytes()));
    read.map(Value::Time)
}

fn whole(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| number.as_f64().and_then(exact_whole))
}

const fn expected(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Bool => "true or false",
        ValueType::Int => "a whole number",
        ValueType::Float => "a finite number",
        ValueType::Text => "text",
        ValueType::Time => "a date-time such as \"2011-12-09T08:26:00Z\"",
    }
}

/// The whole number that `number` is, if doubles hold it exactly.
fn exact_whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}
