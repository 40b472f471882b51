//! The rows of one entity as the embedded store shows them: the base's, with pushed ones laid between.

use std::sync::Arc;

use crate::online::base::PackedRows;
use crate::time::Timestamp;
use crate::value::{Missing, Value, ValueType};
use crate::view::{Rows, Run};

/// A row that was pushed and is held in memory; what it holds is shared by the tables of its source.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRow {
    /// When it happened.
    pub event_time: Timestamp,
    /// When it became known.
    pub available: Timestamp,
    /// Its place in the order of arrival.
    pub arrival: i64,
    /// The source's stored columns, then the outcomes of its filters.
    pub values: Arc<[Value]>,
}

impl StoredRow {
    /// What rows of one entity are ordered by.
    pub(crate) const fn order(&self) -> (i64, i64, i64) {
        (self.event_time.0, self.available.0, self.arrival)
    }
}

/// A pushed row and its place among the base's rows.
#[derive(Debug, Clone)]
pub struct Added {
    /// The row. Its times stand here, since they are asked for more often than its values.
    pub row: StoredRow,
    /// How many of the entity's base rows stand before it.
    pub before: usize,
}

/// One entity's rows in one table.
#[derive(Debug, Clone, Copy)]
pub enum EntityRows<'a> {
    /// Nothing was pushed for it since the base was built.
    Base(PackedRows<'a>),
    /// Something was.
    Merged(MergedRows<'a>),
}

/// The base's rows of one entity with the pushed ones between them, in canonical order.
#[derive(Debug, Clone, Copy)]
pub struct MergedRows<'a> {
    base: PackedRows<'a>,
    base_len: usize,
    added: &'a [Added],
    /// Rows before this one are the base's, numbered alike.
    untouched: usize,
}

/// Where a row stands.
enum Place<'a> {
    Base(usize),
    Added(&'a StoredRow),
}

impl<'a> MergedRows<'a> {
    /// Lays `added`, in canonical order, over `base`.
    #[must_use]
    pub fn new(base: PackedRows<'a>, added: &'a [Added]) -> Self {
        let base_len = base.len();
        let untouched = added.first().map_or(base_len, |first| first.before);
        Self { base, base_len, added, untouched }
    }

    #[inline]
    fn place(&self, row: usize) -> Place<'a> {
        if row < self.untouched {
            return Place::Base(row);
        }
        if self.untouched == self.base_len {
            return Place::Added(&self.added[row - self.base_len].row);
        }
        self.search(row)
    }

    /// Added row `j` is row `added[j].before + j` of all.
    fn search(&self, row: usize) -> Place<'a> {
        let (mut low, mut high) = (0, self.added.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.added[middle].before + middle < row {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        match self.added.get(low) {
            Some(added) if added.before + low == row => Place::Added(&added.row),
            _ => Place::Base(row - low),
        }
    }

    fn added_value(row: &'a StoredRow, column: usize) -> Option<&'a Value> {
        row.values.get(column)
    }
}

impl Rows for MergedRows<'_> {
    #[inline]
    fn len(&self) -> usize {
        self.base_len + self.added.len()
    }

    #[inline]
    fn event_time(&self, row: usize) -> Timestamp {
        match self.place(row) {
            Place::Base(row) => self.base.event_time(row),
            Place::Added(row) => row.event_time,
        }
    }

    #[inline]
    fn available(&self, row: usize) -> Timestamp {
        match self.place(row) {
            Place::Base(row) => self.base.available(row),
            Place::Added(row) => row.available,
        }
    }

    fn value(&self, row: usize, column: usize) -> Value {
        match self.place(row) {
            Place::Base(row) => self.base.value(row, column),
            Place::Added(row) => match Self::added_value(row, column) {
                Some(Value::Missing(_)) | None => Value::Missing(Missing::NullAtSource),
                Some(value) => value.clone(),
            },
        }
    }

    fn copy(&self, row: usize, runs: &[Run], slots: &mut [Value]) {
        let row = match self.place(row) {
            Place::Base(row) => return self.base.copy(row, runs, slots),
            Place::Added(row) => row,
        };
        for run in runs {
            let slots = &mut slots[run.slots()];
            let Some(values) = row.values.get(run.columns()) else {
                slots.fill(Value::Missing(Missing::NullAtSource));
                continue;
            };
            for (value, slot) in values.iter().zip(slots) {
                // Each writes by itself: a value that is put together first and moved then is read back before its
                // parts have arrived, and the processor waits.
                match value {
                    Value::Float(number) => *slot = Value::Float(*number),
                    Value::Missing(_) => *slot = Value::Missing(Missing::NullAtSource),
                    value => slot.clone_from(value),
                }
            }
        }
    }

    fn number(&self, row: usize, column: usize) -> Option<f64> {
        match self.place(row) {
            Place::Base(row) => self.base.number(row, column),
            Place::Added(row) => match Self::added_value(row, column)? {
                Value::Float(number) => Some(*number),
                Value::Int(number) => Some(*number as f64),
                _ => None,
            },
        }
    }

    fn whole(&self, row: usize, column: usize) -> Option<i64> {
        match self.place(row) {
            Place::Base(row) => self.base.whole(row, column),
            Place::Added(row) => match Self::added_value(row, column)? {
                Value::Int(number) => Some(*number),
                Value::Time(moment) => Some(moment.0),
                Value::Bool(value) => Some(i64::from(*value)),
                _ => None,
            },
        }
    }

    fn text(&self, row: usize, column: usize) -> Option<&str> {
        match self.place(row) {
            Place::Base(row) => self.base.text(row, column),
            Place::Added(row) => match Self::added_value(row, column)? {
                Value::Text(text) => Some(text),
                _ => None,
            },
        }
    }

    fn is_null(&self, row: usize, column: usize) -> bool {
        match self.place(row) {
            Place::Base(row) => self.base.is_null(row, column),
            Place::Added(row) => Self::added_value(row, column).is_none_or(Value::is_missing),
        }
    }
}

