//! From a syntax tree to a typed tree.

mod call;
mod literal;
mod operator;

use sqlparser::ast::{CaseWhen, CeilFloorKind, DateTimeField, Expr, Ident, Spanned, ValueWithSpan};

use crate::expression::node::{Comparison, Node, Target};
use crate::expression::parse::place;
use crate::expression::types::{Typed, unify};
use crate::expression::{ExpressionError, Problem, Scope};
use crate::nearest::nearest;
use crate::value::ValueType;

type Compiled = Result<Typed, ExpressionError>;

/// Deepest tree that is evaluated; evaluation recurses once per level.
const DEEPEST: usize = 200;

/// Compiles one expression in one scope.
pub(super) struct Compiler<'s> {
    text: &'s str,
    scope: &'s dyn Scope,
    depth: usize,
}

impl<'s> Compiler<'s> {
    pub fn new(text: &'s str, scope: &'s dyn Scope) -> Self {
        Self { text, scope, depth: 0 }
    }

    /// Compiles `tree`; an error without a place gets the place of the smallest part that holds it.
    pub fn compile(&mut self, tree: &Expr) -> Compiled {
        if self.depth >= DEEPEST {
            return Err(Problem::TooLarge("deep").into());
        }
        self.depth += 1;
        let compiled = self.part(tree);
        self.depth -= 1;
        compiled.map_err(|mut error| {
            let start = tree.span().start;
            error.at = error.at.or_else(|| place(self.text, start.line, start.column));
            error
        })
    }

    fn part(&mut self, tree: &Expr) -> Compiled {
        match tree {
            Expr::Nested(inner) => self.compile(inner),
            Expr::Identifier(name) => self.name(std::slice::from_ref(name)),
            Expr::CompoundIdentifier(path) => self.name(path),
            Expr::Value(value) => literal::value(&value.value),
            Expr::TypedString(typed) => literal::typed_string(typed),
            Expr::UnaryOp { op, expr } => self.unary(*op, expr),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            Expr::Cast { expr, data_type, format: None, array: false, .. } => {
                let target = literal::target(data_type)?;
                let operand = self.compile(expr)?;
                self.cast(operand, target)
            }
            Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotUnknown(_)
            | Expr::IsDistinctFrom(..)
            | Expr::IsNotDistinctFrom(..) => self.is(tree),
            Expr::InList { expr, list, negated } => self.in_list(expr, list, *negated),
            Expr::Between { expr, negated, low, high } => self.between(expr, (low, high), *negated),
            Expr::Like { .. } | Expr::ILike { .. } => self.like(tree),
            _ => self.call_like(tree),
        }
    }

    /// Calls, and the forms that SQL writes like calls but parses apart.
    fn call_like(&mut self, tree: &Expr) -> Compiled {
        match tree {
            Expr::Function(function) => self.function(function),
            Expr::Ceil { expr, field } => self.rounding("ceil", expr, field),
            Expr::Floor { expr, field } => self.rounding("floor", expr, field),
            Expr::Trim { expr, trim_where: None, trim_what: None, trim_characters: None } => {
                self.call("trim", &[expr])
            }
            Expr::Substring { expr, substring_from: Some(from), substring_for, .. } => {
                let mut arguments: Vec<&Expr> = vec![expr, from];
                arguments.extend(substring_for.as_deref());
                self.call("substr", &arguments)
            }
            Expr::Extract { field, expr, .. } => {
                let name = match field {
                    DateTimeField::Year => "year",
                    DateTimeField::Month => "month",
                    DateTimeField::Day => "day",
                    DateTimeField::Hour => "hour",
                    DateTimeField::Isodow => "weekday",
                    _ => return Err(unsupported(tree)),
                };
                self.call(name, &[expr])
            }
            _ => Err(unsupported(tree)),
        }
    }

    fn rounding(&mut self, name: &str, operand: &Expr, field: &CeilFloorKind) -> Compiled {
        match field {
            CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => self.call(name, &[operand]),
            _ => Err(Problem::Arguments {
                name: name.to_owned(),
                takes: "1 argument".to_owned(),
                given: "more were".to_owned(),
            }
            .into()),
        }
    }

    fn name(&self, path: &[Ident]) -> Compiled {
        let exact: Vec<String> = path.iter().map(|part| part.value.clone()).collect();
        let found = self.scope.resolve(&exact).or_else(|| {
            let folded: Vec<String> = path.iter().map(fold).collect();
            self.scope.resolve(&folded)
        });
        if let Some((slot, kind)) = found {
            return Ok(Typed::new(Node::Input { slot, kind }, kind));
        }
        let known = self.scope.names();
        let name = exact.join(".");
        let nearest = nearest(&name, known.iter().map(String::as_str)).map(str::to_owned);
        Err(Problem::UnknownName { name, nearest, known }.into())
    }

    fn case(&mut self, operand: Option<&Expr>, when: &[CaseWhen], otherwise: Option<&Expr>) -> Compiled {
        let mut conditions = Vec::with_capacity(when.len());
        for branch in when {
            conditions.push(match operand {
                None => self.compile(&branch.condition)?.into_kind(ValueType::Bool, "a condition")?,
                Some(operand) => self.compare(Comparison::Equal, operand, &branch.condition)?.node,
            });
        }
        let mut results = when.iter().map(|w| self.compile(&w.result)).collect::<Result<Vec<_>, _>>()?;
        results.extend(otherwise.map(|e| self.compile(e)).transpose()?);
        let (mut nodes, kind) = unify(results, "every branch of CASE")?;
        let otherwise = if otherwise.is_some() { nodes.pop().map(Box::new) } else { None };
        let branches = conditions.into_iter().zip(nodes).collect();
        Ok(Typed { node: Node::Case { branches, otherwise }, kind })
    }

    fn cast(&self, operand: Typed, target: Target) -> Compiled {
        let kind = match target {
            Target::To(kind) => kind,
            Target::Date => ValueType::Time,
        };
        let fits = match (operand.kind, kind) {
            (None, _) | (_, ValueType::Text) | (Some(ValueType::Text), _) => true,
            (Some(from), to) if from == to => true,
            (Some(from), to) => from != ValueType::Time && to != ValueType::Time,
        };
        if !fits {
            let found = operand.found();
            return Err(Problem::Unsupported(format!("a cast from {found} to {kind}")).into());
        }
        if operand.kind == Some(kind) && target != Target::Date {
            return Ok(operand);
        }
        Ok(Typed::new(Node::Cast { operand: Box::new(operand.node), to: target }, kind))
    }
}

fn fold(part: &Ident) -> String {
    if part.quote_style.is_some() { part.value.clone() } else { part.value.to_lowercase() }
}

/// The refusal of a part of SQL that the language leaves out.
pub(super) fn unsupported(tree: &Expr) -> ExpressionError {
    Problem::Unsupported(format!("`{}`", tree.to_string().chars().take(60).collect::<String>())).into()
}

/// The one character of an `ESCAPE` clause; a backslash without one.
fn escape_character(escape: Option<&ValueWithSpan>) -> Result<Option<char>, ExpressionError> {
    let Some(escape) = escape else { return Ok(Some('\\')) };
    let text = escape.value.clone().into_string().unwrap_or_default();
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (first, None) => Ok(first),
        _ => Err(Problem::Unsupported("an ESCAPE of several characters".to_owned()).into()),
    }
}
