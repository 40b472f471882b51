//! One typed column of a dataset.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use rustc_hash::FxHashMap;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{ArcStr, Missing, Value, ValueType};

use crate::error::TrainingError;

/// Code of a missing text.
const NO_TEXT: u32 = u32::MAX;

/// A named column of values of one type, some of them missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name: a feature's full name, or a table's header.
    pub name: String,
    /// Its template in words, with `{value}`.
    pub words: Option<String>,
    /// Its values.
    pub data: ColumnData,
}

/// The values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnData {
    /// True or false.
    Bool(Vec<Option<bool>>),
    /// Whole numbers.
    Int(Vec<Option<i64>>),
    /// Numbers; NaN is missing.
    Float(Vec<f64>),
    /// Texts by code.
    Text {
        /// Position in `levels`, or `u32::MAX` when missing.
        codes: Vec<u32>,
        /// Distinct texts in the order of their first row.
        levels: Vec<ArcStr>,
    },
    /// Moments.
    Time(Vec<Option<Timestamp>>),
}

impl Column {
    /// A column of texts; `None` is missing.
    #[must_use]
    pub fn text<'a>(name: &str, values: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let mut levels: Vec<ArcStr> = Vec::new();
        let mut index: FxHashMap<ArcStr, u32> = FxHashMap::default();
        let mut code_of = |text: &str| {
            if let Some(code) = index.get(text) {
                return *code;
            }
            let (code, text) = (levels.len() as u32, ArcStr::from(text));
            levels.push(text.clone());
            index.insert(text, code);
            code
        };
        let codes = values.into_iter().map(|text| text.map_or(NO_TEXT, &mut code_of)).collect();
        Self { name: name.to_owned(), words: None, data: ColumnData::Text { codes, levels } }
    }

    /// A column of numbers; NaN is missing.
    #[must_use]
    pub fn float(name: &str, values: Vec<f64>) -> Self {
        Self { name: name.to_owned(), words: None, data: ColumnData::Float(values) }
    }

    /// The values of these rows, in this order; a row may stand there more than once.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Self {
        fn of<T: Copy>(values: &[T], rows: &[u32]) -> Vec<T> {
            rows.iter().map(|row| values[*row as usize]).collect()
        }
        let data = match &self.data {
            ColumnData::Bool(values) => ColumnData::Bool(of(values, rows)),
            ColumnData::Int(values) => ColumnData::Int(of(values, rows)),
            ColumnData::Float(values) => ColumnData::Float(of(values, rows)),
            ColumnData::Text { codes, levels } => {
                ColumnData::Text { codes: of(codes, rows), levels: levels.clone() }
            }
            ColumnData::Time(values) => ColumnData::Time(of(values, rows)),
        };
        Self { name: self.name.clone(), words: self.words.clone(), data }
    }

    /// The type of its values.
    #[must_use]
    pub const fn value_type(&self) -> ValueType {
        match &self.data {
            ColumnData::Bool(_) => ValueType::Bool,
            ColumnData::Int(_) => ValueType::Int,
            ColumnData::Float(_) => ValueType::Float,
            ColumnData::Text { .. } => ValueType::Text,
            ColumnData::Time(_) => ValueType::Time,
        }
    }

    /// The value in `row`; missing beyond the end.
    #[must_use]
    pub fn value(&self, row: usize) -> Value {
        let value = match &self.data {
            ColumnData::Bool(values) => values.get(row).copied().flatten().map(Value::Bool),
            ColumnData::Int(values) => values.get(row).copied().flatten().map(Value::Int),
            ColumnData::Float(values) => {
                values.get(row).copied().filter(|value| value.is_finite()).map(Value::Float)
            }
            ColumnData::Text { codes, levels } => {
                codes.get(row).and_then(|code| levels.get(*code as usize)).cloned().map(Value::Text)
            }
            ColumnData::Time(values) => values.get(row).copied().flatten().map(Value::Time),
        };
        value.unwrap_or(Value::Missing(Missing::NullAtSource))
    }

    /// Its number in each row: numbers as they are, booleans as 0 and 1, NaN when missing; none for texts
    /// and moments.
    #[must_use]
    pub fn numbers(&self) -> Option<Vec<f64>> {
        Some(match &self.data {
            ColumnData::Float(values) => {
                values.iter().map(|value| if value.is_finite() { *value } else { f64::NAN }).collect()
            }
            ColumnData::Int(values) => values.iter().map(|v| v.map_or(f64::NAN, |v| v as f64)).collect(),
            ColumnData::Bool(values) => {
                values.iter().map(|v| v.map_or(f64::NAN, |v| f64::from(u8::from(v)))).collect()
            }
            ColumnData::Text { .. } | ColumnData::Time(_) => return None,
        })
    }

    /// True when the value in `row` is missing.
    #[must_use]
    pub fn is_missing(&self, row: usize) -> bool {
        match &self.data {
            ColumnData::Bool(values) => values[row].is_none(),
            ColumnData::Int(values) => values[row].is_none(),
            ColumnData::Float(values) => !values[row].is_finite(),
            ColumnData::Text { codes, .. } => codes[row] == NO_TEXT,
            ColumnData::Time(values) => values[row].is_none(),
        }
    }
}

/// Takes one column of a batch as `value_type`, casting between Arrow's many forms of it.
///
/// # Errors
/// [`TrainingError::History`] when the batch has no such column or it cannot be read as that type.
pub fn from_record_batch(
    batch: &RecordBatch,
    name: &str,
    value_type: ValueType,
) -> Result<Column, TrainingError> {
    let array = batch
        .column_by_name(name)
        .ok_or_else(|| TrainingError::history(format!("the answer has no column {name}")))?;
    let data = read(array, value_type).map_err(|e| TrainingError::history(format!("column {name}: {e}")))?;
    Ok(Column { name: name.to_owned(), words: None, data })
}

fn read(array: &ArrayRef, value_type: ValueType) -> Result<ColumnData, arrow_schema::ArrowError> {
    let target = match value_type {
        ValueType::Bool => DataType::Boolean,
        ValueType::Int => DataType::Int64,
        ValueType::Float => DataType::Float64,
        ValueType::Text => DataType::Utf8,
        ValueType::Time => DataType::Timestamp(TimeUnit::Microsecond, None),
    };
    let array = arrow_cast::cast(array, &target)?;
    Ok(match value_type {
        ValueType::Bool => ColumnData::Bool(array.as_boolean().iter().collect()),
        ValueType::Int => ColumnData::Int(array.as_primitive::<Int64Type>().iter().collect()),
        ValueType::Float => {
            let values = array.as_primitive::<Float64Type>().iter().map(|v| v.unwrap_or(f64::NAN));
            ColumnData::Float(values.collect())
        }
        ValueType::Text => Column::text("", array.as_string::<i32>().iter()).data,
        ValueType::Time => {
            let values = array.as_primitive::<TimestampMicrosecondType>().iter();
            ColumnData::Time(values.map(|v| v.map(Timestamp)).collect())
        }
    })
}
