//! A value while it is being computed: text is borrowed for as long as it can be.

use std::cmp::Ordering;
use std::ops::Deref;

use arcstr::ArcStr;

use crate::time::Timestamp;
use crate::value::Value;

/// A value that is there.
#[derive(Debug, Clone)]
pub(in crate::expression) enum Scalar<'a> {
    Bool(bool),
    Int(i64),
    /// Finite.
    Float(f64),
    Text(Text<'a>),
    Time(Timestamp),
}

/// Text, from an input as it is, a part of one, or new.
#[derive(Debug, Clone)]
pub(in crate::expression) enum Text<'a> {
    Shared(&'a ArcStr),
    Part(&'a str),
    New(String),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Shared(text) => text,
            Self::Part(text) => text,
            Self::New(text) => text,
        }
    }
}

impl<'a> Text<'a> {
    /// The part of this text that `cut` picks; borrowed unless this text is new.
    pub fn part(self, cut: impl for<'t> FnOnce(&'t str) -> &'t str) -> Self {
        match self {
            Self::Shared(text) => Self::Part(cut(text)),
            Self::Part(text) => Self::Part(cut(text)),
            Self::New(text) => Self::New(cut(&text).to_owned()),
        }
    }
}

/// A float, unless it is none that the store may hold.
pub(super) const fn finite<'a>(number: f64) -> Option<Scalar<'a>> {
    if number.is_finite() { Some(Scalar::Float(number)) } else { None }
}

impl<'a> Scalar<'a> {
    /// A stored value; none when it is missing.
    pub fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::Missing(_) => None,
            Value::Bool(v) => Some(Self::Bool(*v)),
            Value::Int(v) => Some(Self::Int(*v)),
            Value::Float(v) => finite(*v),
            Value::Text(v) => Some(Self::Text(Text::Shared(v))),
            Value::Time(v) => Some(Self::Time(*v)),
        }
    }

    /// The value to be stored.
    pub fn into_value(self) -> Value {
        match self {
            Self::Bool(v) => Value::Bool(v),
            Self::Int(v) => Value::Int(v),
            Self::Float(v) => Value::Float(v),
            Self::Text(Text::Shared(v)) => Value::Text(v.clone()),
            Self::Text(Text::Part(v)) => Value::Text(v.into()),
            Self::Text(Text::New(v)) => Value::Text(v.into()),
            Self::Time(v) => Value::Time(v),
        }
    }

    /// An int or float as a float.
    pub const fn number(&self) -> Option<f64> {
        match self {
            Self::Int(v) => Some(*v as f64),
            Self::Float(v) => Some(*v),
            _ => None,
        }
    }

    pub fn int(&self) -> Option<i64> {
        if let Self::Int(v) = self { Some(*v) } else { None }
    }

    pub fn text(&self) -> Option<&str> {
        if let Self::Text(v) = self { Some(v) } else { None }
    }

    /// How two values of one type compare; text by code points.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Text(a), Self::Text(b)) => Some((**a).cmp(&**b)),
            (Self::Time(a), Self::Time(b)) => Some(a.cmp(b)),
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}
