//! Rows to learn from: typed columns, an outcome, a moment and an entity for each.

mod baseline;
mod column;
mod digest;
mod direction;
mod fields;
mod label;
mod number;
mod screen;
mod table;

pub use baseline::baseline;
pub use column::{Column, ColumnData, from_record_batch};
pub use direction::directions;
pub use label::{LabelRule, read_label};
pub use screen::{ColumnNote, Treatment, screen};
pub use table::{Layout, RawTable, TableLayout, read_table};

use scorehouse_features::time::{Span, Timestamp};

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
    /// How long it takes until the outcomes of nearly all rows looked at are known; zero when that does not
    /// depend on the outcome. Until then mostly those decided quickly are known, which are not like the rest.
    pub settles: Span,
    /// Rows with the same number belong to one entity; none: each stands alone.
    pub group: Option<Vec<u32>>,
    /// For each column +1 when the score may only rise with it, -1 when it may only fall, 0 when free; empty when
    /// all are free.
    pub monotone: Vec<i8>,
}

impl Dataset {
    /// Rows with the outcome.
    #[must_use]
    pub fn positives(&self) -> usize {
        self.label.iter().filter(|label| **label > 0.5).count()
    }

    /// The moment from which a row's outcome is known; its own moment when the data has no time.
    pub(crate) fn known_at(&self, row: u32) -> Timestamp {
        self.known_at.as_ref().map_or(self.as_of[row as usize], |known_at| known_at[row as usize])
    }

    /// BLAKE3 over names, types, values, outcomes and moments, 64 hex digits.
    #[must_use]
    pub fn digest(&self) -> String {
        digest::digest(self)
    }
}