/// For readers that do not mind a branch per value; the kernel matches once and reads the inside.
impl Rows for EntityRows<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Base(rows) => rows.len(),
            Self::Merged(rows) => rows.len(),
        }
    }

    fn event_time(&self, row: usize) -> Timestamp {
        match self {
            Self::Base(rows) => rows.event_time(row),
            Self::Merged(rows) => rows.event_time(row),
        }
    }

    fn available(&self, row: usize) -> Timestamp {
        match self {
            Self::Base(rows) => rows.available(row),
            Self::Merged(rows) => rows.available(row),
        }
    }

    fn value(&self, row: usize, column: usize) -> Value {
        match self {
            Self::Base(rows) => rows.value(row, column),
            Self::Merged(rows) => rows.value(row, column),
        }
    }

    fn copy(&self, row: usize, runs: &[Run], slots: &mut [Value]) {
        match self {
            Self::Base(rows) => rows.copy(row, runs, slots),
            Self::Merged(rows) => rows.copy(row, runs, slots),
        }
    }

    fn number(&self, row: usize, column: usize) -> Option<f64> {
        match self {
            Self::Base(rows) => rows.number(row, column),
            Self::Merged(rows) => rows.number(row, column),
        }
    }

    fn whole(&self, row: usize, column: usize) -> Option<i64> {
        match self {
            Self::Base(rows) => rows.whole(row, column),
            Self::Merged(rows) => rows.whole(row, column),
        }
    }

    fn text(&self, row: usize, column: usize) -> Option<&str> {
        match self {
            Self::Base(rows) => rows.text(row, column),
            Self::Merged(rows) => rows.text(row, column),
        }
    }

    fn is_null(&self, row: usize, column: usize) -> bool {
        match self {
            Self::Base(rows) => rows.is_null(row, column),
            Self::Merged(rows) => rows.is_null(row, column),
        }
    }
}

/// What is wrong with a value for a column of this type, if anything.
pub(crate) fn mismatch(value: &Value, wanted: ValueType) -> Option<String> {
    match (value.value_type(), value) {
        (None, _) => None,
        (_, Value::Float(number)) if !number.is_finite() => Some(format!("{number} is not a finite number")),
        (Some(found), _) if found != wanted => {
            Some(format!("a {found} value for a column of {wanted} values"))
        }
        _ => None,
    }
}
