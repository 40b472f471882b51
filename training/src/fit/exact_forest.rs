//! Trees of a random forest on a small table, by smartcore: every value is a possible threshold.
//!
//! smartcore's classifier answers with classes only, so its regressor grows the trees (on outcomes of 0 and 1 the
//! squared error is the Gini index), and each leaf gets the log-odds of the outcome among its rows, drawn a little
//! towards the rate of all. Its time grows faster than that of histograms do, hence small tables only.

use rayon::prelude::*;
use serde::Deserialize;
use smartcore::ensemble::random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;

use crate::error::TrainingError;
use crate::fit::boosting::{Matrix, Node, Tree};
use crate::fit::forest::{DEPTH, TREES};

/// Trees that are grown together.
const BATCH: usize = 10;
/// Rows that a leaf's rate is drawn towards the rate of all.
const SMOOTH: f64 = 2.0;

#[derive(Deserialize)]
struct Grown {
    forest_regressor: GrownForest,
}

#[derive(Deserialize)]
struct GrownForest {
    trees: Vec<GrownTree>,
    samples: Vec<Vec<bool>>,
}

#[derive(Deserialize)]
struct GrownTree {
    nodes: Vec<GrownNode>,
}

#[derive(Deserialize)]
struct GrownNode {
    split_feature: usize,
    split_value: Option<f64>,
    true_child: Option<usize>,
    false_child: Option<usize>,
}

/// Grows the trees on `rows`.
///
/// # Errors
/// [`TrainingError::Fit`] when smartcore refuses.
pub(super) fn grow(
    matrix: &Matrix,
    label: &[f64],
    rows: &[u32],
    seed: u64,
    advance: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Tree>, TrainingError> {
    let batch = |number: usize| {
        let trees = grow_batch(matrix, label, rows, seed.wrapping_add(1000 * number as u64))?;
        advance(BATCH as u64);
        Ok(trees)
    };
    let batches: Result<Vec<Vec<Tree>>, TrainingError> =
        (0..TREES / BATCH).into_par_iter().map(batch).collect();
    Ok(batches?.into_iter().flatten().collect())
}

fn grow_batch(matrix: &Matrix, label: &[f64], rows: &[u32], seed: u64) -> Result<Vec<Tree>, TrainingError> {
    let failed = |reason: String| TrainingError::Fit { learner: "random forest", reason };
    let width = matrix.columns.len();
    let columns: Vec<Vec<f64>> = matrix.columns.iter().map(|column| filled(column, rows)).collect();
    let x = DenseMatrix::new(rows.len(), width, columns.concat(), true).map_err(|e| failed(e.to_string()))?;
    let y: Vec<f64> = rows.iter().map(|row| label[*row as usize]).collect();
    let settings = RandomForestRegressorParameters::default()
        .with_n_trees(BATCH)
        .with_max_depth(DEPTH as u16)
        .with_min_samples_leaf((rows.len() / 500).clamp(5, 10))
        .with_m(((width as f64).sqrt().ceil() as usize).clamp(1, width))
        .with_keep_samples(true)
        .with_seed(seed);
    let forest = RandomForestRegressor::fit(&x, &y, settings).map_err(|e| failed(e.to_string()))?;
    // What smartcore grew is had only as what it serialises to.
    let text = serde_json::to_string(&forest).map_err(|e| failed(e.to_string()))?;
    let Grown { forest_regressor: grown } = serde_json::from_str(&text).map_err(|e| failed(e.to_string()))?;
    let rate = (y.iter().sum::<f64>() + 0.5) / (y.len() as f64 + 1.0);
    let trees = grown.trees.iter().zip(&grown.samples).map(|(tree, sampled)| {
        let mut counts = vec![(0, 0.0); tree.nodes.len()];
        for (at, y) in y.iter().enumerate().filter(|(at, _)| sampled[*at]) {
            let count = &mut counts[leaf_of(&tree.nodes, |column| columns[column][at])];
            count.0 += 1;
            count.1 += y;
        }
        Planter { nodes: &tree.nodes, counts: &counts, rate }.tree()
    });
    Ok(trees.collect())
}

/// The rows of a column, missing values below all others: they go left wherever they are not split off.
fn filled(column: &[f64], rows: &[u32]) -> Vec<f64> {
    let least = column.iter().copied().filter(|x| !x.is_nan()).fold(f64::MAX, f64::min);
    let low = if least == f64::MAX { 0.0 } else { least - least.abs().max(1.0) };
    let number = |row: &u32| Some(column[*row as usize]).filter(|x| !x.is_nan()).unwrap_or(low);
    rows.iter().map(number).collect()
}

impl GrownNode {
    /// Feature, threshold and children; none for a leaf.
    fn split(&self) -> Option<(usize, f64, usize, usize)> {
        let threshold = self.split_value.filter(|value| value.is_finite())?;
        Some((self.split_feature, threshold, self.true_child?, self.false_child?))
    }
}

fn leaf_of(nodes: &[GrownNode], number: impl Fn(usize) -> f64) -> usize {
    let mut at = 0;
    while let Some((feature, threshold, left, right)) = nodes[at].split() {
        at = if number(feature) <= threshold { left } else { right };
    }
    at
}

/// Copies what smartcore grew, without branches that no row reached.
struct Planter<'a> {
    nodes: &'a [GrownNode],
    /// Rows that ended in each leaf, and those of them with the outcome.
    counts: &'a [(usize, f64)],
    rate: f64,
}

