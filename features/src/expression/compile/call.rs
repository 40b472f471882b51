//! Function calls.

use sqlparser::ast::{Expr, Function as Call, FunctionArg, FunctionArgExpr, FunctionArguments};

use crate::expression::compile::{Compiled, Compiler};
use crate::expression::functions::{Parameter, Returns, SPECIAL, Signature, find, function_names};
use crate::expression::node::{Node, Target};
use crate::expression::types::{Typed, unify};
use crate::expression::{ExpressionError, Problem};
use crate::nearest::nearest;
use crate::value::ValueType;

impl Compiler<'_> {
    pub(super) fn function(&mut self, call: &Call) -> Compiled {
        let plain = call.over.is_none()
            && call.filter.is_none()
            && call.null_treatment.is_none()
            && call.within_group.is_empty()
            && matches!(call.parameters, FunctionArguments::None);
        let arguments = plain.then(|| plain_arguments(&call.args)).flatten();
        match arguments {
            Some(arguments) => self.call(&call.name.to_string().to_lowercase(), &arguments),
            None => Err(Problem::Unsupported(format!("`{call}`")).into()),
        }
    }

    pub(super) fn call(&mut self, name: &str, arguments: &[&Expr]) -> Compiled {
        if SPECIAL.contains(&name) {
            return self.special(name, arguments);
        }
        let Some(signature) = find(name) else {
            return Err(Problem::UnknownFunction {
                name: name.to_owned(),
                nearest: nearest(name, function_names()),
            }
            .into());
        };
        let most = if signature.repeated { usize::MAX } else { signature.parameters.len() };
        if arguments.len() < signature.required || arguments.len() > most {
            return Err(arity(name, &takes(signature), arguments.len()));
        }
        let mut nodes = Vec::with_capacity(arguments.len());
        let mut first = None;
        for (i, argument) in arguments.iter().enumerate() {
            let typed = self.compile(argument)?;
            first = if i == 0 { typed.kind } else { first };
            let parameter = signature.parameters.get(i).or(signature.parameters.last());
            nodes.push(self.argument(typed, parameter, &format!("argument {} of `{name}`", i + 1))?);
        }
        let kind = match signature.returns {
            Returns::First => first,
            Returns::Of(kind) => Some(kind),
        };
        Ok(Typed { node: Node::Call { function: signature.function, arguments: nodes }, kind })
    }

    fn argument(
        &self,
        typed: Typed,
        parameter: Option<&Parameter>,
        what: &str,
    ) -> Result<Node, ExpressionError> {
        match parameter {
            Some(Parameter::Number) => Ok(typed.number(what)?.node),
            Some(Parameter::Of(kind)) => typed.into_kind(*kind, what),
            Some(Parameter::AsText) | None => Ok(self.cast(typed, Target::To(ValueType::Text))?.node),
        }
    }

    fn special(&mut self, name: &str, arguments: &[&Expr]) -> Compiled {
        let mut items = Vec::with_capacity(arguments.len());
        for argument in arguments {
            items.push(self.compile(argument)?);
        }
        match (name, items.len()) {
            ("as_of", 0) => Ok(Typed::new(Node::AsOf, ValueType::Time)),
            ("as_of", given) => Err(arity(name, "no argument", given)),
            ("coalesce", 1..) => {
                let (items, kind) = unify(items, "every argument of `coalesce`")?;
                Ok(Typed { node: Node::Coalesce(items), kind })
            }
            ("least" | "greatest", 1..) => self.extreme(name, items),
            ("nullif", 2) => {
                let (nodes, kind) = unify(items, "both arguments of `nullif`")?;
                let mut nodes = nodes.into_iter().map(Box::new);
                match (nodes.next(), nodes.next()) {
                    (Some(a), Some(b)) => Ok(Typed { node: Node::NullIf(a, b), kind }),
                    _ => Err(arity(name, "2 arguments", 0)),
                }
            }
            ("nullif", given) => Err(arity(name, "2 arguments", given)),
            (_, given) => Err(arity(name, "at least 1 argument", given)),
        }
    }
}

/// The arguments of a call without anything but arguments in its brackets.
fn plain_arguments(arguments: &FunctionArguments) -> Option<Vec<&Expr>> {
    match arguments {
        FunctionArguments::List(list) if list.duplicate_treatment.is_none() && list.clauses.is_empty() => {
            list.args
                .iter()
                .map(|argument| match argument {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
                    _ => None,
                })
                .collect()
        }
        _ => None,
    }
}

fn takes(signature: &Signature) -> String {
    let count = signature.parameters.len();
    let plural = if count == 1 { "" } else { "s" };
    if signature.repeated {
        format!("at least {} argument{plural}", signature.required)
    } else if signature.required == count {
        format!("{count} argument{plural}")
    } else {
        format!("{} or {count} arguments", signature.required)
    }
}

fn arity(name: &str, takes: &str, given: usize) -> ExpressionError {
    let given = match given {
        0 => "none was".to_owned(),
        1 => "1 was".to_owned(),
        n => format!("{n} were"),
    };
    Problem::Arguments { name: name.to_owned(), takes: takes.to_owned(), given }.into()
}
