//! The rows of one entity, as the kernel reads them.

use crate::time::Timestamp;
use crate::value::Value;

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

    /// Writes the values of several columns of row `row` into slots; `columns` holds (column, slot).
    fn copy(&self, row: usize, columns: &[(usize, usize)], slots: &mut [Value]) {
        for (column, slot) in columns {
            slots[*slot] = self.value(row, *column);
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
