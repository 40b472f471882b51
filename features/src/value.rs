//! One value of one feature or column, and why it is missing when it is.

use std::fmt;

/// Text that is shared and never changed, behind one pointer: what makes a [`Value`] of text no larger than one of a number.
pub use arcstr::ArcStr;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The type of a column or feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// True or false.
    Bool,
    /// A whole number, 64 bits.
    Int,
    /// A number, IEEE 754 double; never NaN or infinite inside the store.
    Float,
    /// Text: a category, an id or words.
    Text,
    /// A moment in UTC, microseconds.
    Time,
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Text => "text",
            Self::Time => "time",
        })
    }
}

/// Why there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// No row of this entity was known at the time asked for.
    NeverSeen,
    /// The newest row was older than the view's time to live.
    Expired,
    /// The newest row holds no value in this column.
    NullAtSource,
    /// An expression has no result here: an input was missing, or a division by zero.
    Undefined,
    /// The entity refers to no other entity at that time, so its features cannot be read.
    NotLinked,
    /// The request did not bring this field.
    NotGiven,
}

impl Missing {
    /// The reason as it stands in answers and files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NeverSeen => "never_seen",
            Self::Expired => "expired",
            Self::NullAtSource => "null_at_source",
            Self::Undefined => "undefined",
            Self::NotLinked => "not_linked",
            Self::NotGiven => "not_given",
        }
    }
}

/// A value, or the reason why there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// There is none; models see it as missing, never as zero.
    Missing(Missing),
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A finite number.
    Float(f64),
    /// Text.
    Text(ArcStr),
    /// A moment.
    Time(Timestamp),
}

/// Rows of values are copied with every score, so their size counts.
const _: () = assert!(size_of::<Value>() == 16);

impl Value {
    /// The type, unless the value is missing.
    #[must_use]
    pub const fn value_type(&self) -> Option<ValueType> {
        Some(match self {
            Self::Missing(_) => return None,
            Self::Bool(_) => ValueType::Bool,
            Self::Int(_) => ValueType::Int,
            Self::Float(_) => ValueType::Float,
            Self::Text(_) => ValueType::Text,
            Self::Time(_) => ValueType::Time,
        })
    }

    /// True when there is no value.
    #[must_use]
    pub const fn is_missing(&self) -> bool {
        matches!(self, Self::Missing(_))
    }

    /// The value as JSON: numbers, booleans and text as themselves, moments as RFC 3339, missing as null.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Missing(_) => serde_json::Value::Null,
            Self::Bool(v) => (*v).into(),
            Self::Int(v) => (*v).into(),
            Self::Float(v) => (*v).into(),
            Self::Text(v) => v.as_str().into(),
            Self::Time(v) => v.to_string().into(),
        }
    }
}
