//! Casts: what cannot be read is missing.

use crate::expression::evaluate::scalar::{Scalar, Text, finite};
use crate::expression::node::Target;
use crate::time::{DAY, Timestamp};
use crate::value::ValueType;

pub(super) fn cast(value: Scalar<'_>, target: Target) -> Option<Scalar<'_>> {
    match target {
        Target::Date => time(&value).map(|moment| {
            let day = moment.0.div_euclid(DAY);
            Scalar::Time(Timestamp(day.saturating_mul(DAY)))
        }),
        Target::To(ValueType::Time) => time(&value).map(Scalar::Time),
        Target::To(ValueType::Bool) => bool(&value).map(Scalar::Bool),
        Target::To(ValueType::Int) => int(&value).map(Scalar::Int),
        Target::To(ValueType::Float) => float(&value).and_then(finite),
        Target::To(ValueType::Text) => Some(text(value)),
    }
}

fn time(value: &Scalar<'_>) -> Option<Timestamp> {
    match value {
        Scalar::Time(moment) => Some(*moment),
        Scalar::Text(text) => Timestamp::parse(text).ok(),
        _ => None,
    }
}

fn bool(value: &Scalar<'_>) -> Option<bool> {
    const TRUE: [&str; 5] = ["true", "t", "yes", "y", "1"];
    const FALSE: [&str; 5] = ["false", "f", "no", "n", "0"];
    match value {
        Scalar::Bool(value) => Some(*value),
        Scalar::Int(value) => Some(*value != 0),
        Scalar::Float(value) => Some(*value != 0.0),
        Scalar::Text(text) if TRUE.iter().any(|t| text.trim().eq_ignore_ascii_case(t)) => Some(true),
        Scalar::Text(text) if FALSE.iter().any(|t| text.trim().eq_ignore_ascii_case(t)) => Some(false),
        _ => None,
    }
}

/// A float goes to the nearest int, halves to the even one, as in PostgreSQL.
fn int(value: &Scalar<'_>) -> Option<i64> {
    match value {
        Scalar::Bool(value) => Some(i64::from(*value)),
        Scalar::Int(value) => Some(*value),
        Scalar::Float(value) => whole(*value),
        Scalar::Text(text) => text.trim().parse().ok().or_else(|| whole(text.trim().parse().ok()?)),
        Scalar::Time(_) => None,
    }
}

fn whole(number: f64) -> Option<i64> {
    /// 2^63: the first float above every `i64`.
    const ABOVE: f64 = 9_223_372_036_854_775_808.0;
    let rounded = number.round_ties_even();
    (-ABOVE..ABOVE).contains(&rounded).then_some(rounded as i64)
}

fn float(value: &Scalar<'_>) -> Option<f64> {
    match value {
        Scalar::Bool(value) => Some(f64::from(u8::from(*value))),
        Scalar::Text(text) => text.trim().parse().ok(),
        number => number.number(),
    }
}

fn text(value: Scalar<'_>) -> Scalar<'_> {
    let text = match value {
        Scalar::Text(text) => text,
        Scalar::Bool(true) => Text::Part("true"),
        Scalar::Bool(false) => Text::Part("false"),
        Scalar::Int(value) => Text::New(value.to_string()),
        Scalar::Float(value) => Text::New(value.to_string()),
        Scalar::Time(value) => Text::New(value.to_string()),
    };
    Scalar::Text(text)
}
