//! What a run did, for people and for `--json`.

use std::path::PathBuf;

use serde::Serialize;

use scorehouse_features::ids::{ColumnName, SourceName};

/// What an ingest did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct IngestReport {
    /// The sources looked at, in the order of the project file.
    pub sources: Vec<SourceReport>,
    /// True when the history changed.
    pub changed: bool,
}

/// What an ingest did for one source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceReport {
    /// The source.
    pub source: SourceName,
    /// Its files, in the order in which they were read.
    pub files: Vec<FileReport>,
    /// Files ingested earlier that are gone; their rows stay.
    pub gone: Vec<String>,
    /// Rows in the history afterwards.
    pub rows: u64,
    /// Where rejected rows are kept.
    pub rejects: PathBuf,
}

/// What became of one file. `read = kept + filtered + rejected`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FileReport {
    /// The file, relative to the project folder.
    pub path: String,
    /// What was done with it.
    pub outcome: FileOutcome,
    /// Records read in this run.
    pub read: u64,
    /// Records that became rows.
    pub kept: u64,
    /// Records that the source's `keep` left out.
    pub filtered: u64,
    /// Records rejected.
    pub rejected: u64,
    /// Rejected records by reason, most frequent first.
    pub reasons: Vec<Counted>,
    /// Texts taken as missing values in columns that are not text: `column: text`.
    pub nulls: Vec<Counted>,
    /// Date formats found out, where none was declared and dates are not ISO 8601.
    pub formats: Vec<FoundFormat>,
    /// Columns of the file that the source does not take.
    pub ignored: Vec<String>,
    /// The delimiter, for delimited files that were read.
    pub delimiter: Option<String>,
    /// The encoding, for delimited files that were read.
    pub encoding: Option<String>,
}

/// Something and how often it was met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// What.
    pub what: String,
    /// How often.
    pub count: u64,
}

/// A date format found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FoundFormat {
    /// The column.
    pub column: ColumnName,
    /// Its strftime pattern.
    pub format: String,
}

/// What was done with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileOutcome {
    /// Its rows were in the history already.
    Unchanged,
    /// It holds the same bytes as another file whose rows are in the history; not read again.
    SameAs(String),
    /// Its rows were added.
    Added,
    /// It had grown; the new rows were added.
    Grown,
    /// It had changed; its old rows were taken out and the new ones added.
    Replaced,
}

/// What a compaction did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CompactReport {
    /// Files merged.
    pub merged: usize,
    /// Files they became.
    pub written: usize,
}

/// What draining the log of pushed events did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DrainReport {
    /// Rows taken over into the history, by source.
    pub rows: Vec<(SourceName, u64)>,
    /// Rows of sources that the project does not declare any more, or of another shape; they stay in the log.
    pub unknown: u64,
}
