//! Exact contributions of the columns to a forest's score: path-dependent `TreeSHAP`.
//!
//! The values are those of Lundberg et al., "From local explanations to global understanding with explainable AI
//! for trees" (Nature Machine Intelligence, 2020), algorithm 2, computed another way. Take the way to a leaf of
//! value v that asks d different columns. Let z(j) be the share of the training rows that column j lets through
//! on that way, and o(j) be 1 if it lets this row through, else 0. The leaf gives column i
//!
//! ```text
//! v (o(i) - z(i)) Σ over S of |S|! (d-|S|-1)! / d! · Π o(j), j in S · Π z(j), j neither in S nor i
//! ```
//!
//! Since `s! (d-s-1)! / d!` is the integral of `t^s (1-t)^(d-s-1)` over t from 0 to 1, the sum over all subsets is
//!
//! ```text
//! ∫ Π (t·o(j) + (1-t)·z(j)) dt over j other than i
//! ```
//!
//! a polynomial of degree d-1, which Gauss–Legendre quadrature with d/2 points gives exactly; and every number in
//! it is positive, so nothing cancels. With Z = Π z(j), the share of the training rows that reached the leaf, and with
//! q(j) = o(j) / z(j), every z goes out of the integral:
//!
//! ```text
//! v·Z (q(i) - 1) ∫ Π f(j, t) dt over j other than i,   f(j, t) = (1-t) + t·q(j)
//! ```
//!
//! so that a column that does not let the row through has the factor 1-t whichever way it is. The products are shared
//! along the tree: one pass down multiplies the factors of the columns above each node, one pass up adds up what lies
//! below (the sharing of Yu et al., "Linear `TreeSHAP`", 2022). A row costs a few multiplications per split and point,
//! where the recursion of the paper costs the square of the depth per leaf.
//!
//! [`steps`] finds z, o's questions and Z, [`lay`] puts the splits of many trees in an order in which those of one kind
//! follow each other, and [`passes`] goes over them, for all points at once.

mod draft;
mod lay;
mod memory;
mod passes;
mod points;
mod steps;
mod trees;

use std::cell::RefCell;

use fearless_simd::{Level, Simd, dispatch, f64x4, f64x8};

use super::Forest;
use super::node::sides;
use lay::Laying;
use memory::Memory;
use steps::Steps;
use trees::Trees;

/// What contributions need to know of a forest.
///
/// Trees stand by the number of quadrature points that their longest way needs: half as many as it asks columns, rounded
/// up to what there is code for; the last is enough for the 128 columns that a way may ask.
#[derive(Debug, Clone)]
pub(super) struct Explainer {
    by_4: Trees<4>,
    by_8: Trees<8>,
    by_16: Trees<16>,
    by_64: Trees<64>,
    /// Questions for sets: which side of a column, and which set. Splits ask for their answers as for columns.
    sets: Vec<(u32, u32)>,
    /// The mean score of the training rows.
    base: f64,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

impl Explainer {
    pub(super) fn new(forest: &Forest) -> Self {
        let mut sets = Vec::new();
        let mut by_4 = Laying::new();
        let mut by_8 = Laying::new();
        let mut by_16 = Laying::new();
        let mut by_64 = Laying::new();
        let mut base = forest.base;
        for tree in 0..forest.trees.len() {
            let steps = Steps::of(forest, tree);
            base += steps.mean;
            match steps.columns {
                0..=8 => by_4.push(&steps, &mut sets),
                9..=16 => by_8.push(&steps, &mut sets),
                17..=32 => by_16.push(&steps, &mut sets),
                _ => by_64.push(&steps, &mut sets),
            }
        }
        let (by_4, by_8, by_16, by_64) = (by_4.finish(), by_8.finish(), by_16.finish(), by_64.finish());
        Self { by_4, by_8, by_16, by_64, sets, base }
    }

    /// The mean score of the training rows.
    pub(super) const fn base(&self) -> f64 {
        self.base
    }

    /// Adds every column's contribution for `row` to `out`; the bits do not depend on the `level` of instructions.
    pub(super) fn add(&self, level: Level, forest: &Forest, row: &[f64], out: &mut [f64]) {
        MEMORY.with_borrow_mut(|memory| {
            self.ask(forest, row, &mut memory.asked);
            dispatch!(level, simd => self.walk(simd, memory, out));
        });
    }

    /// Writes down what splits ask for: the row's sides, and for each set the infinity on whose side the row goes.
    fn ask(&self, forest: &Forest, row: &[f64], asked: &mut Vec<f64>) {
        asked.clear();
        asked.resize(2 * forest.width, 0.0);
        sides(&row[..forest.width], asked);
        for (side, set) in &self.sets {
            let left = forest.sets.goes_left(*set as usize, asked[*side as usize]);
            asked.push(if left { f64::NEG_INFINITY } else { f64::INFINITY });
        }
    }

    #[inline(always)]
    fn walk<S: Simd>(&self, simd: S, memory: &mut Memory, out: &mut [f64]) {
        self.by_4.add::<S, f64x4<S>, 1>(simd, memory, out);
        // Measured: one vector of eight numbers is slower than two of four.
        self.by_8.add::<S, f64x4<S>, 2>(simd, memory, out);
        self.by_16.add::<S, f64x8<S>, 2>(simd, memory, out);
        self.by_64.add::<S, f64x8<S>, 8>(simd, memory, out);
    }
}

#[cfg(test)]
mod tests;
