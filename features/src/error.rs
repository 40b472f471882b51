//! What can go wrong with features, sorted by whose fault it is.

use std::path::PathBuf;

use crate::definition::Diagnostic;
use crate::expression::ExpressionError;
use crate::ids::InvalidId;
use crate::nearest::{listed, nearest};
use crate::time::InvalidTime;
use crate::value::ValueType;

/// Whose fault an error is; every crate's error answers this, and exit codes and HTTP status follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The caller asked for something that does not exist or is malformed.
    Caller,
    /// The data or the project file is wrong.
    Data,
    /// The machine or a service below failed: disk, network, memory.
    Platform,
    /// Scorehouse itself is wrong.
    Bug,
}

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    /// The project file holds mistakes.
    #[error("the project file has {} mistake(s), first: {}", .0.len(), first(.0))]
    Definition(Vec<Diagnostic>),
    /// A name is asked for that the project does not declare.
    #[error("unknown {what} `{name}`{}; known: {}", meant(.name, .known), listed(.known.iter().map(String::as_str)))]
    Unknown {
        /// What kind of name: `entity`, `feature`, `source`, …
        what: &'static str,
        /// The name as given.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A value is not of the declared type.
    #[error("`{name}` must be {expected}, but {found} was given")]
    WrongType {
        /// The field or column.
        name: String,
        /// The declared type.
        expected: ValueType,
        /// What was given, in words.
        found: String,
    },
    /// A name or key is malformed.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// A moment or span is malformed.
    #[error(transparent)]
    Time(#[from] InvalidTime),
    /// An expression does not compile.
    #[error(transparent)]
    Expression(#[from] ExpressionError),
    /// Rows do not have the shape that their definition promises.
    #[error("{0}")]
    Shape(String),
    /// A stored file is damaged or written by something else.
    #[error("{path}: {reason}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Reading or writing failed.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something that cannot happen happened.
    #[error("internal error: {0}")]
    Bug(String),
}

fn first(diagnostics: &[Diagnostic]) -> String {
    diagnostics.first().map(ToString::to_string).unwrap_or_default()
}

fn meant(name: &str, known: &[String]) -> String {
    nearest(name, known.iter().map(String::as_str))
        .map(|near| format!(" (did you mean `{near}`?)"))
        .unwrap_or_default()
}

impl FeatureError {
    /// Whose fault it is.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Unknown { .. } | Self::WrongType { .. } | Self::Id(_) | Self::Time(_) => Fault::Caller,
            Self::Definition(_) | Self::Expression(_) | Self::Shape(_) => Fault::Data,
            Self::Corrupt { .. } | Self::Io { .. } => Fault::Platform,
            Self::Bug(_) => Fault::Bug,
        }
    }

    /// An input or output error at `path`.
    #[must_use]
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_names_its_neighbour_and_its_alternatives() {
        let known = vec!["orders".to_owned(), "deal".to_owned()];
        let error = FeatureError::Unknown { what: "view", name: "ordres".to_owned(), known };
        assert_eq!(
            error.to_string(),
            "unknown view `ordres` (did you mean `orders`?); known: `orders`, `deal`"
        );
        assert_eq!(error.fault(), Fault::Caller);
    }
}
