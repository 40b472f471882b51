//! Sources: where raw rows come from and what their columns mean.

use serde::{Deserialize, Serialize};

use crate::expression::Expression;
use crate::ids::{ColumnName, SourceName};
use crate::time::Span;
use crate::value::ValueType;

/// A stream of raw rows, from files, from pushes, or both.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name.
    pub name: SourceName,
    /// Glob of files under the project folder; none for a source that is only pushed to.
    pub path: Option<String>,
    /// How the files are written.
    pub format: FileFormat,
    /// The column that says when a row happened (a `Time` column).
    pub event_time: ColumnName,
    /// When a row became known.
    pub available: Availability,
    /// The stored columns in order: read columns first, then computed ones.
    pub columns: Vec<Column>,
    /// True when columns not named in the file are taken as well, their types inferred from the first file.
    pub infer: bool,
    /// Rows for which this is not true are left out, and counted.
    pub keep: Option<Expression>,
    /// Share of rejected rows (0 to 1) above which an ingest stops.
    pub max_rejected: f64,
    /// What it is, for readers.
    pub description: Option<String>,
}

/// When a row became known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// At its event time.
    EventTime,
    /// A fixed span after its event time.
    Delay(Span),
    /// At the moment a `Time` column tells.
    Column(ColumnName),
}

/// One stored column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name in Scorehouse.
    pub name: ColumnName,
    /// Its type.
    pub value_type: ValueType,
    /// How it gets its value.
    pub origin: Origin,
}

/// How a column gets its value.
#[derive(Debug, Clone)]
pub enum Origin {
    /// Read from the file's column of this header, or the event's field of this name.
    Read {
        /// Header in the file.
        header: String,
        /// strftime pattern for `Time` columns; none tries RFC 3339 and ISO dates.
        format: Option<String>,
        /// A row without a value here is rejected.
        required: bool,
    },
    /// Computed from the columns before it.
    Computed(Expression),
}

/// How files are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// Delimited text, compressed by `.gz` or `.zst` if the file's name says so.
    Csv(CsvOptions),
    /// Apache Parquet.
    Parquet,
}

/// How delimited text is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CsvOptions {
    /// Byte between fields; none means: found out from the header line (`,` `;` tab `|`).
    pub delimiter: Option<u8>,
    /// Quote byte.
    pub quote: u8,
    /// Encoding label of the WHATWG standard, such as `windows-1252`; none means UTF-8 or what a BOM says.
    pub encoding: Option<String>,
    /// Texts that stand for no value, besides the empty field.
    pub null: Vec<String>,
    /// Byte that separates decimals in numbers, `.` or `,`.
    pub decimal: u8,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { delimiter: None, quote: b'"', encoding: None, null: Vec::new(), decimal: b'.' }
    }
}
