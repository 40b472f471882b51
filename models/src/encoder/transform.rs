//! The closed set of ways in which a value becomes a number.

use std::fmt::Write;

use indexmap::{IndexMap, IndexSet};
use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Serialize};

use scorehouse_features::time::{DAY, Timestamp};
use scorehouse_features::value::{Value, ValueType};

use crate::error::ModelError;

/// Category levels in the order of their codes, each only once.
pub type Levels = IndexSet<String, FxBuildHasher>;

/// A number per category level.
pub type Means = IndexMap<String, f64, FxBuildHasher>;

/// What is made of one input's value. Unless said otherwise a missing value gives NaN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Transform {
    /// A number as it is.
    Number,
    /// `sign(x)·ln(1+|x|)`, for skewed numbers.
    SignedLog,
    /// 0 or 1.
    Bool,
    /// Days from the moment to the as-of time; negative for a moment still to come.
    DaysBeforeAsOf,
    /// A part of a moment's date.
    Calendar {
        /// Which part.
        part: CalendarPart,
    },
    /// The position of a category among `levels`; their count for a level not among them.
    Code {
        /// Levels in the order of their codes.
        levels: Levels,
    },
    /// 1 for this level, else 0, also when missing.
    OneHot {
        /// The level.
        level: String,
    },
    /// 1 for a level that is none of these, else 0, also when missing.
    Unlisted {
        /// The levels known.
        levels: Levels,
    },
    /// A number learnt per level, such as a shrunken mean of the label; `prior` for any other level and when
    /// missing.
    TargetMean {
        /// The number of each level.
        means: Means,
        /// The number of every other.
        prior: f64,
    },
    /// 1 when there is no value, else 0.
    IsMissing,
}

/// A part of a date, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalendarPart {
    /// 1 to 12.
    Month,
    /// 1 to 31.
    DayOfMonth,
    /// 1 (Monday) to 7.
    Weekday,
    /// 0 to 23.
    Hour,
}

impl Transform {
    /// The number for a value; NaN when there is none.
    #[inline]
    #[must_use]
    pub fn apply(&self, value: &Value, as_of: Timestamp) -> f64 {
        match self {
            // What most columns are.
            Self::Number | Self::Bool => number(value),
            _ => self.of_other(value, as_of),
        }
    }

    fn of_other(&self, value: &Value, as_of: Timestamp) -> f64 {
        match self {
            Self::Number | Self::Bool => number(value),
            Self::SignedLog => {
                let x = number(value);
                x.signum() * x.abs().ln_1p()
            }
            Self::DaysBeforeAsOf => moment(value).map_or(f64::NAN, |m| as_of.days_since(m)),
            Self::Calendar { part } => moment(value).map_or(f64::NAN, |m| part.of(m)),
            Self::IsMissing => flag(value.is_missing()),
            _ if value.is_missing() => self.of_missing_category(),
            _ => with_text(value, |text| self.of_category(text)),
        }
    }

    fn of_missing_category(&self) -> f64 {
        match self {
            Self::OneHot { .. } | Self::Unlisted { .. } => 0.0,
            Self::TargetMean { prior, .. } => *prior,
            _ => f64::NAN,
        }
    }

    fn of_category(&self, text: &str) -> f64 {
        match self {
            Self::Code { levels } => levels.get_index_of(text).unwrap_or(levels.len()) as f64,
            Self::OneHot { level } => flag(text == level),
            Self::Unlisted { levels } => flag(!levels.contains(text)),
            Self::TargetMean { means, prior } => means.get(text).copied().unwrap_or(*prior),
            _ => f64::NAN,
        }
    }

