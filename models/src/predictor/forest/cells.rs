//! Contributions kept by cell.
//!
//! A forest asks a row nothing but on which side of its thresholds, and in which of its sets, each column lies. Rows
//! that give the same answers lie in one cell: all of them get the same contributions, to the last bit. So a deal that is
//! looked at again, its clock a minute further, need not be explained again; only when a fact or a threshold is crossed.

use std::sync::Arc;

use quick_cache::UnitWeighter;
use quick_cache::sync::Cache;
use rustc_hash::FxBuildHasher;

use super::Forest;

/// Cells whose contributions are kept; at 60 columns, some ten megabytes.
const KEPT: usize = 10_000;
/// The code of a missing value, and of a number that is no category.
const MISSING: u32 = u32::MAX;
const NO_CODE: u32 = u32::MAX - 1;
/// The code of minus infinity, which sets take for a missing value that was read on the left.
const LEFTMOST: u32 = u32::MAX - 2;

/// The cells of a forest, and the contributions of those met last.
pub(super) struct Cells {
    columns: Vec<Column>,
    kept: Cache<Box<[u32]>, Arc<[f64]>, UnitWeighter, FxBuildHasher>,
}

/// What is asked of one column.
#[derive(Debug, Clone, Default, PartialEq)]
struct Column {
    column: usize,
    /// Ascending.
    thresholds: Vec<f64>,
    /// True when it is also asked for membership in sets.
    categorical: bool,
}

impl Cells {
    pub(super) fn new(forest: &Forest) -> Self {
        let mut columns: Vec<Column> =
            (0..forest.width).map(|column| Column { column, ..Column::default() }).collect();
        for (at, node) in forest.nodes.iter().enumerate() {
            if node.child as usize == at {
                continue;
            }
            let question = node.question();
            let column = &mut columns[question.column as usize];
            if question.categorical {
                column.categorical = true;
            } else {
                column.thresholds.push(question.threshold);
            }
        }
        columns.retain(|column| column.categorical || !column.thresholds.is_empty());
        for column in &mut columns {
            column.thresholds.sort_by(f64::total_cmp);
            column.thresholds.dedup();
        }
        Self {
            columns,
            kept: Cache::with(KEPT, KEPT as u64, UnitWeighter, FxBuildHasher, Default::default()),
        }
    }

    /// Adds `factor` times the contributions of a row's cell to `out`; `explain` computes those of a cell not met
    /// lately, one number for each column of the forest.
    pub(super) fn add(&self, row: &[f64], factor: f64, out: &mut [f64], explain: impl FnOnce() -> Vec<f64>) {
        let cell: Box<[u32]> = self.columns.iter().flat_map(|column| column.codes(row)).collect();
        let kept = self.kept.get(&*cell).unwrap_or_else(|| {
            let all = explain();
            let used: Arc<[f64]> = self.columns.iter().map(|column| all[column.column]).collect();
            self.kept.insert(cell, used.clone());
            used
        });
        for (column, contribution) in self.columns.iter().zip(kept.iter()) {
            out[column.column] += factor * contribution;
        }
    }
}

impl Column {
    /// How many thresholds the value exceeds, and which category it is.
    fn codes(&self, row: &[f64]) -> impl Iterator<Item = u32> + use<> {
        let x = row[self.column];
        let exceeded = (!self.thresholds.is_empty()).then(|| {
            let count = self.thresholds.partition_point(|threshold| x > *threshold);
            if x.is_nan() { MISSING } else { count as u32 }
        });
        let category = self.categorical.then(|| {
            let is_code = x >= 0.0 && x.fract() == 0.0 && x < f64::from(LEFTMOST);
            match x {
                x if x.is_nan() => MISSING,
                f64::NEG_INFINITY => LEFTMOST,
                x if is_code => x as u32,
                _ => NO_CODE,
            }
        });
        exceeded.into_iter().chain(category)
    }
}

impl Clone for Cells {
    /// The same cells, none of them met yet.
    fn clone(&self) -> Self {
        let kept = Cache::with(KEPT, KEPT as u64, UnitWeighter, FxBuildHasher, Default::default());
        Self { columns: self.columns.clone(), kept }
    }
}

impl std::fmt::Debug for Cells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cells").field("columns", &self.columns.len()).field("kept", &self.kept.len()).finish()
    }
}
