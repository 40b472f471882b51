//! Rows to learn from: typed columns, an outcome, a moment and an entity for each.

mod column;
mod digest;
mod label;
mod number;
mod screen;
mod table;

pub use column::{Column, ColumnData, from_record_batch};
pub use label::{LabelRule, read_label};
pub use screen::{ColumnNote, Treatment, screen};
pub use table::{Layout, RawTable, TableLayout, read_table};

use scorehouse_features::time::Timestamp;

/// Rows to learn from.
#[derive(Debug, Clone, Default)]
pub struct Dataset {
    /// Number of rows.
    pub rows: usize,
    /// What is known of each row as of its moment.
    pub columns: Vec<Column>,
    /// The outcome, 0 or 1.
    pub label: Vec<f64>,
    /// The moment at which each row is looked at; one for all when the data has no time.
    pub as_of: Vec<Timestamp>,
    /// The moment from which each row's outcome is known; none when the data has no time.
    pub known_at: Option<Vec<Timestamp>>,
    /// Rows with the same number belong to one entity; none: each stands alone.
    pub group: Option<Vec<u32>>,
}

impl Dataset {
    /// Rows with the outcome.
    #[must_use]
    pub fn positives(&self) -> usize {
        self.label.iter().filter(|label| **label > 0.5).count()
    }

    /// BLAKE3 over names, types, values, outcomes and moments, 64 hex digits.
    #[must_use]
    pub fn digest(&self) -> String {
        digest::digest(self)
    }
}
