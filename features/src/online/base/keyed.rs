//! Rows brought together by key.

use std::borrow::Cow;

use arrow_array::StringArray;
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::view::columns::Column;
use crate::view::key::{is_key, key_text};

/// The distinct keys of a column, ascending, and each row's position among them.
pub(super) struct Keyed<'a> {
    pub(super) keys: Vec<&'a str>,
    of_row: Vec<u32>,
}

/// The position of a row without a key.
const NO_KEY: u32 = u32::MAX;

impl<'a> Keyed<'a> {
    /// `column` is a text column.
    pub(super) fn new(column: &'a Column, rows: usize) -> Self {
        let mut met: FxHashMap<&'a str, u32> = FxHashMap::default();
        let mut keys: Vec<&'a str> = Vec::new();
        let mut of_row = Vec::with_capacity(rows);
        for row in 0..rows {
            let Some(key) = column.text(row).filter(|key| is_key(key)) else {
                of_row.push(NO_KEY);
                continue;
            };
            of_row.push(*met.entry(key).or_insert_with(|| {
                keys.push(key);
                keys.len() as u32 - 1
            }));
        }
        let mut ascending: Vec<u32> = (0..keys.len() as u32).collect();
        ascending.par_sort_unstable_by_key(|at| keys[*at as usize]);
        let mut rank = vec![0; keys.len()];
        for (place, at) in ascending.iter().enumerate() {
            rank[*at as usize] = place as u32;
        }
        of_row.iter_mut().filter(|at| **at != NO_KEY).for_each(|at| *at = rank[*at as usize]);
        Self { keys: ascending.iter().map(|at| keys[*at as usize]).collect(), of_row }
    }

    /// Row numbers by key, then by `order` within a key; rows without a key are left out. Also where each
    /// key's rows start, and the end.
    pub(super) fn sort<K: Ord + Send>(&self, order: impl Fn(u32) -> K + Sync) -> (Vec<u32>, Vec<u32>) {
        let mut starts = vec![0_u32; self.keys.len() + 1];
        for key in self.of_row.iter().filter(|key| **key != NO_KEY) {
            starts[*key as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut rows = vec![0_u32; starts.last().map_or(0, |end| *end as usize)];
        for (row, key) in self.of_row.iter().enumerate().filter(|(_, key)| **key != NO_KEY) {
            let place = &mut next[*key as usize];
            rows[*place as usize] = row as u32;
            *place += 1;
        }
        let mut rest = rows.as_mut_slice();
        let mut groups = Vec::with_capacity(self.keys.len());
        for bounds in starts.windows(2) {
            let (group, after) = rest.split_at_mut((bounds[1] - bounds[0]) as usize);
            groups.push(group);
            rest = after;
        }
        groups.into_par_iter().with_min_len(1024).for_each(|group| {
            if !group.is_sorted_by_key(|row| order(*row)) {
                group.sort_by_cached_key(|row| order(*row));
            }
        });
        (rows, starts)
    }
}

/// The key column as text, whatever it is stored as.
pub(super) fn as_keys(column: &Column) -> Cow<'_, Column> {
    match column {
        Column::Text(_) | Column::Coded(..) => Cow::Borrowed(column),
        _ => {
            let texts = (0..column.len()).map(|row| key_text(&column.value(row)).map(Cow::into_owned));
            Cow::Owned(Column::Text(texts.collect::<StringArray>()))
        }
    }
}
