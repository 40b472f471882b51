//! Typed columns of values: built value by value, read back value by value.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::DataType;

use super::schema::arrow_type;
use crate::time::Timestamp;
use crate::value::{Missing, Value, ValueType};

/// A column of one type that grows value by value.
#[derive(Debug)]
pub enum ColumnBuilder {
    /// Truth values.
    Bool(BooleanBuilder),
    /// Whole numbers.
    Int(Int64Builder),
    /// Numbers.
    Float(Float64Builder),
    /// Texts.
    Text(StringBuilder),
    /// Moments.
    Time(TimestampMicrosecondBuilder),
}

impl ColumnBuilder {
    /// An empty column with room for `rows` values.
    #[must_use]
    pub fn new(value_type: ValueType, rows: usize) -> Self {
        match value_type {
            ValueType::Bool => Self::Bool(BooleanBuilder::with_capacity(rows)),
            ValueType::Int => Self::Int(Int64Builder::with_capacity(rows)),
            ValueType::Float => Self::Float(Float64Builder::with_capacity(rows)),
            ValueType::Text => Self::Text(StringBuilder::with_capacity(rows, rows * 8)),
            ValueType::Time => Self::Time(
                TimestampMicrosecondBuilder::with_capacity(rows).with_data_type(arrow_type(ValueType::Time)),
            ),
        }
    }

    /// Adds a value; a missing one, or one of a type that does not fit, as null. A whole number fits a
    /// number column.
    pub fn push(&mut self, value: &Value) {
        match (self, value) {
            (Self::Bool(to), Value::Bool(v)) => to.append_value(*v),
            (Self::Int(to), Value::Int(v)) => to.append_value(*v),
            (Self::Float(to), Value::Float(v)) => to.append_value(*v),
            (Self::Float(to), Value::Int(v)) => to.append_value(*v as f64),
            (Self::Text(to), Value::Text(v)) => to.append_value(v),
            (Self::Time(to), Value::Time(v)) => to.append_value(v.0),
            (to, _) => to.push_null(),
        }
    }

    /// Adds a null.
    pub fn push_null(&mut self) {
        match self {
            Self::Bool(to) => to.append_null(),
            Self::Int(to) => to.append_null(),
            Self::Float(to) => to.append_null(),
            Self::Text(to) => to.append_null(),
            Self::Time(to) => to.append_null(),
        }
    }

    /// The column.
    #[must_use]
    pub fn finish(mut self) -> ArrayRef {
        match &mut self {
            Self::Bool(from) => Arc::new(from.finish()),
            Self::Int(from) => Arc::new(from.finish()),
            Self::Float(from) => Arc::new(from.finish()),
            Self::Text(from) => Arc::new(from.finish()),
            Self::Time(from) => Arc::new(from.finish()),
        }
    }
}

/// An Arrow column read by row.
#[derive(Debug, Clone, Copy)]
pub enum TypedColumn<'a> {
    /// Truth values.
    Bool(&'a BooleanArray),
    /// Whole numbers.
    Int(&'a Int64Array),
    /// Numbers.
    Float(&'a Float64Array),
    /// Texts.
    Text(&'a StringArray),
    /// Moments.
    Time(&'a TimestampMicrosecondArray),
}

impl<'a> TypedColumn<'a> {
    /// Takes a column of one of the five stored types; none for any other.
    #[must_use]
    pub fn of(array: &'a ArrayRef) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Boolean => Self::Bool(array.as_boolean_opt()?),
            DataType::Int64 => Self::Int(array.as_primitive_opt::<Int64Type>()?),
            DataType::Float64 => Self::Float(array.as_primitive_opt::<Float64Type>()?),
            DataType::Utf8 => Self::Text(array.as_string_opt::<i32>()?),
            DataType::Timestamp(..) => Self::Time(array.as_primitive_opt::<TimestampMicrosecondType>()?),
            _ => return None,
        })
    }

    /// The value in `row`; a null is [`Missing::NullAtSource`].
    #[must_use]
    pub fn value(&self, row: usize) -> Value {
        const NULL: Value = Value::Missing(Missing::NullAtSource);
        match self {
            Self::Bool(of) => {
                if of.is_valid(row) {
                    Value::Bool(of.value(row))
                } else {
                    NULL
                }
            }
            Self::Int(of) => {
                if of.is_valid(row) {
                    Value::Int(of.value(row))
                } else {
                    NULL
                }
            }
            Self::Float(of) => {
                if of.is_valid(row) {
                    Value::Float(of.value(row))
                } else {
                    NULL
                }
            }
            Self::Text(of) => {
                if of.is_valid(row) {
                    Value::Text(of.value(row).into())
                } else {
                    NULL
                }
            }
            Self::Time(of) => {
                if of.is_valid(row) {
                    Value::Time(Timestamp(of.value(row)))
                } else {
                    NULL
                }
            }
        }
    }
}
