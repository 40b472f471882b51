//! One grown tree.

use rayon::prelude::*;

use super::bins::{Binned, Bins, MISSING};
use super::objective::CHUNK;
use super::split::Cut;

/// A side of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Where the condition holds.
    Left,
    /// Where it does not.
    Right,
}

/// The condition of a split on the feature's own values.
#[derive(Debug, Clone, PartialEq)]
pub enum SplitRule {
    /// Left when the number is at most this.
    AtMost(f64),
    /// Left when the code is one of these (ascending).
    OneOf(Vec<u32>),
}

/// A split. Children are nodes, or leaves when negative: -1 is leaf 0, -2 leaf 1, …
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The feature it asks for.
    pub feature: usize,
    /// What it asks.
    pub rule: SplitRule,
    /// Where missing values go, and levels never seen.
    pub missing: Side,
    /// Child where the condition holds.
    pub left: i32,
    /// Child where it does not.
    pub right: i32,
    /// Loss taken away by the split, times two.
    pub gain: f64,
    pub(super) cut: Cut,
}

/// A tree: node 0 is the root; a tree without nodes is its one leaf.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// Splits.
    pub nodes: Vec<Node>,
    /// What each leaf adds to the log-odds.
    pub values: Vec<f64>,
    /// Rows that ended in each leaf when it was grown.
    pub cover: Vec<usize>,
}

/// Leaf 0 as a child.
pub(super) const fn leaf_child(leaf: usize) -> i32 {
    -1 - leaf as i32
}

impl SplitRule {
    pub(super) fn of(binned: &Binned, feature: usize, cut: Cut) -> Self {
        match (&binned.bins[feature], cut) {
            // The cut above the last bin leaves only missing values on the right.
            (Bins::Number { upper }, Cut::UpTo(bin)) => {
                Self::AtMost(upper.get(bin as usize - 1).copied().unwrap_or(f64::MAX))
            }
            (Bins::Category { code, .. }, Cut::Among(bits)) => {
                let listed = |bin: &usize| bits[bin / 64] >> (bin % 64) & 1 == 1;
                let mut codes: Vec<u32> = (1..=code.len()).filter(listed).map(|bin| code[bin - 1]).collect();
                codes.sort_unstable();
                Self::OneOf(codes)
            }
            // Numbers are only ever cut by threshold and categories by level.
            _ => Self::OneOf(Vec::new()),
        }
    }
}

impl Node {
    /// A split that was not found among bins: missing values go left, the children are to be told.
    pub(crate) fn at_most(feature: usize, threshold: f64) -> Self {
        let rule = SplitRule::AtMost(threshold);
        Self { feature, rule, missing: Side::Left, left: 0, right: 0, gain: 0.0, cut: Cut::UpTo(0) }
    }

    fn goes_left(&self, number: f64) -> bool {
        match &self.rule {
            _ if number.is_nan() => self.missing == Side::Left,
            SplitRule::AtMost(threshold) => number <= *threshold,
            SplitRule::OneOf(codes) => codes.binary_search(&(number as u32)).is_ok(),
        }
    }
}

impl Cut {
    pub(super) fn side(self, code: u8, missing: Side) -> Side {
        let left = match self {
            _ if code == MISSING => return missing,
            Self::UpTo(bin) => code <= bin,
            Self::Among(bits) => bits[(code / 64) as usize] >> (code % 64) & 1 == 1,
        };
        if left { Side::Left } else { Side::Right }
    }
}

impl Tree {
    pub(super) fn leaf(&self, binned: &Binned, row: usize) -> usize {
        let mut at = if self.nodes.is_empty() { leaf_child(0) } else { 0 };
        while at >= 0 {
            let node = &self.nodes[at as usize];
            at = match node.cut.side(binned.code(node.feature, row), node.missing) {
                Side::Left => node.left,
                Side::Right => node.right,
            };
        }
        (-1 - at) as usize
    }

    /// This tree's value for a row of numbers as they were before binning.
    #[must_use]
    pub fn value(&self, number: &dyn Fn(usize) -> f64) -> f64 {
        let mut at = if self.nodes.is_empty() { leaf_child(0) } else { 0 };
        while at >= 0 {
            let node = &self.nodes[at as usize];
            at = if node.goes_left(number(node.feature)) { node.left } else { node.right };
        }
        self.values[(-1 - at) as usize]
    }

    /// Adds this tree's value of every row in `rows` to `raw`, which is indexed by row number.
    pub(super) fn add_to(&self, binned: &Binned, rows: &[u32], raw: &mut [f64]) {
        let values: Vec<f64> = rows
            .par_chunks(CHUNK)
            .flat_map_iter(|rows| rows.iter().map(|row| self.values[self.leaf(binned, *row as usize)]))
            .collect();
        for (row, value) in rows.iter().zip(values) {
            raw[*row as usize] += value;
        }
    }
}
