//! Trees laid out for contributions.

use fearless_simd::Simd;
use fearless_simd::prelude::*;

use super::super::quadrature::Quadrature;
use super::memory::Memory;
use super::passes::Walk;

/// Splits that are asked together.
pub(super) const TOGETHER: usize = 8;

/// Some trees, with the points that their contributions are integrated by.
#[derive(Debug, Clone)]
pub(super) struct Trees<const N: usize> {
    pub(super) rule: Quadrature<N>,
    pub(super) blocks: Vec<Block<N>>,
    /// The columns that they ask, ascending.
    pub(super) columns: Vec<u32>,
}

/// Some trees that are walked together: their splits in runs of one kind, each above those below it, those whose
/// children are both leaves last. Every number of a split stands at its position in an array of such numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Block<const N: usize> {
    /// How many trees there are; their roots have the first places.
    pub(super) roots: usize,
    /// How many places there are: one for each split.
    pub(super) places: usize,
    pub(super) runs: Vec<Run>,
    /// Where the splits begin whose children are both leaves.
    pub(super) last: usize,
    /// What splits ask, eight by eight.
    pub(super) questions: Vec<Questions>,
    pub(super) seats: Vec<Seat>,
    /// Of splits whose column was asked before on the way, in their order.
    pub(super) again: Vec<Again<N>>,
}

/// An earlier question for the same column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Again<const N: usize> {
    /// Where `Walk::go` has q of the column so far.
    pub(super) before: u32,
    /// One over its factor f at each point, if it lets the row through.
    pub(super) inverse: [f64; N],
}

/// Splits of one kind that follow each other, none above another.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// Positions of the splits.
    pub(super) splits: std::ops::Range<usize>,
    /// How many children are splits: the first, or both.
    pub(super) children: usize,
    /// The place of the first child; the others follow.
    pub(super) first_child: usize,
    /// For splits whose column was asked before, the position of the first of them among such.
    pub(super) again: Option<usize>,
}

/// What some splits ask, and what becomes of the row. The numbers lie in lines of the cache, where vectors are read fast.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
pub(super) struct Questions {
    /// What is asked for: a side of a column, or a set.
    pub(super) asked: [u32; TOGETHER],
    /// A row that exceeds this goes right.
    pub(super) thresholds: [f64; TOGETHER],
    /// A bit for each split, set where the child that counts as the first is the right one.
    pub(super) swapped: u8,
    /// What `Walk::go` is: for splits with splits below them the two numbers of each, side by side; for others all of those
    /// that a row has which goes to the first child, then those of a row that goes to the other.
    pub(super) go: [[f64; TOGETHER]; 2],
}

/// Where a split stands.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seat {
    /// Its place as a child of the split above.
    pub(super) place: u32,
    /// The position of the column that it asks.
    pub(super) column: u32,
    /// Value times reach of a leaf beside a split; of two leaves the sum. Else 0.
    pub(super) leaves: f64,
}

impl<const N: usize> Trees<N> {
    /// Adds every column's contribution to `out`, for the row that `memory` has the answers of. `V` times `M` is `N` numbers.
    #[inline(always)]
    pub(super) fn add<S: Simd, V: SimdBase<S, Element = f64>, const M: usize>(
        &self,
        simd: S,
        memory: &mut Memory,
        out: &mut [f64],
    ) {
        if self.columns.is_empty() {
            return;
        }
        let columns = self.columns.len();
        memory.sums.room(columns * N).fill(0.0);
        for block in &self.blocks {
            Walk::new(block, memory, columns).walk::<S, V, M>(simd, &self.rule, block);
        }
        let sums = memory.sums.room(columns * N).chunks_exact(N);
        for (column, sums) in self.columns.iter().zip(sums) {
            out[*column as usize] += sums.iter().sum::<f64>();
        }
    }
}

impl<const N: usize> Block<N> {
    /// The earlier questions of a run's splits, if there are any.
    #[inline(always)]
    pub(super) fn agains<const AGAIN: bool>(&self, run: &Run) -> &[Again<N>] {
        match run.again {
            Some(first) if AGAIN => &self.again[first..][..run.splits.len()],
            _ => &[],
        }
    }
}
