//! What expressions mean: types, three-valued logic, and that nothing makes them panic.

mod meaning;
mod never_panics;
mod refusal;

use crate::expression::Expression;
use crate::time::Timestamp;
use crate::value::{Missing, Value, ValueType};

/// A scope of one or two names of each type.
fn scope() -> Vec<(String, ValueType)> {
    [
        ("i", ValueType::Int),
        ("j", ValueType::Int),
        ("x", ValueType::Float),
        ("y", ValueType::Float),
        ("t", ValueType::Text),
        ("u", ValueType::Text),
        ("b", ValueType::Bool),
        ("c", ValueType::Bool),
        ("at", ValueType::Time),
        ("later", ValueType::Time),
    ]
    .map(|(name, kind)| (name.to_owned(), kind))
    .to_vec()
}

fn row() -> Vec<Value> {
    vec![
        Value::Int(7),
        Value::Int(-2),
        Value::Float(2.5),
        Value::Float(0.0),
        Value::Text("Crème Brûlée".into()),
        Value::Text("C489434".into()),
        Value::Bool(true),
        Value::Bool(false),
        Value::Time(Timestamp::parse("2011-12-09 08:26:00").unwrap()),
        Value::Time(Timestamp::parse("2011-12-11 20:26:00").unwrap()),
    ]
}

fn compile(text: &str) -> Expression {
    Expression::compile(text, &scope()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn as_of() -> Timestamp {
    Timestamp::parse("2012-01-01").unwrap()
}

/// The value of `text` over [`row`].
fn value(text: &str) -> Value {
    compile(text).evaluate(&row(), as_of())
}

/// The value of `text` when every input is missing.
fn value_of_nothing(text: &str) -> Value {
    let missing = vec![Value::Missing(Missing::NeverSeen); scope().len()];
    compile(text).evaluate(&missing, as_of())
}

const NONE: Value = Value::Missing(Missing::Undefined);
