//! Contributions kept by cell.
//!
//! A forest asks a row nothing but on which side of its thresholds, and in which of its sets, each column lies. Rows
//! that give the same answers lie in one cell: all of them get the same contributions, to the last bit. So a deal that is
//! looked at again, its clock a minute further, need not be explained again; only when a fact or a threshold is crossed.

use std::cell::RefCell;
use std::sync::Arc;

use fearless_simd::{Level, Simd, dispatch};
use quick_cache::UnitWeighter;
use quick_cache::sync::Cache;
use rustc_hash::FxBuildHasher;

use super::Forest;
use super::ladder::Ladder;

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
#[derive(Debug, Clone)]
struct Column {
    column: usize,
    /// Its thresholds, if it has any.
    thresholds: Option<Ladder>,
    /// True when it is also asked for membership in sets.
    categorical: bool,
}

thread_local! {
    /// The cell that is being looked for: only those that are kept get memory of their own.
    static CELL: RefCell<Vec<u32>> = RefCell::default();
}

impl Cells {
    pub(super) fn new(forest: &Forest) -> Self {
        let mut asked = vec![(Vec::new(), false); forest.width];
        for (at, node) in forest.nodes.iter().enumerate() {
            if node.child as usize == at {
                continue;
            }
            let question = node.question();
            let (thresholds, categorical) = &mut asked[question.column as usize];
            if question.categorical {
                *categorical = true;
            } else {
                thresholds.push(question.threshold);
            }
        }
        let columns = asked.into_iter().enumerate().filter_map(|(column, (mut thresholds, categorical))| {
            thresholds.sort_unstable_by(f64::total_cmp);
            thresholds.dedup();
            let thresholds = (!thresholds.is_empty()).then(|| Ladder::new(&thresholds));
            (categorical || thresholds.is_some()).then_some(Column { column, thresholds, categorical })
        });
        Self {
            columns: columns.collect(),
            kept: Cache::with(KEPT, KEPT as u64, UnitWeighter, FxBuildHasher, Default::default()),
        }
    }

    /// Adds `factor` times the contributions of a row's cell to `out`; `explain` computes those of a cell not met
    /// lately, one number for each column of the forest.
    pub(super) fn add(&self, row: &[f64], factor: f64, out: &mut [f64], explain: impl FnOnce() -> Vec<f64>) {
        let kept = CELL.with_borrow_mut(|cell| {
            dispatch!(Level::new(), simd => self.find(simd, row, cell));
            self.kept.get(cell.as_slice()).unwrap_or_else(|| {
                let all = explain();
                let used: Arc<[f64]> = self.columns.iter().map(|column| all[column.column]).collect();
                self.kept.insert(cell.as_slice().into(), used.clone());
                used
            })
        });
        for (column, contribution) in self.columns.iter().zip(kept.iter()) {
            out[column.column] += factor * contribution;
        }
    }

    /// Writes down which cell a row lies in.
    #[inline(always)]
    fn find<S: Simd>(&self, simd: S, row: &[f64], cell: &mut Vec<u32>) {
        cell.clear();
        for column in &self.columns {
            let x = row[column.column];
            if let Some(thresholds) = &column.thresholds {
                let mut exceeded = [0];
                thresholds.exceeded(simd, &[x], &mut exceeded);
                cell.push(if x.is_nan() { MISSING } else { exceeded[0] });
            }
            if column.categorical {
                cell.push(category(x));
            }
        }
    }
}

/// Which category a number is.
fn category(x: f64) -> u32 {
    let is_code = x >= 0.0 && x.fract() == 0.0 && x < f64::from(LEFTMOST);
    match x {
        x if x.is_nan() => MISSING,
        f64::NEG_INFINITY => LEFTMOST,
        x if is_code => x as u32,
        _ => NO_CODE,
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
