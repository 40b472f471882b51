//! The rows of one entity, as the kernel reads them.

use std::ops::Range;

use crate::time::Timestamp;
use crate::value::Value;

/// Columns that follow each other, and as many slots that they go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The first column.
    pub column: usize,
    /// The slot it goes to.
    pub slot: usize,
    /// How many there are.
    pub length: usize,
}

impl Run {
    /// The columns' numbers.
    #[must_use]
    pub const fn columns(self) -> Range<usize> {
        self.column..self.column + self.length
    }

    /// The slots' numbers.
    #[must_use]
    pub const fn slots(self) -> Range<usize> {
        self.slot..self.slot + self.length
    }
}

/// Rows of one entity from one source, ascending by (event time, availability time, arrival).
///
/// A column is named by its position in the source's [`SourceLayout`](crate::view::SourceLayout): the
/// source's stored columns in order, then one true-or-false column per filter. An implementation need only
/// hold the columns that the layout says are needed; any other reads as null.
pub trait Rows {
    /// Number of rows.
    fn len(&self) -> usize;

    /// When row `row` happened.
    fn event_time(&self, row: usize) -> Timestamp;

    /// When row `row` became known.
    fn available(&self, row: usize) -> Timestamp;

    /// The value, or `Missing(NullAtSource)`.
    fn value(&self, row: usize, column: usize) -> Value;

    /// The value of a number column (Int or Float).
    fn number(&self, row: usize, column: usize) -> Option<f64>;

    /// The value of an Int column, of a Time column in microseconds, or of a Bool column as 0 or 1.
    fn whole(&self, row: usize, column: usize) -> Option<i64>;

    /// The value of a Text column.
    fn text(&self, row: usize, column: usize) -> Option<&str>;

    /// True when there is no value.
    fn is_null(&self, row: usize, column: usize) -> bool;

    /// Writes the values of several columns of row `row` into slots.
    fn copy(&self, row: usize, runs: &[Run], slots: &mut [Value]) {
        for (column, slot) in runs.iter().flat_map(|run| run.columns().zip(run.slots())) {
            slots[slot] = self.value(row, column);
        }
    }

    /// True when there is no row.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True when the Bool column holds true; false and null are both not true.
    fn is_true(&self, row: usize, column: usize) -> bool {
        self.whole(row, column) == Some(1)
    }

    /// Number of rows that happened at or before `as_of`: rows `0..n` did, the rest did not.
    fn happened_by(&self, as_of: Timestamp) -> usize {
        let (mut low, mut high) = (0, self.len());
        // Almost every question is about now, when all rows have happened.
        if high == 0 || self.event_time(high - 1) <= as_of {
            return high;
        }
        while low < high {
            let middle = low.midpoint(high);
            if self.event_time(middle) <= as_of {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}
