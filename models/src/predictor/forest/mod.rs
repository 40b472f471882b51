//! A sum of trees, laid out for the cache: boosted trees and random forests.

mod builder;
mod explain;
mod node;
mod quadrature;
mod store;

use std::sync::OnceLock;

pub use builder::{ForestBuilder, SplitRule, TreeNode};
pub(crate) use store::ForestHeader;

use explain::Explainer;
use node::{CodeSets, Node};

use crate::predictor::Scale;

/// `base + Σ leaf`, one leaf of every tree.
///
/// Built by [`ForestBuilder`]. All nodes of all trees stand in one array, breadth first within a tree. A score
/// walks eight trees at a time, so that the processor has eight independent loads under way instead of one; a
/// batch walks eight rows through one tree after the other, so that the tree stays in the first-level cache.
/// Both add up the leaves in the order of the trees and so give the same bits.
#[derive(Debug, Clone)]
pub struct Forest {
    nodes: Vec<Node>,
    /// The leaf's value at the position of its node, 0 elsewhere.
    leaf: Vec<f64>,
    /// Weight of the training rows that passed a node, above 0.
    cover: Vec<f64>,
    trees: Vec<Tree>,
    sets: CodeSets,
    base: f64,
    width: usize,
    scale: Scale,
    explainer: OnceLock<Box<Explainer>>,
}

/// Where a tree stands, and how many steps lead to its deepest leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tree {
    root: u32,
    depth: u32,
}

/// Trees, or rows, walked side by side.
const LANES: usize = 8;
/// Rows of a batch that are walked through all trees before the next; their columns fit the cache.
const BLOCK: usize = 64;

impl Forest {
    /// The scale of the sum.
    #[must_use]
    pub const fn scale(&self) -> Scale {
        self.scale
    }

    /// Columns that a row must have at least.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// What every score starts from.
    #[must_use]
    pub const fn base(&self) -> f64 {
        self.base
    }

    /// Number of trees.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.trees.len()
    }

    /// True when there is no tree.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }

    /// Builds the tables that contributions read, unless they stand.
    pub(crate) fn prepare(&self) {
        self.explainer.get_or_init(|| Box::new(Explainer::new(self)));
    }

    /// The raw score of a row at least [`Forest::width`] wide; missing is NaN.
    #[must_use]
    pub fn raw(&self, row: &[f64]) -> f64 {
        let row = &row[..self.width];
        if self.sets.ends.is_empty() { self.walk_trees::<false>(row) } else { self.walk_trees::<true>(row) }
    }

    /// The raw scores of rows laid one after the other, each `width` wide.
    pub(crate) fn raw_batch(&self, rows: &[f64], width: usize, out: &mut [f64]) {
        if width == 0 {
            out.fill(self.raw(&[]));
            return;
        }
        for (rows, out) in rows.chunks(BLOCK * width).zip(out.chunks_mut(BLOCK)) {
            if self.sets.ends.is_empty() {
                self.walk_rows::<false>(rows, width, out);
            } else {
                self.walk_rows::<true>(rows, width, out);
            }
        }
    }

    pub(crate) fn add_contributions(&self, row: &[f64], factor: f64, out: &mut [f64]) -> f64 {
        let explainer = self.explainer.get_or_init(|| Box::new(Explainer::new(self)));
        explainer.add(self, &row[..self.width], factor, out)
    }

    fn walk_trees<const SETS: bool>(&self, row: &[f64]) -> f64 {
        let mut sum = self.base;
        let (groups, rest) = self.trees.as_chunks::<LANES>();
        for group in groups {
            let mut at = group.map(|tree| tree.root);
            let depth = group.iter().fold(0, |deepest, tree| deepest.max(tree.depth));
            for _ in 0..depth {
                for lane in &mut at {
                    *lane = self.step::<SETS>(*lane, row);
                }
            }
            for lane in at {
                sum += self.leaf[lane as usize];
            }
        }
        for tree in rest {
            sum += self.leaf[self.descend::<SETS>(*tree, row) as usize];
        }
        sum
    }

    fn walk_rows<const SETS: bool>(&self, rows: &[f64], width: usize, out: &mut [f64]) {
        out.fill(self.base);
        for tree in &self.trees {
            for (rows, out) in rows.chunks(LANES * width).zip(out.chunks_mut(LANES)) {
                if out.len() < LANES {
                    for (row, sum) in rows.chunks(width).zip(out) {
                        *sum += self.leaf[self.descend::<SETS>(*tree, row) as usize];
                    }
                    continue;
                }
                let mut at = [tree.root; LANES];
                for _ in 0..tree.depth {
                    for (lane, row) in at.iter_mut().zip(rows.chunks_exact(width)) {
                        *lane = self.step::<SETS>(*lane, row);
                    }
                }
                for (lane, sum) in at.iter().zip(out) {
                    *sum += self.leaf[*lane as usize];
                }
            }
        }
    }

    fn descend<const SETS: bool>(&self, tree: Tree, row: &[f64]) -> u32 {
        (0..tree.depth).fold(tree.root, |at, _| self.step::<SETS>(at, row))
    }

    /// The child that `row` goes to from node `at`; `at` itself when it is a leaf.
    #[inline(always)]
    fn step<const SETS: bool>(&self, at: u32, row: &[f64]) -> u32 {
        let node = self.nodes[at as usize];
        let x = row[node.column()];
        let beyond = if SETS && node.is_categorical() {
            !(x.is_nan() || self.sets.contains(node.threshold as usize, x))
        } else {
            x > node.threshold
        };
        // `|` instead of `||`: both sides are cheap, and a branch here would be mispredicted half the time.
        node.child.wrapping_add(u32::from(beyond | (x.is_nan() & node.missing_right())))
    }
}

#[cfg(test)]
mod parity;
#[cfg(test)]
mod tests;
