//! Rows that could not be taken, and why.

use std::fmt;

use crate::ids::ColumnName;

/// A row set aside: where it stood, why, and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// The file, relative to the project folder if it is inside.
    pub file: String,
    /// Line of the file on which the record begins (from 1), or the row number (from 1) of a binary file.
    pub line: u64,
    /// Why it could not be taken.
    pub reason: RejectReason,
    /// The record as it stood, cut to 4,096 bytes.
    pub raw: String,
}

/// Why a row could not be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RejectReason {
    /// The record has more or fewer fields than the header.
    Width {
        /// Fields in the header.
        expected: usize,
        /// Fields in the record.
        found: usize,
        /// Last line of the record, later than its first when a quote was left open.
        last_line: u64,
    },
    /// Bytes that are not text in the file's encoding.
    Encoding {
        /// The column that holds them.
        column: ColumnName,
        /// The encoding they were read in.
        encoding: &'static str,
    },
    /// No value in a column that must have one.
    Required {
        /// The column.
        column: ColumnName,
    },
    /// A value that is not of the column's type.
    WrongType {
        /// The column.
        column: ColumnName,
        /// What would have been accepted.
        expected: String,
        /// The value as given, cut to 80 characters.
        given: String,
    },
    /// A field that the source does not have.
    UnknownField {
        /// The field as given.
        field: String,
        /// The nearest field that it has.
        nearest: Option<String>,
    },
    /// An event that is not a JSON object.
    NotAnObject,
}

impl RejectReason {
    /// The reason without the values of this one row: what rejects are counted by.
    #[must_use]
    pub fn kind(&self) -> String {
        match self {
            Self::Width { .. } => "wrong number of fields".to_owned(),
            Self::Encoding { column, .. } => format!("{column}: not text in the file's encoding"),
            Self::Required { column } => format!("{column}: no value"),
            Self::WrongType { column, expected, .. } => format!("{column}: not {expected}"),
            Self::UnknownField { field, .. } => format!("unknown field {field}"),
            Self::NotAnObject => "not a JSON object".to_owned(),
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Width { expected, found, last_line } => {
                write!(f, "{found} fields where the header has {expected} (record ends on line {last_line})")
            }
            Self::Encoding { column, encoding } => {
                write!(f, "column {column} is not valid {encoding}; declare the source's encoding")
            }
            Self::Required { column } => write!(f, "column {column} has no value and must have one"),
            Self::WrongType { column, expected, given } => {
                write!(f, "column {column}: {given:?} is not {expected}")
            }
            Self::UnknownField { field, nearest: None } => write!(f, "unknown field {field:?}"),
            Self::UnknownField { field, nearest: Some(near) } => {
                write!(f, "unknown field {field:?}; did you mean {near:?}?")
            }
            Self::NotAnObject => f.write_str("an event must be a JSON object"),
        }
    }
}

/// `text` cut to at most `limit` bytes, at a character's border.
#[must_use]
pub fn cut(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
