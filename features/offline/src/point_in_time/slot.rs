//! Many values of one feature, with the reasons of those that are missing.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder, UInt8Builder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt8Type};
use arrow_array::{Array, ArrayRef, StringArray, UInt8Array, UInt32Array};
use arrow_cast::CastOptions;
use arrow_schema::{DataType, TimeUnit};
use scorehouse_features::value::{Missing, Value, ValueType};
use scorehouse_features::view::Column;

use crate::error::OfflineError;

/// The Arrow type that holds values of a type in training sets.
#[must_use]
pub fn arrow_type(value_type: ValueType) -> DataType {
    match value_type {
        ValueType::Bool => DataType::Boolean,
        ValueType::Int => DataType::Int64,
        ValueType::Float => DataType::Float64,
        ValueType::Text => DataType::Utf8,
        ValueType::Time => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC"))),
    }
}

/// Every reason, at the position of its code less one; 0 is a value that is there.
const REASONS: [Missing; 6] = [
    Missing::NeverSeen,
    Missing::Expired,
    Missing::NullAtSource,
    Missing::Undefined,
    Missing::NotLinked,
    Missing::NotGiven,
];

/// The code of a reason; 0 is none.
pub(super) fn code(missing: Missing) -> u8 {
    REASONS.iter().position(|reason| *reason == missing).map_or(0, |at| at as u8 + 1)
}

/// Values of one slot, row by row, and the code of the reason where there is none.
#[derive(Debug, Clone)]
pub struct SlotColumn {
    /// The values.
    pub values: ArrayRef,
    /// The codes of the reasons, an array of `UInt8`.
    pub missing: ArrayRef,
}

impl SlotColumn {
    /// Value `row`, or the reason why there is none.
    #[must_use]
    pub fn value(&self, column: &Column, row: usize) -> Value {
        match self.missing.as_primitive::<UInt8Type>().value(row) {
            0 => column.value(row),
            code => Value::Missing(REASONS.get(code as usize - 1).copied().unwrap_or(Missing::Undefined)),
        }
    }

    /// The reasons as text, null where there is a value.
    #[must_use]
    pub fn reasons(&self) -> StringArray {
        let codes = self.missing.as_primitive::<UInt8Type>();
        let text = |code: &u8| REASONS.get((*code as usize).wrapping_sub(1)).map(|reason| reason.as_str());
        codes.values().iter().map(text).collect()
    }

    /// The rows at `order`.
    ///
    /// # Errors
    /// When a row is not there.
    pub fn take(&self, order: &UInt32Array) -> Result<Self, OfflineError> {
        let values = arrow_select::take::take(&self.values, order, None)?;
        Ok(Self { values, missing: arrow_select::take::take(&self.missing, order, None)? })
    }

    /// The rows of `column` that were picked; where none was, the code of the reason at the same place. As for
    /// every caller of the kernel, a number that is not finite counts as null.
    ///
    /// # Errors
    /// When `column` cannot hold values of the type, or a row is not there.
    pub fn picked(
        column: &ArrayRef,
        picks: &UInt32Array,
        reasons: &UInt8Array,
        value_type: ValueType,
    ) -> Result<Self, OfflineError> {
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let taken = arrow_select::take::take(column, picks, None)?;
        let mut values = arrow_cast::cast_with_options(&taken, &arrow_type(value_type), &strict)?;
        if let Some(floats) = values.as_primitive_opt::<Float64Type>()
            && floats.values().iter().any(|number| !number.is_finite())
        {
            values = Arc::new(floats.unary_opt::<_, Float64Type>(|v| v.is_finite().then_some(v)));
        }
        if values.null_count() == picks.null_count() {
            return Ok(Self { values, missing: Arc::new(reasons.clone()) });
        }
        let null = code(Missing::NullAtSource);
        let reason =
            |row: usize| if picks.is_valid(row) && values.is_null(row) { null } else { reasons.value(row) };
        let missing: UInt8Array = (0..values.len()).map(|row| Some(reason(row))).collect();
        Ok(Self { values, missing: Arc::new(missing) })
    }

    /// `rows` times the same missing value.
    #[must_use]
    pub fn all_missing(value_type: ValueType, missing: Missing, rows: usize) -> Self {
        let mut builder = SlotBuilder::new(value_type, rows);
        for _ in 0..rows {
            builder.push(&Value::Missing(missing));
        }
        builder.finish()
    }
}

enum Values {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
    Time(TimestampMicrosecondBuilder),
}

/// Collects a [`SlotColumn`].
pub struct SlotBuilder {
    values: Values,
    missing: UInt8Builder,
}

impl SlotBuilder {
    /// For about `rows` values of a type.
    #[must_use]
    pub fn new(value_type: ValueType, rows: usize) -> Self {
        let values = match value_type {
            ValueType::Bool => Values::Bool(BooleanBuilder::with_capacity(rows)),
            ValueType::Int => Values::Int(Int64Builder::with_capacity(rows)),
            ValueType::Float => Values::Float(Float64Builder::with_capacity(rows)),
            ValueType::Text => Values::Text(StringBuilder::with_capacity(rows, rows * 8)),
            ValueType::Time => Values::Time(
                TimestampMicrosecondBuilder::with_capacity(rows).with_data_type(arrow_type(ValueType::Time)),
            ),
        };
        Self { values, missing: UInt8Builder::with_capacity(rows) }
    }

    /// Adds a value. One of another type than the slot's counts as undefined; the plan's types rule it out.
    pub fn push(&mut self, value: &Value) {
        let mut reason = 0;
        match (&mut self.values, value) {
            (Values::Bool(to), Value::Bool(v)) => to.append_value(*v),
            (Values::Int(to), Value::Int(v)) => to.append_value(*v),
            (Values::Float(to), Value::Float(v)) => to.append_value(*v),
            (Values::Float(to), Value::Int(v)) => to.append_value(*v as f64),
            (Values::Text(to), Value::Text(v)) => to.append_value(v),
            (Values::Time(to), Value::Time(v)) => to.append_value(v.0),
            (to, value) => {
                reason = match value {
                    Value::Missing(missing) => code(*missing),
                    _ => code(Missing::Undefined),
                };
                to.append_null();
            }
        }
        self.missing.append_value(reason);
    }

    /// The column.
    #[must_use]
    pub fn finish(mut self) -> SlotColumn {
        let values: ArrayRef = match &mut self.values {
            Values::Bool(from) => Arc::new(from.finish()),
            Values::Int(from) => Arc::new(from.finish()),
            Values::Float(from) => Arc::new(from.finish()),
            Values::Text(from) => Arc::new(from.finish()),
            Values::Time(from) => Arc::new(from.finish()),
        };
        SlotColumn { values, missing: Arc::new(self.missing.finish()) }
    }
}

impl Values {
    fn append_null(&mut self) {
        match self {
            Self::Bool(to) => to.append_null(),
            Self::Int(to) => to.append_null(),
            Self::Float(to) => to.append_null(),
            Self::Text(to) => to.append_null(),
            Self::Time(to) => to.append_null(),
        }
    }
}
