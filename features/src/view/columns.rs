//! One column of rows as Arrow brings it, typed as its source declares it.

use std::sync::Arc;

use arcstr::ArcStr;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, TimeUnit};

use crate::error::FeatureError;
use crate::time::Timestamp;
use crate::value::{Missing, Value, ValueType};

/// Marks a null in the codes of a [`Column::Coded`].
pub const NO_WORD: u32 = u32::MAX;

/// One column of many rows.
#[derive(Debug, Clone)]
pub enum Column {
    /// True or false.
    Bool(BooleanBuffer, Option<NullBuffer>),
    /// Whole numbers.
    Int(ScalarBuffer<i64>, Option<NullBuffer>),
    /// Numbers.
    Float(ScalarBuffer<f64>, Option<NullBuffer>),
    /// Moments in microseconds since 1970, UTC.
    Time(ScalarBuffer<i64>, Option<NullBuffer>),
    /// Text, each row a position in the list of words, [`NO_WORD`] for null. A value is had without copying.
    Coded(ScalarBuffer<u32>, Arc<[ArcStr]>),
    /// Text as Arrow holds it. Having a value copies it; comparing does not.
    Text(StringArray),
}

impl Column {
    /// Takes over an Arrow array of any layout whose type stands for `value_type`; numbers, times and
    /// booleans are not copied when they come as Arrow's 64-bit, microsecond and Boolean arrays.
    ///
    /// # Errors
    /// [`FeatureError::Shape`] when the array cannot hold values of that type.
    pub fn from_arrow(array: &ArrayRef, value_type: ValueType) -> Result<Self, FeatureError> {
        let wanted = match value_type {
            ValueType::Bool => DataType::Boolean,
            ValueType::Int => DataType::Int64,
            ValueType::Float => DataType::Float64,
            ValueType::Text => DataType::Utf8,
            ValueType::Time => DataType::Timestamp(TimeUnit::Microsecond, None),
        };
        let array = cast(array, &wanted, value_type)?;
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0).cloned();
        Ok(match value_type {
            ValueType::Bool => Self::Bool(array.as_boolean().values().clone(), nulls),
            ValueType::Int => Self::Int(array.as_primitive::<Int64Type>().values().clone(), nulls),
            ValueType::Float => Self::Float(array.as_primitive::<Float64Type>().values().clone(), nulls),
            ValueType::Text => Self::Text(array.as_string::<i32>().clone()),
            ValueType::Time => {
                Self::Time(array.as_primitive::<TimestampMicrosecondType>().values().clone(), nulls)
            }
        })
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bool(values, _) => values.len(),
            Self::Int(values, _) | Self::Time(values, _) => values.len(),
            Self::Float(values, _) => values.len(),
            Self::Coded(codes, _) => codes.len(),
            Self::Text(values) => values.len(),
        }
    }

    /// True when there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True when row `row` holds no value.
    #[inline]
    #[must_use]
    pub fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Bool(_, nulls) | Self::Int(_, nulls) | Self::Time(_, nulls) | Self::Float(_, nulls) => {
                nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
            }
            Self::Coded(codes, _) => codes[row] == NO_WORD,
            Self::Text(values) => values.is_null(row),
        }
    }

    /// The value at row `row`, or `Missing(NullAtSource)`. A float that is not finite counts as null.
    #[must_use]
    pub fn value(&self, row: usize) -> Value {
        let value = match self {
            Self::Coded(codes, words) => words.get(codes[row] as usize).map(|word| Value::Text(word.clone())),
            Self::Text(_) => self.text(row).map(|text| Value::Text(text.into())),
            Self::Float(..) => self.number(row).map(Value::Float),
            Self::Bool(..) => self.whole(row).map(|v| Value::Bool(v == 1)),
            Self::Int(..) => self.whole(row).map(Value::Int),
            Self::Time(..) => self.whole(row).map(|v| Value::Time(Timestamp(v))),
        };
        value.unwrap_or(Value::Missing(Missing::NullAtSource))
    }

    /// The value of a number column (Int or Float).
    #[inline]
    #[must_use]
    pub fn number(&self, row: usize) -> Option<f64> {
        match self {
            Self::Float(values, None) => finite(values[row]),
            Self::Int(values, None) => Some(values[row] as f64),
            _ if self.is_null(row) => None,
            Self::Float(values, _) => finite(values[row]),
            Self::Int(values, _) => Some(values[row] as f64),
            _ => None,
        }
    }

    /// The value of an Int column, of a Time column in microseconds, or of a Bool column as 0 or 1.
    #[inline]
    #[must_use]
    pub fn whole(&self, row: usize) -> Option<i64> {
        match self {
            Self::Int(values, None) | Self::Time(values, None) => Some(values[row]),
            Self::Bool(values, None) => Some(i64::from(values.value(row))),
            _ if self.is_null(row) => None,
            Self::Int(values, _) | Self::Time(values, _) => Some(values[row]),
            Self::Bool(values, _) => Some(i64::from(values.value(row))),
            _ => None,
        }
    }

    /// The value of a Text column.
    #[inline]
    #[must_use]
    pub fn text(&self, row: usize) -> Option<&str> {
        match self {
            Self::Coded(codes, words) => words.get(codes[row] as usize).map(AsRef::as_ref),
            Self::Text(values) if !values.is_null(row) => Some(values.value(row)),
            _ => None,
        }
    }
}

fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}

fn cast(array: &ArrayRef, wanted: &DataType, value_type: ValueType) -> Result<ArrayRef, FeatureError> {
    let refuse = || {
        FeatureError::Shape(format!(
            "an Arrow column of {} cannot hold {value_type} values",
            array.data_type()
        ))
    };
    let found = array.data_type();
    if found == wanted {
        return Ok(array.clone());
    }
    let alike = match value_type {
        ValueType::Bool => matches!(found, DataType::Null),
        ValueType::Int => found.is_integer() || matches!(found, DataType::Null),
        ValueType::Float => found.is_numeric() || matches!(found, DataType::Null),
        ValueType::Text => is_text(found),
        ValueType::Time => {
            matches!(found, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 | DataType::Null)
        }
    };
    if !alike {
        return Err(refuse());
    }
    // Dropping the zone keeps the moment: Arrow counts from 1970 in UTC whatever the zone says.
    if let DataType::Timestamp(TimeUnit::Microsecond, _) = found {
        return Ok(Arc::new(
            array.as_primitive::<TimestampMicrosecondType>().clone().with_timezone_opt(None::<Arc<str>>),
        ));
    }
    let strict = arrow_cast::CastOptions { safe: false, ..Default::default() };
    arrow_cast::cast_with_options(array, wanted, &strict).map_err(|_| refuse())
}

fn is_text(found: &DataType) -> bool {
    match found {
        DataType::Dictionary(_, values) => is_text(values),
        _ => matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null),
    }
}
