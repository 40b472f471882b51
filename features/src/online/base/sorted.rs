//! Rows of one table found by key, their values left where Arrow put them.
//!
//! Finding the newest row of many entities at many moments reads times over and over and each value at most
//! once. So times are brought together by key, and values are not moved at all.

use arrow_array::RecordBatch;

use crate::error::FeatureError;
use crate::online::base::BaseTable;
use crate::online::base::keyed::{Keyed, as_keys};
use crate::online::base::keys::KeyIndex;
use crate::online::base::loaded::Loaded;
use crate::time::Timestamp;
use crate::value::{Missing, Value};
use crate::view::columns::Column;
use crate::view::{Layout, Rows, TableId};

/// The rows of one source by one of its key columns, in place. What the offline engine finds newest rows in.
#[derive(Debug)]
pub struct SortedTable {
    keys: KeyIndex,
    /// Rows of key `i` are `starts[i]..starts[i + 1]` of `order`.
    starts: Vec<u32>,
    /// Numbers of rows by key and, within a key, in canonical order.
    order: Vec<u32>,
    /// In the order of `order`.
    event_time: Vec<i64>,
    /// In the order of `order`; none when every row was known when it happened.
    available: Option<Vec<i64>>,
    columns: Vec<Option<Column>>,
}

impl SortedTable {
    /// Over `rows` in any order, which hold what [`BaseTable::build`] asks for.
    ///
    /// # Errors
    /// As for [`BaseTable::build`].
    pub fn build(layout: &Layout, table: TableId, rows: &RecordBatch) -> Result<Self, FeatureError> {
        let (table, source) = BaseTable::declared(layout, table)?;
        let loaded = Loaded::of(layout, source, rows)?;
        let no_key = || FeatureError::Bug(format!("key column `{}` was not read", table.key));
        let key_column = as_keys(loaded.columns[table.key_column].as_ref().ok_or_else(no_key)?);
        let keyed = Keyed::new(&key_column, loaded.event_time.len());
        let (order, starts) = keyed.sort(|row| loaded.canonical(row));
        let gather = |times: &[i64]| order.iter().map(|row| times[*row as usize]).collect::<Vec<i64>>();
        let late = loaded.event_time != loaded.available;
        Ok(Self {
            keys: KeyIndex::build(&keyed.keys)?,
            event_time: gather(&loaded.event_time),
            available: late.then(|| gather(&loaded.available)),
            starts,
            order,
            columns: loaded.columns,
        })
    }

    /// The rows of `key`; none for a key it does not hold.
    #[must_use]
    pub fn rows(&self, key: &str) -> SortedRows<'_> {
        let range = |at: usize| (self.starts[at] as usize, self.starts[at + 1] as usize);
        let (start, end) = self.keys.find(key).map_or((0, 0), range);
        SortedRows { table: self, start, len: end - start }
    }

    /// All keys, ascending by bytes.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        (0..self.keys.len()).map(|at| self.keys.get(at))
    }
}

/// One entity's rows inside a [`SortedTable`].
#[derive(Debug, Clone, Copy)]
pub struct SortedRows<'a> {
    table: &'a SortedTable,
    start: usize,
    len: usize,
}

impl<'a> SortedRows<'a> {
    /// The number of row `row` in the batch that the table was built over.
    #[must_use]
    pub fn number(&self, row: usize) -> u32 {
        self.table.order[self.start + row]
    }

    fn column(&self, column: usize) -> Option<&'a Column> {
        self.table.columns.get(column)?.as_ref()
    }

    fn at(&self, row: usize) -> usize {
        self.table.order[self.start + row] as usize
    }
}

impl Rows for SortedRows<'_> {
    #[inline]
    fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn event_time(&self, row: usize) -> Timestamp {
        Timestamp(self.table.event_time[self.start + row])
    }

    #[inline]
    fn available(&self, row: usize) -> Timestamp {
        let times = self.table.available.as_ref().unwrap_or(&self.table.event_time);
        Timestamp(times[self.start + row])
    }

    fn value(&self, row: usize, column: usize) -> Value {
        let column = self.column(column);
        column.map_or(Value::Missing(Missing::NullAtSource), |column| column.value(self.at(row)))
    }

    fn number(&self, row: usize, column: usize) -> Option<f64> {
        self.column(column)?.number(self.at(row))
    }

    fn whole(&self, row: usize, column: usize) -> Option<i64> {
        self.column(column)?.whole(self.at(row))
    }

    fn text(&self, row: usize, column: usize) -> Option<&str> {
        self.column(column)?.text(self.at(row))
    }

    fn is_null(&self, row: usize, column: usize) -> bool {
        self.column(column).is_none_or(|column| column.is_null(self.at(row)))
    }
}
