//! The typed tree that is evaluated.

use crate::expression::functions::Function;
use crate::value::{Value, ValueType};

/// One step of a compiled expression. Operand types agree: the compiler has inserted the conversions.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Literal(Value),
    Input {
        slot: usize,
        kind: ValueType,
    },
    AsOf,
    ToFloat(Box<Node>),
    Arithmetic {
        operator: Arithmetic,
        left: Box<Node>,
        right: Box<Node>,
    },
    Negate(Box<Node>),
    /// A time moved by so many microseconds.
    Shift {
        time: Box<Node>,
        by: i64,
    },
    Compare {
        operator: Comparison,
        left: Box<Node>,
        right: Box<Node>,
    },
    /// `IS [NOT] DISTINCT FROM`: never missing.
    Distinct {
        left: Box<Node>,
        right: Box<Node>,
        negated: bool,
    },
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
    /// `IS [NOT] NULL`.
    IsMissing {
        operand: Box<Node>,
        negated: bool,
    },
    /// `IS [NOT] TRUE` and `IS [NOT] FALSE`: never missing.
    Is {
        operand: Box<Node>,
        value: bool,
        negated: bool,
    },
    In {
        needle: Box<Node>,
        list: Vec<Node>,
        negated: bool,
    },
    Between {
        operand: Box<Node>,
        low: Box<Node>,
        high: Box<Node>,
        negated: bool,
    },
    Like {
        operand: Box<Node>,
        pattern: Box<Node>,
        escape: Option<char>,
        fold: bool,
        negated: bool,
    },
    Case {
        branches: Vec<(Node, Node)>,
        otherwise: Option<Box<Node>>,
    },
    Coalesce(Vec<Node>),
    NullIf(Box<Node>, Box<Node>),
    /// `greatest` or `least`.
    Extreme {
        greatest: bool,
        items: Vec<Node>,
    },
    Cast {
        operand: Box<Node>,
        to: Target,
    },
    Call {
        function: Function,
        arguments: Vec<Node>,
    },
}

/// What a cast makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    To(ValueType),
    /// A time cut to the beginning of its day.
    Date,
}

/// Arithmetic on two ints or two floats; division on floats only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// Comparison of two values of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Node {
    /// Calls `visit` on this node and everything below it.
    pub fn walk(&self, visit: &mut dyn FnMut(&Self)) {
        visit(self);
        self.for_each_child(&mut |child| child.walk(visit));
    }

    /// Calls `change` on this node and everything below it.
    pub fn rewrite(&mut self, change: &mut dyn FnMut(&mut Self)) {
        change(self);
        self.for_each_child_mut(&mut |child| child.rewrite(change));
    }
}

/// Both walks over children, written once.
macro_rules! children {
    ($name:ident, $iter:ident $(, $mutable:tt)?) => {
        fn $name(&$($mutable)? self, visit: &mut dyn FnMut(&$($mutable)? Self)) {
            match self {
                Self::Literal(_) | Self::Input { .. } | Self::AsOf => {}
                Self::ToFloat(one)
                | Self::Negate(one)
                | Self::Not(one)
                | Self::Shift { time: one, .. }
                | Self::IsMissing { operand: one, .. }
                | Self::Is { operand: one, .. }
                | Self::Cast { operand: one, .. } => visit(one),
                Self::Arithmetic { left, right, .. }
                | Self::Compare { left, right, .. }
                | Self::Distinct { left, right, .. }
                | Self::Like { operand: left, pattern: right, .. }
                | Self::And(left, right)
                | Self::Or(left, right)
                | Self::NullIf(left, right) => {
                    visit(left);
                    visit(right);
                }
                Self::Between { operand, low, high, .. } => {
                    visit(operand);
                    visit(low);
                    visit(high);
                }
                Self::In { needle, list, .. } => {
                    visit(needle);
                    list.$iter().for_each(visit);
                }
                Self::Case { branches, otherwise } => {
                    for (condition, result) in branches {
                        visit(condition);
                        visit(result);
                    }
                    if let Some(otherwise) = otherwise {
                        visit(otherwise);
                    }
                }
                Self::Coalesce(items)
                | Self::Extreme { items, .. }
                | Self::Call { arguments: items, .. } => items.$iter().for_each(visit),
            }
        }
    };
}

impl Node {
    children!(for_each_child, iter);
    children!(for_each_child_mut, iter_mut, mut);
}
