//! Rows packed side by side: all of one row in a few cache lines.
//!
//! Reading thirty features of an entity from columns costs a cache miss for each; from rows that stand packed
//! it costs two or three in all. A row is a run of 64-bit words:
//!
//! ```text
//! event time | availability time, if any row was late | flags | wide values | narrow values, two a word
//! ```
//!
//! Flags are one bit for each Bool column and one for each column that holds nulls; wide values are Int,
//! Float and Time; narrow ones are the numbers of words of a text column, [`NO_WORD`] for null.

use std::sync::Arc;

use arcstr::ArcStr;
use arrow_buffer::ScalarBuffer;
use rayon::prelude::*;

use crate::time::Timestamp;
use crate::value::{Missing, Value};
use crate::view::columns::{Column, NO_WORD};
use crate::view::{Rows, Run};

/// What a packed column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Bool,
    Int,
    Float,
    Time,
    Word,
}

/// Where a column stands inside a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Place {
    pub(crate) kind: Kind,
    /// Bit at which the value begins: of the row, not of a word.
    pub(crate) bit: u32,
    /// Bit that is set where there is no value; none when there always is.
    pub(crate) null: Option<u32>,
}

/// A column of a packed table.
#[derive(Debug, Clone)]
pub(crate) struct PackedColumn {
    pub(crate) place: Place,
    /// The words of a text column.
    pub(crate) words: Arc<[ArcStr]>,
}

/// Many entities' rows, each entity's standing together in canonical order.
#[derive(Debug, Clone, Default)]
pub(crate) struct PackedTable {
    /// Words per row; 0 only in a table without rows.
    pub(crate) width: usize,
    /// Word of the availability time; 0, the event time's own, when no row was late.
    pub(crate) available: usize,
    pub(crate) words: ScalarBuffer<u64>,
    /// By the column's number in the source's layout; none where it is not needed.
    pub(crate) columns: Vec<Option<PackedColumn>>,
}

impl PackedTable {
    /// Packs the rows of `sorted`; `total` is the number of columns in the layout.
    pub(crate) fn pack(sorted: &Sorted<'_>, total: usize) -> Self {
        let Sorted { order, event_time, available, columns } = sorted;
        let late = order.iter().any(|row| event_time[*row as usize] != available[*row as usize]);
        let (places, width) = lay_out(columns, if late { 2 } else { 1 });
        let mut words = vec![0_u64; width * order.len()];
        words.par_chunks_mut(width).enumerate().with_min_len(4096).for_each(|(row, words)| {
            let from = order[row] as usize;
            words[0] = event_time[from] as u64;
            if late {
                words[1] = available[from] as u64;
            }
            for ((_, column), place) in columns.iter().zip(&places) {
                match column {
                    Source::Unsorted(column) => put(words, *place, column, from),
                    Source::Coded(codes, _) => set(words, place.bit, u64::from(codes[row])),
                }
            }
        });
        let mut packed = vec![None; total];
        for ((number, column), place) in columns.iter().zip(places) {
            let words = match column {
                Source::Coded(_, words) => words.clone(),
                Source::Unsorted(_) => Arc::default(),
            };
            packed[*number] = Some(PackedColumn { place, words });
        }
        Self { width, available: usize::from(late), words: words.into(), columns: packed }
    }

    /// Bytes held in memory, roughly.
    pub(crate) fn bytes(&self) -> usize {
        let words = self.columns.iter().flatten().flat_map(|column| column.words.iter());
        self.words.len() * 8 + words.map(|word| word.len() + 40).sum::<usize>()
    }

    /// The rows from `start` up to but not including `end`.
    pub(crate) fn rows(&self, start: usize, end: usize) -> PackedRows<'_> {
        PackedRows { table: self, words: &self.words[start * self.width..end * self.width], len: end - start }
    }
}