impl Planter<'_> {
    fn tree(&self) -> Tree {
        let mut tree = Tree { nodes: Vec::new(), values: Vec::new(), cover: Vec::new() };
        self.plant(0, &mut tree);
        tree
    }

    fn rows(&self, at: usize) -> usize {
        let below = self.nodes[at].split().map(|(_, _, left, right)| self.rows(left) + self.rows(right));
        below.unwrap_or(self.counts[at].0)
    }

    /// The position of the copied node, or of the leaf as a negative number.
    fn plant(&self, at: usize, tree: &mut Tree) -> i32 {
        let Some((feature, threshold, left, right)) = self.nodes[at].split() else {
            let (rows, with) = self.counts[at];
            let p = (with + SMOOTH * self.rate) / (rows as f64 + SMOOTH);
            tree.values.push((p / (1.0 - p)).ln());
            tree.cover.push(rows.max(1));
            return -(tree.values.len() as i32);
        };
        match (self.rows(left), self.rows(right)) {
            (0, _) => self.plant(right, tree),
            (_, 0) => self.plant(left, tree),
            _ => {
                let own = tree.nodes.len();
                tree.nodes.push(Node::at_most(feature, threshold));
                let (left, right) = (self.plant(left, tree), self.plant(right, tree));
                tree.nodes[own].left = left;
                tree.nodes[own].right = right;
                own as i32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_that_no_row_reached_is_cut_off_and_leaves_hold_their_own_rate() {
        let split = |left, right| GrownNode {
            split_feature: 0,
            split_value: Some(0.5),
            true_child: Some(left),
            false_child: Some(right),
        };
        let leaf = || GrownNode { split_feature: 0, split_value: None, true_child: None, false_child: None };
        let nodes = [split(1, 2), leaf(), split(3, 4), leaf(), leaf()];
        let counts = [(0, 0.0), (0, 0.0), (0, 0.0), (8, 8.0), (6, 0.0)];
        let tree = Planter { nodes: &nodes, counts: &counts, rate: 0.5 }.tree();
        assert_eq!((tree.nodes.len(), tree.cover.as_slice()), (1, &[8, 6][..]));
        assert!((tree.value(&|_| 0.0) - (9.0_f64 / 1.0).ln()).abs() < 1e-12);
        assert!((tree.value(&|_| f64::NAN) - (9.0_f64 / 1.0).ln()).abs() < 1e-12, "missing goes left");
        assert!((tree.value(&|_| 1.0) - (1.0_f64 / 7.0).ln()).abs() < 1e-12);
    }
}
