//! From a typed tree and its inputs to a value, without allocation but for new text.

mod call;
mod cast;
mod like;
mod scalar;

use std::cmp::Ordering;

use crate::expression::node::{Arithmetic, Comparison, Node};
use crate::time::Timestamp;
use crate::value::{Value, ValueType};

use like::Pattern;
pub(super) use scalar::Scalar;
use scalar::{Text, finite};

/// The value of `node`; none when it is missing.
///
/// Operands of a type that the compiler did not foresee (the caller broke the scope's promise) are taken
/// for missing.
pub(super) fn evaluate<'a>(node: &'a Node, inputs: &'a [Value], as_of: Timestamp) -> Option<Scalar<'a>> {
    let of = |node: &'a Node| evaluate(node, inputs, as_of);
    match node {
        Node::Literal(value) => Scalar::of(value),
        Node::Input { slot, kind } => input(inputs.get(*slot)?, *kind),
        Node::AsOf => Some(Scalar::Time(as_of)),
        Node::ToFloat(operand) => of(operand)?.number().and_then(finite),
        Node::Arithmetic { operator, left, right } => arithmetic(*operator, &of(left)?, &of(right)?),
        Node::Negate(operand) => match of(operand)? {
            Scalar::Int(whole) => whole.checked_neg().map(Scalar::Int),
            Scalar::Float(number) => Some(Scalar::Float(-number)),
            _ => None,
        },
        Node::Shift { time, by } => match of(time)? {
            Scalar::Time(moment) => moment.0.checked_add(*by).map(|moved| Scalar::Time(Timestamp(moved))),
            _ => None,
        },
        Node::Coalesce(items) => items.iter().find_map(of),
        Node::NullIf(left, right) => {
            let left = of(left)?;
            let equal = of(right).is_some_and(|right| left.compare(&right) == Some(Ordering::Equal));
            (!equal).then_some(left)
        }
        Node::Case { branches, otherwise } => branches
            .iter()
            .find(|(condition, _)| truth(condition, inputs, as_of) == Some(true))
            .map(|(_, result)| result)
            .or(otherwise.as_deref())
            .and_then(of),
        Node::Extreme { greatest, items } => extreme(*greatest, items.iter().filter_map(of)),
        Node::Cast { operand, to } => cast::cast(of(operand)?, *to),
        Node::Call { function, arguments } => call::call(*function, arguments, &of),
        predicate => truth(predicate, inputs, as_of).map(Scalar::Bool),
    }
}

/// The truth of a condition in three-valued logic; none is "unknown".
fn truth(node: &Node, inputs: &[Value], as_of: Timestamp) -> Option<bool> {
    let of = |node| evaluate(node, inputs, as_of);
    let is = |node| truth(node, inputs, as_of);
    match node {
        Node::Compare { operator, left, right } => {
            of(left)?.compare(&of(right)?).map(|o| holds(*operator, o))
        }
        Node::And(left, right) => match is(left) {
            Some(false) => Some(false),
            Some(true) => is(right),
            None => is(right).filter(|right| !right),
        },
        Node::Or(left, right) => match is(left) {
            Some(true) => Some(true),
            Some(false) => is(right),
            None => is(right).filter(|right| *right),
        },
        Node::Not(operand) => is(operand).map(|value| !value),
        Node::IsMissing { operand, negated } => Some(of(operand).is_none() != *negated),
        Node::Is { operand, value, negated } => Some((is(operand) == Some(*value)) != *negated),
        Node::Distinct { left, right, negated } => {
            let same = match (of(left), of(right)) {
                (None, None) => true,
                (Some(left), Some(right)) => left.compare(&right) == Some(Ordering::Equal),
                _ => false,
            };
            Some(same == *negated)
        }
        Node::In { needle, list, negated } => {
            contains(&of(needle)?, list.iter().map(of)).map(|found| found != *negated)
        }
        Node::Between { operand, low, high, negated } => {
            let operand = of(operand)?;
            let above = of(low).and_then(|low| operand.compare(&low)).map(Ordering::is_ge);
            let below = of(high).and_then(|high| operand.compare(&high)).map(Ordering::is_le);
            both(above, below).map(|inside| inside != *negated)
        }
        Node::Like { operand, pattern, escape, fold, negated } => {
            let (operand, pattern) = (of(operand)?, of(pattern)?);
            let pattern = Pattern { text: pattern.text()?, escape: *escape, fold: *fold };
            Some(pattern.matches(operand.text()?) != *negated)
        }
        _ => match of(node)? {
            Scalar::Bool(value) => Some(value),
            _ => None,
        },
    }
}

/// An input as the type its scope promised.
fn input(value: &Value, kind: ValueType) -> Option<Scalar<'_>> {
    match (value, kind) {
        (Value::Bool(v), ValueType::Bool) => Some(Scalar::Bool(*v)),
        (Value::Int(v), ValueType::Int) => Some(Scalar::Int(*v)),
        (Value::Int(v), ValueType::Float) => Some(Scalar::Float(*v as f64)),
        (Value::Float(v), ValueType::Float) => finite(*v),
        (Value::Text(v), ValueType::Text) => Some(Scalar::Text(Text::Shared(v))),
        (Value::Time(v), ValueType::Time) => Some(Scalar::Time(*v)),
        _ => None,
    }
}

fn arithmetic<'a>(operator: Arithmetic, left: &Scalar<'a>, right: &Scalar<'a>) -> Option<Scalar<'a>> {
    match (left, right) {
        (Scalar::Int(left), Scalar::Int(right)) => match operator {
            Arithmetic::Add => left.checked_add(*right),
            Arithmetic::Subtract => left.checked_sub(*right),
            Arithmetic::Multiply => left.checked_mul(*right),
            Arithmetic::Remainder => left.checked_rem(*right),
            Arithmetic::Divide => None,
        }
        .map(Scalar::Int),
        (Scalar::Float(left), Scalar::Float(right)) => finite(match operator {
            Arithmetic::Add => left + right,
            Arithmetic::Subtract => left - right,
            Arithmetic::Multiply => left * right,
            Arithmetic::Divide => left / right,
            Arithmetic::Remainder => left % right,
        }),
        _ => None,
    }
}

const fn holds(operator: Comparison, order: Ordering) -> bool {
    match operator {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

/// `AND` of two known-or-unknown truths.
const fn both(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

/// `IN`: unknown when nothing matches but an item is missing.
fn contains<'a>(needle: &Scalar<'a>, items: impl Iterator<Item = Option<Scalar<'a>>>) -> Option<bool> {
    let mut unknown = false;
    for item in items {
        match item.map(|item| needle.compare(&item)) {
            Some(Some(Ordering::Equal)) => return Some(true),
            Some(_) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(false)
}

fn extreme<'a>(greatest: bool, items: impl Iterator<Item = Scalar<'a>>) -> Option<Scalar<'a>> {
    let wanted = if greatest { Ordering::Greater } else { Ordering::Less };
    items.reduce(|best, item| if item.compare(&best) == Some(wanted) { item } else { best })
}