/// A place for each column, and the words a row takes; `first` words are taken already.
fn lay_out(columns: &[(usize, Source<'_>)], first: u32) -> (Vec<Place>, usize) {
    let mut end = first * 64;
    let mut take = |bits: u32| {
        end += bits;
        end - bits
    };
    let mut places: Vec<Place> = columns
        .iter()
        .map(|(_, column)| {
            let (kind, nulls) = kind_of(column);
            let bit = if kind == Kind::Bool { take(1) } else { 0 };
            Place { kind, bit, null: nulls.then(|| take(1)) }
        })
        .collect();
    let mut end = end.next_multiple_of(64);
    // Wide values first, so that none lies across two words.
    for (words, bits) in [(false, 64), (true, 32)] {
        let chosen = |place: &&mut Place| place.kind != Kind::Bool && (place.kind == Kind::Word) == words;
        for place in places.iter_mut().filter(chosen) {
            place.bit = end;
            end += bits;
        }
    }
    (places, end.div_ceil(64) as usize)
}

fn kind_of(column: &Source<'_>) -> (Kind, bool) {
    match column {
        Source::Unsorted(Column::Bool(_, nulls)) => (Kind::Bool, nulls.is_some()),
        Source::Unsorted(Column::Int(_, nulls)) => (Kind::Int, nulls.is_some()),
        // Numbers that are not finite count as null, so there is always a bit for it.
        Source::Unsorted(Column::Float(..)) => (Kind::Float, true),
        Source::Unsorted(Column::Time(_, nulls)) => (Kind::Time, nulls.is_some()),
        Source::Coded(..) | Source::Unsorted(Column::Text(_) | Column::Coded(..)) => (Kind::Word, false),
    }
}

fn set(words: &mut [u64], bit: u32, value: u64) {
    words[bit as usize / 64] |= value << (bit % 64);
}

fn put(words: &mut [u64], place: Place, column: &Column, row: usize) {
    let value = match column {
        Column::Float(..) => column.number(row).map(f64::to_bits),
        Column::Coded(..) | Column::Text(_) => Some(u64::from(NO_WORD)),
        _ => column.whole(row).map(|value| value as u64),
    };
    match (value, place.null) {
        (Some(value), _) => set(words, place.bit, value),
        (None, Some(null)) => set(words, null, 1),
        (None, None) => {}
    }
}

/// Rows to pack.
pub(crate) struct Sorted<'a> {
    /// Numbers of the rows in the order in which they are to stand.
    pub(crate) order: &'a [u32],
    pub(crate) event_time: &'a [i64],
    pub(crate) available: &'a [i64],
    /// The needed columns with their numbers.
    pub(crate) columns: Vec<(usize, Source<'a>)>,
}

/// Where a column's values come from.
pub(crate) enum Source<'a> {
    /// A column of another type than text, rows in the order in which they came.
    Unsorted(&'a Column),
    /// A text column as numbers of words, rows in their final order.
    Coded(Vec<u32>, Arc<[ArcStr]>),
}

/// One entity's rows inside a [`PackedTable`].
#[derive(Debug, Clone, Copy)]
pub struct PackedRows<'a> {
    table: &'a PackedTable,
    words: &'a [u64],
    len: usize,
}

impl<'a> PackedRows<'a> {
    /// The first word of the newest row.
    pub(crate) fn newest_word(&self) -> Option<u64> {
        self.words.get(self.len.checked_sub(1)? * self.table.width).copied()
    }

    #[inline]
    fn row(&self, row: usize) -> &'a [u64] {
        &self.words[row * self.table.width..(row + 1) * self.table.width]
    }

    /// The column, and the word that holds its value, when there is one.
    #[inline]
    fn find(&self, row: usize, column: usize) -> Option<(&'a PackedColumn, u64)> {
        self.find_in(self.row(row), column)
    }

    #[inline]
    fn find_in(&self, words: &[u64], column: usize) -> Option<(&'a PackedColumn, u64)> {
        let column = self.table.columns.get(column)?.as_ref()?;
        if let Some(null) = column.place.null
            && words[null as usize / 64] >> (null % 64) & 1 == 1
        {
            return None;
        }
        Some((column, words[column.place.bit as usize / 64] >> (column.place.bit % 64)))
    }

    #[inline]
    fn value_in(&self, words: &[u64], column: usize) -> Value {
        let found = self.find_in(words, column).and_then(|(column, value)| {
            Some(match column.place.kind {
                Kind::Bool => Value::Bool(value & 1 == 1),
                Kind::Int => Value::Int(value as i64),
                Kind::Float => Value::Float(f64::from_bits(value)),
                Kind::Time => Value::Time(Timestamp(value as i64)),
                Kind::Word => Value::Text(Self::word(column, value)?.clone()),
            })
        });
        found.unwrap_or(Value::Missing(Missing::NullAtSource))
    }

    #[inline]
    fn word(column: &'a PackedColumn, value: u64) -> Option<&'a ArcStr> {
        column.words.get(value as u32 as usize)
    }
}

impl Rows for PackedRows<'_> {
    #[inline]
    fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn event_time(&self, row: usize) -> Timestamp {
        Timestamp(self.words[row * self.table.width] as i64)
    }

    #[inline]
    fn available(&self, row: usize) -> Timestamp {
        Timestamp(self.words[row * self.table.width + self.table.available] as i64)
    }

    #[inline]
    fn value(&self, row: usize, column: usize) -> Value {
        self.value_in(self.row(row), column)
    }

    fn copy(&self, row: usize, runs: &[Run], slots: &mut [Value]) {
        let words = self.row(row);
        for (column, slot) in runs.iter().flat_map(|run| run.columns().zip(run.slots())) {
            let to = &mut slots[slot];
            match self.find_in(words, column) {
                // What most columns hold, written by itself: a value that is put together first and moved then is read
                // back before its parts have arrived, and the processor waits.
                Some((column, value)) if column.place.kind == Kind::Float => {
                    *to = Value::Float(f64::from_bits(value));
                }
                _ => *to = self.value_in(words, column),
            }
        }
    }

    #[inline]
    fn number(&self, row: usize, column: usize) -> Option<f64> {
        let (column, value) = self.find(row, column)?;
        match column.place.kind {
            Kind::Float => Some(f64::from_bits(value)),
            Kind::Int => Some(value as i64 as f64),
            Kind::Bool | Kind::Time | Kind::Word => None,
        }
    }

    #[inline]
    fn whole(&self, row: usize, column: usize) -> Option<i64> {
        let (column, value) = self.find(row, column)?;
        match column.place.kind {
            Kind::Int | Kind::Time => Some(value as i64),
            Kind::Bool => Some((value & 1) as i64),
            Kind::Float | Kind::Word => None,
        }
    }

    #[inline]
    fn text(&self, row: usize, column: usize) -> Option<&str> {
        let (column, value) = self.find(row, column)?;
        if column.place.kind != Kind::Word {
            return None;
        }
        Self::word(column, value).map(AsRef::as_ref)
    }

    #[inline]
    fn is_null(&self, row: usize, column: usize) -> bool {
        self.find(row, column).is_none_or(|(column, value)| {
            column.place.kind == Kind::Word && Self::word(column, value).is_none()
        })
    }
}
