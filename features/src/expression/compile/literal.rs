//! Literals: numbers, texts, moments, intervals, and the names of types.

use sqlparser::ast::{DataType, DateTimeField, Expr, Interval, TypedString, Value as Literal};

use crate::expression::compile::{Compiled, unsupported};
use crate::expression::node::Target;
use crate::expression::types::{Typed, mismatch, moment};
use crate::expression::{ExpressionError, Problem};
use crate::time::{DAY, Span};
use crate::value::{Missing, Value, ValueType};

pub(super) fn value(literal: &Literal) -> Compiled {
    Ok(Typed::literal(match literal {
        Literal::Number(digits, _) => number(&digits.to_string())?,
        Literal::Boolean(value) => Value::Bool(*value),
        Literal::Null => Value::Missing(Missing::Undefined),
        Literal::SingleQuotedString(text) | Literal::EscapedStringLiteral(text) => {
            Value::Text(text.as_str().into())
        }
        other => return Err(Problem::Unsupported(format!("`{other}`")).into()),
    }))
}

fn number(digits: &str) -> Result<Value, ExpressionError> {
    if let Ok(whole) = digits.parse::<i64>() {
        return Ok(Value::Int(whole));
    }
    match digits.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Value::Float(number)),
        _ => Err(mismatch("the number", "a finite number", digits)),
    }
}

pub(super) fn typed_string(typed: &TypedString) -> Compiled {
    let Some(text) = typed.value.value.clone().into_string() else {
        return Err(Problem::Unsupported(format!("`{typed}`")).into());
    };
    match target(&typed.data_type)? {
        Target::Date | Target::To(ValueType::Time) => Ok(Typed::new(moment(&text)?, ValueType::Time)),
        Target::To(_) => Err(Problem::Unsupported(format!("`{typed}`")).into()),
    }
}

/// The type that a name of a type means.
pub(super) fn target(name: &DataType) -> Result<Target, ExpressionError> {
    let full = name.to_string().to_ascii_lowercase();
    let base = full.split('(').next().unwrap_or_default().trim();
    Ok(Target::To(match base {
        "bool" | "boolean" => ValueType::Bool,
        "int" | "integer" | "bigint" | "smallint" | "int4" | "int8" | "int64" => ValueType::Int,
        "float" | "double" | "double precision" | "real" | "float8" | "float64" | "numeric" | "decimal" => {
            ValueType::Float
        }
        "text" | "varchar" | "char" | "string" | "character varying" => ValueType::Text,
        "time" | "timestamp" | "timestamptz" | "timestamp with time zone" | "datetime" => ValueType::Time,
        "date" => return Ok(Target::Date),
        _ => return Err(mismatch("the type", "bool, int, float, text, time or date", format!("`{full}`"))),
    }))
}

/// The length of an interval in microseconds.
pub(super) fn interval(interval: &Interval) -> Result<i64, ExpressionError> {
    let refuse = |found: String| {
        mismatch("an interval", "like INTERVAL '30 days' (second, minute, hour, day or week)", found)
    };
    let Expr::Value(value) = interval.value.as_ref() else { return Err(unsupported(&interval.value)) };
    let written = match &value.value {
        Literal::Number(digits, _) => digits.to_string(),
        Literal::SingleQuotedString(text) => text.clone(),
        other => return Err(refuse(other.to_string())),
    };
    if let (None, Ok(span)) = (&interval.leading_field, written.parse::<Span>()) {
        return Ok(span.0);
    }
    let (count, unit) = match &interval.leading_field {
        Some(field) if interval.last_field.is_none() => (written.as_str(), field_name(field)),
        _ => written.trim().split_once(char::is_whitespace).unwrap_or((written.as_str(), "")),
    };
    let unit = match unit.trim().to_ascii_lowercase().trim_end_matches('s') {
        "second" => 1_000_000,
        "minute" => 60_000_000,
        "hour" => 3_600_000_000,
        "day" => DAY,
        "week" => 7 * DAY,
        _ => return Err(refuse(format!("`{interval}`"))),
    };
    let count: i64 = count.trim().parse().map_err(|_| refuse(format!("`{interval}`")))?;
    count.checked_mul(unit).ok_or_else(|| refuse(format!("`{interval}`")))
}

const fn field_name(field: &DateTimeField) -> &'static str {
    match field {
        DateTimeField::Second | DateTimeField::Seconds => "second",
        DateTimeField::Minute | DateTimeField::Minutes => "minute",
        DateTimeField::Hour | DateTimeField::Hours => "hour",
        DateTimeField::Day | DateTimeField::Days => "day",
        DateTimeField::Week(None) | DateTimeField::Weeks => "week",
        _ => "",
    }
}
