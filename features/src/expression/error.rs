//! Why an expression does not compile.

use crate::value::ValueType;

/// Why an expression does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ExpressionError {
    /// What is wrong.
    pub problem: Problem,
    /// Where in the text, in characters from 1, if it can be told.
    pub at: Option<usize>,
}

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text is not an SQL expression.
    #[error("not an expression: {0}")]
    Syntax(String),
    /// A name that the scope does not know.
    #[error("unknown name `{name}`")]
    UnknownName {
        /// The name as written.
        name: String,
        /// The known name that was probably meant.
        nearest: Option<String>,
        /// The known names.
        known: Vec<String>,
    },
    /// A function that does not exist.
    #[error("unknown function `{name}`")]
    UnknownFunction {
        /// The name as written.
        name: String,
        /// The function that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A function with too few or too many arguments.
    #[error("`{name}` takes {takes}, but {given} given")]
    Arguments {
        /// The function.
        name: String,
        /// What it takes, in words.
        takes: String,
        /// How many were given, in words.
        given: String,
    },
    /// An operand of the wrong type.
    #[error("{what} must be {expected}, but is {found}")]
    Type {
        /// Which operand.
        what: String,
        /// What it must be, in words.
        expected: String,
        /// What it is.
        found: String,
    },
    /// SQL that is not part of the expression language.
    #[error("{0} cannot be used here")]
    Unsupported(String),
    /// Longer or deeper than allowed.
    #[error("the expression is too {0}")]
    TooLarge(&'static str),
    /// The expression has another type than its place needs.
    #[error("the expression must be {expected}, but is {found}")]
    Result {
        /// The type needed.
        expected: ValueType,
        /// The type it has.
        found: ValueType,
    },
    /// The expression is `NULL` whatever its inputs are.
    #[error("the expression never has a value")]
    AlwaysNull,
}

impl ExpressionError {
    /// The known name that was probably meant, if a name is what is wrong.
    #[must_use]
    pub fn nearest(&self) -> Option<&str> {
        match &self.problem {
            Problem::UnknownName { nearest, .. } => nearest.as_deref(),
            Problem::UnknownFunction { nearest, .. } => *nearest,
            _ => None,
        }
    }
}

impl From<Problem> for ExpressionError {
    fn from(problem: Problem) -> Self {
        Self { problem, at: None }
    }
}
