//! A sum of trees, laid out for the cache: boosted trees and random forests.

mod builder;
mod cells;
mod crowd;
mod explain;
mod ladder;
mod node;
mod pass;
mod quadrature;
mod store;
mod thresholds;

use std::sync::OnceLock;

pub use builder::{ForestBuilder, SplitRule, TreeNode};
use fearless_simd::Level;
pub(crate) use store::ForestHeader;

use cells::Cells;
use crowd::{Crowd, Part};
use explain::Explainer;
use node::{CodeSets, Node, sides};
use pass::Block;

use crate::predictor::Scale;

/// `base + Σ leaf`, one leaf of every tree.
///
/// Built by [`ForestBuilder`]. All nodes of all trees stand in one array, breadth first within a tree. A score
/// walks eight trees at a time, so that the processor has eight independent loads under way instead of one. A
/// batch passes each node together, a bit for each row (`crowd`, `pass`); where it is small or a tree large, it
/// walks eight rows through one tree after the other. All add up the leaves in the order of the trees and so give
/// the same bits.
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
    explainer: OnceLock<Box<(Explainer, Cells)>>,
    crowd: OnceLock<Crowd>,
}

/// Tables that are built when they are first read do not count.
impl PartialEq for Forest {
    fn eq(&self, other: &Self) -> bool {
        let numbers = |of: &Self| (of.base, of.width, of.scale);
        numbers(self) == numbers(other)
            && self.nodes == other.nodes
            && self.leaf == other.leaf
            && self.cover == other.cover
            && self.trees == other.trees
            && self.sets == other.sets
    }
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
const BLOCK: usize = 32;

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
        self.tables();
        self.crowd();
    }

    fn crowd(&self) -> &Crowd {
        self.crowd.get_or_init(|| Crowd::new(self))
    }

    fn tables(&self) -> &(Explainer, Cells) {
        self.explainer.get_or_init(|| Box::new((Explainer::new(self), Cells::new(self))))
    }

    /// The raw score of a row at least [`Forest::width`] wide; missing is NaN.
    #[must_use]
    pub fn raw(&self, row: &[f64]) -> f64 {
        let row = &row[..self.width];
        // Most rows fit the stack, which keeps a score free of allocation.
        match self.width {
            0..=64 => self.raw_in(row, &mut [0.0; 128]),
            65..=512 => self.raw_in(row, &mut [0.0; 1024]),
            _ => self.raw_in(row, &mut vec![0.0; 2 * self.width]),
        }
    }

    fn raw_in(&self, row: &[f64], space: &mut [f64]) -> f64 {
        sides(row, space);
        if self.sets.ends.is_empty() {
            self.walk_trees::<false>(space)
        } else {
            self.walk_trees::<true>(space)
        }
    }

    /// The raw scores of rows laid one after the other, each `width` wide.
    pub(crate) fn raw_batch(&self, rows: &[f64], width: usize, out: &mut [f64]) {
        if self.width == 0 {
            out.fill(self.raw(&[]));
            return;
        }
        match out.len() {
            few if few < self.crowd().pays_from => {
                out.fill(self.base);
                self.walk_batch(&self.trees, (rows, width), out);
            }
            0..=64 => self.pass_batch::<1>(Level::new(), (rows, width), out),
            65..=128 => self.pass_batch::<2>(Level::new(), (rows, width), out),
            _ => self.pass_batch::<4>(Level::new(), (rows, width), out),
        }
    }

    fn pass_batch<const W: usize>(&self, level: Level, (rows, width): (&[f64], usize), out: &mut [f64]) {
        for (rows, sums) in rows.chunks(64 * W * width).zip(out.chunks_mut(64 * W)) {
            sums.fill(self.base);
            for part in &self.crowd().parts {
                match part {
                    Part::Bits(chunk) => {
                        pass::add::<W>(level, chunk, Block { rows, width, sets: &self.sets }, sums)
                    }
                    Part::Walk(trees) => self.walk_batch(&self.trees[trees.clone()], (rows, width), sums),
                }
            }
        }
    }

    /// Adds the leaves of some trees to the sums of many rows.
    fn walk_batch(&self, trees: &[Tree], (rows, width): (&[f64], usize), out: &mut [f64]) {
        let mut space = vec![0.0; 2 * self.width * BLOCK.min(out.len())];
        for (rows, out) in rows.chunks(BLOCK * width).zip(out.chunks_mut(BLOCK)) {
            for (row, space) in rows.chunks(width).zip(space.chunks_mut(2 * self.width)) {
                sides(&row[..self.width], space);
            }
            if self.sets.ends.is_empty() {
                self.walk_rows::<false>(trees, &space, out);
            } else {
                self.walk_rows::<true>(trees, &space, out);
            }
        }
    }

    pub(crate) fn add_contributions(&self, row: &[f64], factor: f64, out: &mut [f64]) -> f64 {
        let (explainer, cells) = self.tables();
        cells.add(row, factor, out, || {
            let mut contributions = vec![0.0; self.width];
            explainer.add(Level::new(), self, row, &mut contributions);
            contributions
        });
        factor * explainer.base()
    }

    fn walk_trees<const SETS: bool>(&self, row: &[f64]) -> f64 {
        let mut sum = self.base;
        let (groups, rest) = self.trees.as_chunks::<LANES>();
        for group in groups {
            let depth = group.iter().fold(0, |deepest, tree| deepest.max(tree.depth));
            let ends = walk(group.map(|tree| tree.root), depth, |_, at| self.step::<SETS>(at, row));
            for end in ends {
                sum += self.leaf[end as usize];
            }
        }
        for tree in rest {
            sum += self.leaf[self.descend::<SETS>(*tree, row) as usize];
        }
        sum
    }

    fn walk_rows<const SETS: bool>(&self, trees: &[Tree], rows: &[f64], out: &mut [f64]) {
        let width = 2 * self.width;
        for tree in trees {
            let (groups, rest) = out.as_chunks_mut::<LANES>();
            let first_of_rest = groups.len() * LANES;
            for (group, rows) in groups.iter_mut().zip(rows.chunks_exact(LANES * width)) {
                let step = |lane, at| self.step_in::<SETS>(at, rows, lane * width);
                let ends = walk([tree.root; LANES], tree.depth, step);
                for (sum, end) in group.iter_mut().zip(ends) {
                    *sum += self.leaf[end as usize];
                }
            }
            for (sum, row) in rest.iter_mut().zip(rows.chunks_exact(width).skip(first_of_rest)) {
                *sum += self.leaf[self.descend::<SETS>(*tree, row) as usize];
            }
        }
    }

    fn descend<const SETS: bool>(&self, tree: Tree, row: &[f64]) -> u32 {
        (0..tree.depth).fold(tree.root, |at, _| self.step::<SETS>(at, row))
    }

    /// The child that a row of sides goes to from node `at`; `at` itself when it is a leaf.
    #[inline(always)]
    fn step<const SETS: bool>(&self, at: u32, row: &[f64]) -> u32 {
        self.step_in::<SETS>(at, row, 0)
    }

    /// As [`Forest::step`], for the row of sides that begins at `start`.
    #[inline(always)]
    fn step_in<const SETS: bool>(&self, at: u32, rows: &[f64], start: usize) -> u32 {
        let node = self.nodes[at as usize];
        let right = node.goes_right::<SETS>(&self.sets, rows[start + node.side::<SETS>()]);
        // Cannot overflow, since both children are there; a check would cost as much as the step.
        node.child.wrapping_add(u32::from(right))
    }
}

/// Takes all lanes down step by step until none moves any more, at most `depth` times.
#[inline(always)]
fn walk(mut at: [u32; LANES], depth: u32, step: impl Fn(usize, u32) -> u32) -> [u32; LANES] {
    for _ in 0..depth {
        let mut moved = 0;
        for (lane, at) in at.iter_mut().enumerate() {
            let next = step(lane, *at);
            moved |= next ^ *at;
            *at = next;
        }
        if moved == 0 {
            break;
        }
    }
    at
}

#[cfg(test)]
mod parity;
#[cfg(test)]
mod tests;
