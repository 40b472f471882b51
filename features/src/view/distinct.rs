//! Counting distinct values without allocating for each.

use crate::value::ValueType;
use crate::view::rows::Rows;

/// Values met so far, remembered by the row in which each was met first.
///
/// Open addressing over row numbers: a slot holds a row number plus one, 0 when free. Values themselves stay
/// where they are and are compared there, so the count is exact. The memory is kept from one use to the next.
#[derive(Debug, Default, Clone)]
pub(crate) struct DistinctSet {
    slots: Vec<u32>,
    capacity: usize,
    count: usize,
}

/// The column looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DistinctColumn {
    /// Its position.
    pub(crate) column: usize,
    /// Its type.
    pub(crate) value_type: ValueType,
}

const FIRST_CAPACITY: usize = 16;

impl DistinctSet {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.count = 0;
        self.reset(FIRST_CAPACITY);
    }

    fn reset(&mut self, capacity: usize) {
        self.capacity = capacity;
        if self.slots.len() < capacity {
            self.slots.resize(capacity, 0);
        }
        self.slots[..capacity].fill(0);
    }

    /// Number of distinct values met.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// Takes the value of `row`, which is not null.
    pub(crate) fn insert<R: Rows + ?Sized>(&mut self, rows: &R, of: DistinctColumn, row: usize) {
        if (self.count + 1) * 2 > self.capacity {
            self.grow(rows, of);
        }
        if self.place(rows, of, row) {
            self.count += 1;
        }
    }

    fn place<R: Rows + ?Sized>(&mut self, rows: &R, of: DistinctColumn, row: usize) -> bool {
        let mask = self.capacity - 1;
        let mut at = hash(rows, of, row) as usize & mask;
        while self.slots[at] != 0 {
            if same(rows, of, self.slots[at] as usize - 1, row) {
                return false;
            }
            at = (at + 1) & mask;
        }
        self.slots[at] = row as u32 + 1;
        true
    }

    fn grow<R: Rows + ?Sized>(&mut self, rows: &R, of: DistinctColumn) {
        let held: Vec<u32> = self.slots[..self.capacity].iter().copied().filter(|slot| *slot != 0).collect();
        self.reset((self.capacity * 2).max(FIRST_CAPACITY));
        for slot in held {
            self.place(rows, of, slot as usize - 1);
        }
    }
}

const MIX: u64 = 0x9E37_79B9_7F4A_7C15;

fn hash<R: Rows + ?Sized>(rows: &R, of: DistinctColumn, row: usize) -> u64 {
    let seed = match of.value_type {
        ValueType::Text => crate::view::key::hash(rows.text(row, of.column).unwrap_or("").as_bytes()),
        // Adding zero turns -0.0 into 0.0, so that the two are one value.
        ValueType::Float => (rows.number(row, of.column).unwrap_or(0.0) + 0.0).to_bits(),
        _ => rows.whole(row, of.column).unwrap_or(0) as u64,
    };
    let mixed = seed.wrapping_mul(MIX);
    mixed ^ (mixed >> 32)
}

fn same<R: Rows + ?Sized>(rows: &R, of: DistinctColumn, a: usize, b: usize) -> bool {
    match of.value_type {
        ValueType::Text => rows.text(a, of.column) == rows.text(b, of.column),
        ValueType::Float => rows.number(a, of.column) == rows.number(b, of.column),
        _ => rows.whole(a, of.column) == rows.whole(b, of.column),
    }
}
