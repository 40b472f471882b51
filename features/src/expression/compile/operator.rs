//! Operators and predicates.

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};

use crate::expression::compile::{Compiled, Compiler, escape_character, literal, unsupported};
use crate::expression::functions::Function;
use crate::expression::node::{Arithmetic, Comparison, Node, Target};
use crate::expression::types::{Typed, mismatch, unify};
use crate::expression::{ExpressionError, Problem};
use crate::value::{Value, ValueType};

impl Compiler<'_> {
    pub(super) fn unary(&mut self, operator: UnaryOperator, operand: &Expr) -> Compiled {
        let typed = self.compile(operand)?;
        match operator {
            UnaryOperator::Not => {
                let node = typed.into_kind(ValueType::Bool, "the operand of NOT")?;
                Ok(Typed::new(Node::Not(Box::new(node)), ValueType::Bool))
            }
            UnaryOperator::Plus => typed.number("the operand of `+`"),
            UnaryOperator::Minus => {
                let Typed { node, kind } = typed.number("the operand of `-`")?;
                let node = match node {
                    Node::Literal(Value::Int(whole)) if whole != i64::MIN => {
                        Node::Literal(Value::Int(-whole))
                    }
                    Node::Literal(Value::Float(number)) => Node::Literal(Value::Float(-number)),
                    node => Node::Negate(Box::new(node)),
                };
                Ok(Typed { node, kind })
            }
            other => Err(Problem::Unsupported(format!("`{other}`")).into()),
        }
    }

    pub(super) fn binary(&mut self, left: &Expr, operator: &BinaryOperator, right: &Expr) -> Compiled {
        match operator {
            BinaryOperator::Plus | BinaryOperator::Minus
                if matches!(left, Expr::Interval(_)) || matches!(right, Expr::Interval(_)) =>
            {
                self.shift(left, operator, right)
            }
            BinaryOperator::Plus => self.arithmetic(Arithmetic::Add, left, right),
            BinaryOperator::Minus => self.arithmetic(Arithmetic::Subtract, left, right),
            BinaryOperator::Multiply => self.arithmetic(Arithmetic::Multiply, left, right),
            BinaryOperator::Divide => self.arithmetic(Arithmetic::Divide, left, right),
            BinaryOperator::Modulo => self.arithmetic(Arithmetic::Remainder, left, right),
            BinaryOperator::Eq => self.compare(Comparison::Equal, left, right),
            BinaryOperator::NotEq => self.compare(Comparison::NotEqual, left, right),
            BinaryOperator::Lt => self.compare(Comparison::Less, left, right),
            BinaryOperator::LtEq => self.compare(Comparison::LessOrEqual, left, right),
            BinaryOperator::Gt => self.compare(Comparison::Greater, left, right),
            BinaryOperator::GtEq => self.compare(Comparison::GreaterOrEqual, left, right),
            BinaryOperator::And | BinaryOperator::Or => self.logic(operator, left, right),
            BinaryOperator::StringConcat => self.join(left, right),
            other => Err(Problem::Unsupported(format!("the operator `{other}`")).into()),
        }
    }

    fn arithmetic(&mut self, operator: Arithmetic, left: &Expr, right: &Expr) -> Compiled {
        let (left, right) = (self.compile(left)?, self.compile(right)?);
        if left.kind == Some(ValueType::Time) && right.kind == Some(ValueType::Time) {
            let what = "arithmetic on two times (days_between(a, b) gives the days from a to b)";
            return Err(Problem::Unsupported(what.to_owned()).into());
        }
        let what = format!("an operand of `{}`", sign(operator));
        let (left, right) = (left.number(&what)?, right.number(&what)?);
        let floats = operator == Arithmetic::Divide
            || left.kind == Some(ValueType::Float)
            || right.kind == Some(ValueType::Float);
        let kind = if floats { ValueType::Float } else { ValueType::Int };
        let left = Box::new(left.into_kind(kind, &what)?);
        let right = Box::new(right.into_kind(kind, &what)?);
        Ok(Typed::new(Node::Arithmetic { operator, left, right }, kind))
    }

    fn shift(&mut self, left: &Expr, operator: &BinaryOperator, right: &Expr) -> Compiled {
        let (time, by) = match (left, operator, right) {
            (time, BinaryOperator::Plus, Expr::Interval(by)) => (time, literal::interval(by)?),
            (time, _, Expr::Interval(by)) => (time, -literal::interval(by)?),
            (Expr::Interval(by), BinaryOperator::Plus, time) => (time, literal::interval(by)?),
            _ => return Err(unsupported(left)),
        };
        let time = self.compile(time)?.into_kind(ValueType::Time, "what an interval is added to")?;
        Ok(Typed::new(Node::Shift { time: Box::new(time), by }, ValueType::Time))
    }

    pub(super) fn compare(&mut self, operator: Comparison, left: &Expr, right: &Expr) -> Compiled {
        let (left, right) = self.pair(left, right, "both sides of a comparison")?;
        Ok(Typed::new(Node::Compare { operator, left, right }, ValueType::Bool))
    }

    /// Two operands as one type.
    fn pair(
        &mut self,
        left: &Expr,
        right: &Expr,
        what: &str,
    ) -> Result<(Box<Node>, Box<Node>), ExpressionError> {
        let (left, right) = (self.compile(left)?, self.compile(right)?);
        let (nodes, _) = unify(vec![left, right], what)?;
        let mut nodes = nodes.into_iter().map(Box::new);
        match (nodes.next(), nodes.next()) {
            (Some(left), Some(right)) => Ok((left, right)),
            _ => Err(Problem::AlwaysNull.into()),
        }
    }

    fn logic(&mut self, operator: &BinaryOperator, left: &Expr, right: &Expr) -> Compiled {
        let what = format!("an operand of {operator}");
        let left = Box::new(self.compile(left)?.into_kind(ValueType::Bool, &what)?);
        let right = Box::new(self.compile(right)?.into_kind(ValueType::Bool, &what)?);
        let node = if matches!(operator, BinaryOperator::And) {
            Node::And(left, right)
        } else {
            Node::Or(left, right)
        };
        Ok(Typed::new(node, ValueType::Bool))
    }

    /// `||`: missing when either side is, unlike `concat`.
    fn join(&mut self, left: &Expr, right: &Expr) -> Compiled {
        let mut sides = Vec::with_capacity(2);
        for side in [left, right] {
            let typed = self.compile(side)?;
            sides.push(self.cast(typed, Target::To(ValueType::Text))?.node);
        }
        let node = Node::Call { function: Function::Join, arguments: sides };
        Ok(Typed::new(node, ValueType::Text))
    }

    pub(super) fn is(&mut self, tree: &Expr) -> Compiled {
        let node = match tree {
            Expr::IsNull(operand) => self.is_missing(operand, false)?,
            Expr::IsNotNull(operand) => self.is_missing(operand, true)?,
            Expr::IsTrue(operand) => self.is_bool(operand, true, false)?,
            Expr::IsNotTrue(operand) => self.is_bool(operand, true, true)?,
            Expr::IsFalse(operand) => self.is_bool(operand, false, false)?,
            Expr::IsNotFalse(operand) => self.is_bool(operand, false, true)?,
            Expr::IsUnknown(operand) => self.is_missing(operand, false)?,
            Expr::IsNotUnknown(operand) => self.is_missing(operand, true)?,
            Expr::IsDistinctFrom(left, right) => self.is_distinct(left, right, false)?,
            Expr::IsNotDistinctFrom(left, right) => self.is_distinct(left, right, true)?,
            other => return Err(unsupported(other)),
        };
        Ok(Typed::new(node, ValueType::Bool))
    }

    fn is_missing(&mut self, operand: &Expr, negated: bool) -> Result<Node, ExpressionError> {
        Ok(Node::IsMissing { operand: Box::new(self.compile(operand)?.node), negated })
    }

    fn is_bool(&mut self, operand: &Expr, value: bool, negated: bool) -> Result<Node, ExpressionError> {
        let operand =
            self.compile(operand)?.into_kind(ValueType::Bool, "what IS TRUE or IS FALSE asks about")?;
        Ok(Node::Is { operand: Box::new(operand), value, negated })
    }

    fn is_distinct(&mut self, left: &Expr, right: &Expr, negated: bool) -> Result<Node, ExpressionError> {
        let (left, right) = self.pair(left, right, "both sides of IS DISTINCT FROM")?;
        Ok(Node::Distinct { left, right, negated })
    }

    pub(super) fn in_list(&mut self, needle: &Expr, list: &[Expr], negated: bool) -> Compiled {
        let mut items = vec![self.compile(needle)?];
        for item in list {
            items.push(self.compile(item)?);
        }
        let (nodes, _) = unify(items, "every item of IN")?;
        let mut nodes = nodes.into_iter();
        let Some(needle) = nodes.next().map(Box::new) else { return Err(Problem::AlwaysNull.into()) };
        Ok(Typed::new(Node::In { needle, list: nodes.collect(), negated }, ValueType::Bool))
    }

    pub(super) fn between(&mut self, operand: &Expr, bounds: (&Expr, &Expr), negated: bool) -> Compiled {
        let parts = vec![self.compile(operand)?, self.compile(bounds.0)?, self.compile(bounds.1)?];
        let (nodes, _) = unify(parts, "the parts of BETWEEN")?;
        let mut nodes = nodes.into_iter().map(Box::new);
        match (nodes.next(), nodes.next(), nodes.next()) {
            (Some(operand), Some(low), Some(high)) => {
                Ok(Typed::new(Node::Between { operand, low, high, negated }, ValueType::Bool))
            }
            _ => Err(Problem::AlwaysNull.into()),
        }
    }

    pub(super) fn like(&mut self, tree: &Expr) -> Compiled {
        let (operand, pattern, escape, negated, fold) = match tree {
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                (expr, pattern, escape_char, *negated, false)
            }
            Expr::ILike { negated, any: false, expr, pattern, escape_char } => {
                (expr, pattern, escape_char, *negated, true)
            }
            other => return Err(unsupported(other)),
        };
        let escape = escape_character(escape.as_ref())?;
        let operand = Box::new(self.compile(operand)?.into_kind(ValueType::Text, "the text of LIKE")?);
        let pattern = Box::new(self.compile(pattern)?.into_kind(ValueType::Text, "the pattern of LIKE")?);
        Ok(Typed::new(Node::Like { operand, pattern, escape, fold, negated }, ValueType::Bool))
    }

    /// All of `items` as one orderable type.
    pub(super) fn extreme(&mut self, name: &str, items: Vec<Typed>) -> Compiled {
        let (items, kind) = unify(items, &format!("every argument of `{name}`"))?;
        if kind == Some(ValueType::Bool) {
            return Err(mismatch(&format!("an argument of `{name}`"), "a number, text or time", "bool"));
        }
        Ok(Typed { node: Node::Extreme { greatest: name == "greatest", items }, kind })
    }
}

const fn sign(operator: Arithmetic) -> &'static str {
    match operator {
        Arithmetic::Add => "+",
        Arithmetic::Subtract => "-",
        Arithmetic::Multiply => "*",
        Arithmetic::Divide => "/",
        Arithmetic::Remainder => "%",
    }
}