    /// True when the transform makes sense of values of this type.
    #[must_use]
    pub const fn reads(&self, value_type: ValueType) -> bool {
        match self {
            Self::Number | Self::SignedLog => {
                matches!(value_type, ValueType::Int | ValueType::Float | ValueType::Bool)
            }
            Self::Bool => matches!(value_type, ValueType::Bool),
            Self::DaysBeforeAsOf | Self::Calendar { .. } => matches!(value_type, ValueType::Time),
            Self::Code { .. } | Self::OneHot { .. } | Self::Unlisted { .. } | Self::TargetMean { .. } => {
                !matches!(value_type, ValueType::Time)
            }
            Self::IsMissing => true,
        }
    }

    /// Name of the column for readers.
    #[must_use]
    pub fn label(&self, input: &str) -> String {
        match self {
            Self::Number | Self::Bool => input.to_owned(),
            Self::SignedLog => format!("log {input}"),
            Self::DaysBeforeAsOf => format!("days since {input}"),
            Self::Calendar { part } => format!("{} of {input}", part.as_str()),
            Self::Code { .. } => format!("code of {input}"),
            Self::OneHot { level } => format!("{input} = {level}"),
            Self::Unlisted { .. } => format!("{input} = other"),
            Self::TargetMean { .. } => format!("rate of {input}"),
            Self::IsMissing => format!("{input} missing"),
        }
    }

    pub(super) fn check(&self) -> Result<(), ModelError> {
        match self {
            Self::TargetMean { means, prior }
                if !(prior.is_finite() && means.values().all(|m| m.is_finite())) =>
            {
                Err(ModelError::invalid("encoder", "a level's number is not finite"))
            }
            _ => Ok(()),
        }
    }
}

impl CalendarPart {
    fn of(self, moment: Timestamp) -> f64 {
        let Ok(instant) = jiff::Timestamp::from_microsecond(moment.0) else { return f64::NAN };
        let civil = jiff::tz::Offset::UTC.to_datetime(instant);
        match self {
            Self::Month => f64::from(civil.month()),
            Self::DayOfMonth => f64::from(civil.day()),
            Self::Weekday => f64::from(civil.weekday().to_monday_one_offset()),
            Self::Hour => moment.0.rem_euclid(DAY).div_euclid(3_600_000_000) as f64,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::DayOfMonth => "day of month",
            Self::Weekday => "weekday",
            Self::Hour => "hour",
        }
    }
}

#[inline(always)]
const fn number(value: &Value) -> f64 {
    match value {
        Value::Int(v) => *v as f64,
        Value::Float(v) => *v,
        Value::Bool(v) => flag(*v),
        Value::Missing(_) | Value::Text(_) | Value::Time(_) => f64::NAN,
    }
}

const fn moment(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Time(moment) => Some(*moment),
        _ => None,
    }
}

const fn flag(on: bool) -> f64 {
    if on { 1.0 } else { 0.0 }
}

/// Longest decimal form of an `i64`.
const WHOLE: usize = 20;

/// A whole number's text on the stack, so that looking up a level allocates nothing.
struct Digits {
    bytes: [u8; WHOLE],
    len: usize,
}

impl Write for Digits {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len + text.len();
        let room = self.bytes.get_mut(self.len..end).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// Gives `f` the value as a category's name: text as it is, whole numbers in decimal, `true` or `false`.
/// Fractions and moments have no name and read as the empty text.
fn with_text<T>(value: &Value, f: impl FnOnce(&str) -> T) -> T {
    match value {
        Value::Text(text) => f(text),
        Value::Bool(on) => f(if *on { "true" } else { "false" }),
        Value::Int(whole) => with_digits(*whole, f),
        Value::Float(x) if x.fract() == 0.0 && x.abs() < 9e15 => with_digits(*x as i64, f),
        Value::Float(_) | Value::Time(_) | Value::Missing(_) => f(""),
    }
}

fn with_digits<T>(whole: i64, f: impl FnOnce(&str) -> T) -> T {
    let mut digits = Digits { bytes: [0; WHOLE], len: 0 };
    let written = write!(digits, "{whole}");
    debug_assert!(written.is_ok(), "twenty bytes hold every i64");
    f(std::str::from_utf8(&digits.bytes[..digits.len]).unwrap_or_default())
}
