//! The base: everything history knows, laid out for reading one entity at a time.
//!
//! For each table of the layout, rows stand sorted by key and, within a key, in canonical order, each
//! [`packed`] into a few words; only columns that features read are kept. **All** rows of an entity are kept, so that a question about
//! any past moment is answered exactly; what bounds the size is the sources' own retention.
//!
//! A base is built from history by a [`BaseBuilder`], saved as one file and never changed.

mod build;
mod file;
mod keyed;
mod keys;
mod loaded;
mod packed;
mod sorted;

use arrow_buffer::ScalarBuffer;

pub use build::{ARRIVAL, AVAILABLE_TIME, BaseBuilder, EVENT_TIME};
pub(crate) use file::sync_folder;
pub use packed::PackedRows;
pub use sorted::{SortedRows, SortedTable};

use crate::online::base::keys::KeyIndex;
use crate::online::base::packed::PackedTable;
use crate::online::log::Position;
use crate::view::{Layout, Rows, TableId};

/// The rows of all sources that features read, as of one moment in the log.
#[derive(Debug, Clone)]
pub struct Base {
    layout_digest: String,
    drained: Position,
    tables: Vec<BaseTable>,
}

/// The rows of one source by one of its key columns: one table of a [`Base`], and what the offline engine
/// reads a partition of history through.
#[derive(Debug, Clone, Default)]
pub struct BaseTable {
    keys: KeyIndex,
    /// Rows of key `i` are `starts[i]..starts[i + 1]`.
    starts: ScalarBuffer<u32>,
    arrival: ScalarBuffer<i64>,
    packed: PackedTable,
}

impl Base {
    /// A base without rows, for a project whose history is empty.
    #[must_use]
    pub fn empty(layout: &Layout) -> Self {
        let tables = layout.tables().iter().map(|_| BaseTable::empty()).collect();
        Self { layout_digest: layout.digest().to_owned(), drained: Position::START, tables }
    }

    /// The digest of the layout it was built for.
    #[must_use]
    pub fn layout_digest(&self) -> &str {
        &self.layout_digest
    }

    /// The last position of the log whose rows it holds.
    #[must_use]
    pub const fn drained(&self) -> Position {
        self.drained
    }

    /// Number of rows in all tables; a row counts in each table of its source.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.iter().map(|table| table.arrival.len()).sum()
    }

    /// True when there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of keys in one table.
    #[must_use]
    pub fn key_count(&self, table: TableId) -> usize {
        self.tables.get(table.0).map_or(0, |table| table.keys.len())
    }

    /// Bytes held in memory, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.tables.iter().map(BaseTable::bytes).sum()
    }

    pub(crate) fn table(&self, table: TableId) -> Option<&BaseTable> {
        self.tables.get(table.0)
    }
}

impl BaseTable {
    /// A table without rows.
    #[must_use]
    pub fn empty() -> Self {
        Self { starts: vec![0].into(), ..Self::default() }
    }

    /// The rows of `key`; none for a key it does not hold.
    #[must_use]
    pub fn rows(&self, key: &str) -> PackedRows<'_> {
        self.rows_in(self.range(key))
    }

    /// The rows of a key whose [`range`](Self::range) is known.
    pub(crate) fn rows_in(&self, (start, end): (usize, usize)) -> PackedRows<'_> {
        self.packed.rows(start, end)
    }

    /// Where the rows of `key` stand.
    pub(crate) fn range(&self, key: &str) -> (usize, usize) {
        self.keys.find(key).map_or((0, 0), |at| (self.starts[at] as usize, self.starts[at + 1] as usize))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.keys.find(key).is_some()
    }

    /// How many rows of `key` come before a row of this (event time, availability time, arrival).
    pub(crate) fn before(&self, key: &str, order: (i64, i64, i64)) -> usize {
        let (start, end) = self.range(key);
        let rows = self.packed.rows(start, end);
        let earlier =
            |row: usize| (rows.event_time(row).0, rows.available(row).0, self.arrival[start + row]) < order;
        let (mut low, mut high) = (0, rows.len());
        while low < high {
            let middle = low.midpoint(high);
            if earlier(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Up to `limit` keys after `after`, ascending by bytes.
    pub fn keys_after(&self, after: Option<&str>, limit: usize) -> impl Iterator<Item = &str> {
        let start = after.map_or(0, |after| self.keys.first_after(after));
        (start..self.keys.len().min(start.saturating_add(limit))).map(|at| self.keys.get(at))
    }

    fn bytes(&self) -> usize {
        self.keys.bytes() + self.starts.len() * 4 + self.arrival.len() * 8 + self.packed.bytes()
    }
}
