//! The columns of a source as Arrow sees them.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::definition::Source;
use crate::value::ValueType;

/// Column that says when a row happened: `Timestamp(µs, UTC)`, never null.
pub const EVENT_TIME: &str = "__event_time";
/// Column that says when a row was known: `Timestamp(µs, UTC)`, never null.
pub const AVAILABLE_TIME: &str = "__available_time";
/// Column that numbers rows in the order in which they came: `Int64`, never null, unique in its source.
pub const ARRIVAL: &str = "__arrival";

/// The Arrow type that holds values of `value_type`.
#[must_use]
pub fn arrow_type(value_type: ValueType) -> DataType {
    match value_type {
        ValueType::Bool => DataType::Boolean,
        ValueType::Int => DataType::Int64,
        ValueType::Float => DataType::Float64,
        ValueType::Text => DataType::Utf8,
        ValueType::Time => moment_type(),
    }
}

/// The Arrow type of moments: microseconds in UTC.
#[must_use]
pub fn moment_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")))
}

/// The three columns that stand behind every source's own.
#[must_use]
pub fn row_fields() -> [Field; 3] {
    [
        Field::new(EVENT_TIME, moment_type(), false),
        Field::new(AVAILABLE_TIME, moment_type(), false),
        Field::new(ARRIVAL, DataType::Int64, false),
    ]
}

/// The schema of a source's stored rows: its columns in order, then event time, availability time and
/// arrival.
#[must_use]
pub fn stored_schema(source: &Source) -> SchemaRef {
    let own = source.columns.iter().map(|c| Field::new(c.name.as_str(), arrow_type(c.value_type), true));
    Arc::new(Schema::new(own.chain(row_fields()).collect::<Vec<_>>()))
}
