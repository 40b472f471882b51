//! What the history holds: which files, from which raw files, up to which pushed event.
//!
//! One JSON file, replaced whole. A file that no manifest names does not belong to the history, so that a run
//! that stops half-way leaves the history as it was.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use scorehouse_features::definition::Source;
use scorehouse_features::ids::{ColumnName, SourceName};
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::ValueType;

/// The version of the manifest's format that this crate writes.
pub const FORMAT: u32 = 1;

/// Everything the history holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this format.
    pub format: u32,
    /// Counts commits.
    pub revision: u64,
    /// The arrival number of the next row.
    pub next_arrival: i64,
    /// Position in the log of pushed events up to which they are in the history.
    pub log_position: Option<i64>,
    /// The sources' histories.
    pub sources: BTreeMap<SourceName, SourceHistory>,
    /// Files that the commit before this one still named; deleted by the next commit.
    pub retired: Vec<String>,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            format: FORMAT,
            revision: 0,
            next_arrival: 1,
            log_position: None,
            sources: BTreeMap::new(),
            retired: Vec::new(),
        }
    }
}

/// One source's history.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceHistory {
    /// The stored columns, in order.
    pub columns: Vec<StoredColumn>,
    /// What else decided the rows' values; see [`definition`].
    pub definition: Vec<String>,
    /// Parquet files.
    pub files: Vec<HistoryFile>,
    /// Raw files whose rows are in the history.
    pub ingested: Vec<IngestedFile>,
}

/// A stored column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredColumn {
    /// Its name.
    pub name: ColumnName,
    /// Its type.
    #[serde(rename = "type")]
    pub value_type: ValueType,
}

/// One Parquet file of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryFile {
    /// Path under the history's root.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// Size of its columns in memory.
    pub memory: u64,
    /// Earliest and latest event time.
    pub events: (Timestamp, Timestamp),
    /// Lowest and highest arrival.
    pub arrivals: (i64, i64),
}

/// A raw file whose rows are in the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IngestedFile {
    /// Path relative to the project folder, or absolute outside it.
    pub path: String,
    /// BLAKE3 of its bytes.
    pub digest: String,
    /// Its size.
    pub bytes: u64,
    /// Its content after decompression, for telling whether it only grew; none for binary formats.
    pub content: Option<Content>,
    /// Records read from it.
    pub read: u64,
    /// Records that became rows.
    pub kept: u64,
    /// Records that the source's `keep` left out.
    pub filtered: u64,
    /// Records rejected.
    pub rejected: u64,
    /// Arrival numbers of its rows: ranges of first and last.
    pub arrivals: Vec<(i64, i64)>,
    /// When it was last read.
    pub at: Timestamp,
}

/// A file's content after decompression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Its size.
    pub bytes: u64,
    /// Its BLAKE3.
    pub digest: String,
    /// True when it ends with a line feed.
    pub ends_line: bool,
}

impl SourceHistory {
    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|f| f.rows).sum()
    }

    /// Earliest and latest event time; none without rows.
    #[must_use]
    pub fn events(&self) -> Option<(Timestamp, Timestamp)> {
        let first = self.files.iter().map(|f| f.events.0).min()?;
        let last = self.files.iter().map(|f| f.events.1).max()?;
        Some((first, last))
    }
}

/// The stored columns of a source.
#[must_use]
pub fn columns(source: &Source) -> Vec<StoredColumn> {
    let column = |c: &scorehouse_features::definition::Column| StoredColumn {
        name: c.name.clone(),
        value_type: c.value_type,
    };
    source.columns.iter().map(column).collect()
}

/// Everything in a source's declaration that decides which rows it has and what they hold, a line each.
#[must_use]
pub fn definition(source: &Source) -> Vec<String> {
    use scorehouse_features::definition::Origin;
    let mut lines: Vec<String> = Vec::new();
    for column in &source.columns {
        let origin = match &column.origin {
            Origin::Read { header, format, required } => {
                format!("header {header:?} format {format:?} required {required}")
            }
            Origin::Computed(expression) => format!("computed {}", expression.text()),
        };
        lines.push(format!("column {} {} {origin}", column.name, column.value_type));
    }
    lines.push(format!("event_time {}", source.event_time));
    lines.push(format!("available {:?}", source.available));
    lines.push(format!("format {:?}", source.format));
    lines.push(format!("keep {:?}", source.keep.as_ref().map(|k| k.text().to_owned())));
    lines
}

/// What differs between two definitions, in words.
#[must_use]
pub fn differences(old: &[String], new: &[String]) -> Option<String> {
    let gone = old.iter().filter(|line| !new.contains(line)).map(|line| format!("was: {line}"));
    let come = new.iter().filter(|line| !old.contains(line)).map(|line| format!("is: {line}"));
    let changes: Vec<String> = gone.chain(come).take(4).collect();
    if changes.is_empty() {
        // The same lines in another order: the columns stand elsewhere.
        return (old != new).then(|| "columns in another order".to_owned());
    }
    Some(changes.join("; "))
}
