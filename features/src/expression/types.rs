//! Types of subexpressions: what fits together, and what is turned into what.

use crate::expression::node::Node;
use crate::expression::{ExpressionError, Problem};
use crate::time::Timestamp;
use crate::value::{Value, ValueType};

/// A subexpression with its type; no type for a bare `NULL`, which fits everywhere.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    pub node: Node,
    pub kind: Option<ValueType>,
}

impl Typed {
    pub const fn new(node: Node, kind: ValueType) -> Self {
        Self { node, kind: Some(kind) }
    }

    pub const fn literal(value: Value) -> Self {
        let kind = value.value_type();
        Self { node: Node::Literal(value), kind }
    }

    /// The type in words.
    pub fn found(&self) -> String {
        self.kind.map_or_else(|| "NULL".to_owned(), |kind| kind.to_string())
    }

    /// This as `kind`: as it is, `NULL`, an int where a float is wanted, or a text literal where a moment
    /// is wanted.
    pub fn into_kind(self, kind: ValueType, what: &str) -> Result<Node, ExpressionError> {
        match (self.kind, kind, &self.node) {
            (None, _, _) => Ok(self.node),
            (Some(own), wanted, _) if own == wanted => Ok(self.node),
            (Some(ValueType::Int), ValueType::Float, _) => Ok(to_float(self.node)),
            (Some(ValueType::Text), ValueType::Time, Node::Literal(Value::Text(text))) => moment(text),
            _ => Err(mismatch(what, kind.to_string(), self.found())),
        }
    }

    /// This as a number, int or float.
    pub fn number(self, what: &str) -> Result<Self, ExpressionError> {
        match self.kind {
            None | Some(ValueType::Int | ValueType::Float) => Ok(self),
            _ => Err(mismatch(what, "a number", self.found())),
        }
    }
}

/// An operand of the wrong type.
pub(super) fn mismatch(what: &str, expected: impl Into<String>, found: impl Into<String>) -> ExpressionError {
    Problem::Type { what: what.to_owned(), expected: expected.into(), found: found.into() }.into()
}

fn to_float(node: Node) -> Node {
    match node {
        Node::Literal(Value::Int(whole)) => Node::Literal(Value::Float(whole as f64)),
        node => Node::ToFloat(Box::new(node)),
    }
}

/// The moment that a text literal tells.
pub(super) fn moment(text: &str) -> Result<Node, ExpressionError> {
    Timestamp::parse(text)
        .map(|moment| Node::Literal(Value::Time(moment)))
        .map_err(|error| mismatch("the text", error.expected, format!("'{}'", error.given)))
}

/// The one type that all of `items` can be, and the items as that type; no type when all are `NULL`.
///
/// Ints become floats beside floats; text literals become moments beside times.
pub(super) fn unify(
    items: Vec<Typed>,
    what: &str,
) -> Result<(Vec<Node>, Option<ValueType>), ExpressionError> {
    let common = items.iter().filter_map(|item| item.kind).reduce(wider);
    let Some(kind) = common else {
        return Ok((items.into_iter().map(|item| item.node).collect(), None));
    };
    let nodes = items.into_iter().map(|item| item.into_kind(kind, what)).collect::<Result<_, _>>()?;
    Ok((nodes, Some(kind)))
}

/// The type that two types meet in; the first when they do not meet, so that the check that follows names
/// the other.
const fn wider(a: ValueType, b: ValueType) -> ValueType {
    match (a, b) {
        (ValueType::Int, ValueType::Float) => ValueType::Float,
        (ValueType::Text, ValueType::Time) => ValueType::Time,
        _ => a,
    }
}
