//! What can go wrong with a whole file, as opposed to one of its rows.

use std::path::PathBuf;

use crate::error::Fault;
use crate::ids::{ColumnName, SourceName};

/// Why a file could not be read as its source declares.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file could not be opened or read.
    #[error("cannot read {path}: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The file has no header line.
    #[error("{path} is empty: a header line was expected")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The declared encoding does not exist.
    #[error("unknown encoding {label:?}; write a label of the WHATWG Encoding Standard such as windows-1252")]
    UnknownEncoding {
        /// The label as declared.
        label: String,
    },
    /// A declared column does not stand in the file.
    #[error("{path} has no column {header:?} (source {source_name}, column {column}){}; it has {}", near(.nearest), known.join(", "))]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The source.
        source_name: SourceName,
        /// The declared column.
        column: ColumnName,
        /// The header looked for.
        header: String,
        /// The nearest header in the file.
        nearest: Option<String>,
        /// The headers in the file.
        known: Vec<String>,
    },
    /// Two columns of the file could be meant.
    #[error("{path} has more than one column {header:?}")]
    AmbiguousColumn {
        /// The file.
        path: PathBuf,
        /// The header.
        header: String,
    },
    /// Dates that can be read in more than one way.
    #[error("{path}, column {column}: dates such as {example:?} can be read as {}; declare its format", readings.join(" or "))]
    AmbiguousDates {
        /// The file.
        path: PathBuf,
        /// The column.
        column: ColumnName,
        /// One value.
        example: String,
        /// The formats that fit every value seen.
        readings: Vec<String>,
    },
    /// The source declares something that cannot be done.
    #[error("source {source_name}: {problem}")]
    Definition {
        /// The source.
        source_name: SourceName,
        /// What is wrong.
        problem: String,
    },
    /// Arrow refused something that this crate had checked.
    #[error("inconsistent columns: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
}

impl SourceError {
    /// Whose fault it is.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Io { .. } => Fault::Platform,
            Self::Arrow(_) => Fault::Bug,
            _ => Fault::Data,
        }
    }
}

fn near(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|n| format!("; did you mean {n:?}?")).unwrap_or_default()
}
