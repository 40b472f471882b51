//! A random forest, by smartcore, turned into trees with honest leaves.
//!
//! smartcore's classifier answers with classes only, so its regressor grows the trees (on outcomes of 0 and
//! 1 the squared error is the Gini index), and each leaf gets the log-odds of the outcome among its rows,
//! drawn a little towards the rate of all. The forest's score is the mean of its trees' log-odds.

use rayon::prelude::*;
use serde::Deserialize;
use smartcore::ensemble::random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;

use crate::error::TrainingError;
use crate::fit::boosting::Matrix;
use crate::fit::folds::Folds;

/// Trees of a forest.
pub(super) const TREES: usize = 100;
/// Trees that are grown together, from one draw of rows.
const BATCH: usize = 10;
/// Most rows that a batch of trees is grown on; with more, batches see different rows.
const ROWS: usize = 15_000;
/// Deepest split.
pub(super) const DEPTH: u16 = 14;
/// Rows that a leaf's rate is drawn towards the rate of all.
const SMOOTH: f64 = 2.0;

/// One tree over the columns of a matrix: positions of children, or a leaf.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ForestNode {
    /// Left when the number is at most the threshold, or missing.
    Split { column: usize, threshold: f64, left: usize, right: usize },
    /// Log-odds, and the rows that ended here.
    Leaf { value: f64, rows: f64 },
}

/// A forest with log-odds of every row by trees that did not see it.
pub(crate) struct ForestFit {
    pub trees: Vec<Vec<ForestNode>>,
    /// In the order of the training rows.
    pub out_of_bag: Vec<f64>,
}

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

/// The mean log-odds of the trees for a row; `number(column)` gives its numbers.
fn descend(tree: &[ForestNode], number: impl Fn(usize) -> f64) -> usize {
    let mut at = 0;
    while let ForestNode::Split { column, threshold, left, right } = &tree[at] {
        let x = number(*column);
        at = if x > *threshold { *right } else { *left };
    }
    at
}

fn leaf_value(tree: &[ForestNode], at: usize) -> f64 {
    match &tree[at] {
        ForestNode::Leaf { value, .. } => *value,
        ForestNode::Split { .. } => 0.0,
    }
}

impl ForestFit {
    /// Log-odds of `rows`, in their order.
    pub fn raw(&self, matrix: &Matrix, rows: &[u32]) -> Vec<f64> {
        let of = |row: &u32| {
            let number = |column: usize| matrix.columns[column][*row as usize];
            let sum: f64 = self.trees.iter().map(|tree| leaf_value(tree, descend(tree, number))).sum();
            sum / self.trees.len().max(1) as f64
        };
        rows.par_iter().map(of).collect()
    }
}

/// Grows a forest on the rows of `folds`; the folds themselves are not needed, since every tree leaves rows out.
///
/// # Errors
/// [`TrainingError::Fit`] when smartcore refuses.
pub(crate) fn fit(
    matrix: &Matrix,
    label: &[f64],
    folds: &Folds,
    seed: u64,
    advance: &(dyn Fn(u64) + Sync),
) -> Result<ForestFit, TrainingError> {
    let base = base_log_odds(label, &folds.rows);
    if matrix.columns.is_empty() || folds.rows.is_empty() {
        let leaf = vec![ForestNode::Leaf { value: base, rows: folds.rows.len().max(1) as f64 }];
        return Ok(ForestFit { trees: vec![leaf], out_of_bag: vec![base; folds.rows.len()] });
    }
    let batches: Result<Vec<Batch>, TrainingError> = (0..TREES / BATCH)
        .into_par_iter()
        .map(|number| {
            let batch = grow(matrix, label, &folds.rows, number, seed)?;
            advance(BATCH as u64);
            Ok(batch)
        })
        .collect();
    let (mut trees, mut sums) = (Vec::new(), vec![(0.0, 0.0); folds.rows.len()]);
    for batch in batches? {
        trees.extend(batch.trees);
        for (sum, part) in sums.iter_mut().zip(batch.out_of_bag) {
            sum.0 += part.0;
            sum.1 += part.1;
        }
    }
    let out_of_bag = sums.into_iter().map(|(sum, count)| if count > 0.0 { sum / count } else { base });
    Ok(ForestFit { trees, out_of_bag: out_of_bag.collect() })
}

struct Batch {
    trees: Vec<Vec<ForestNode>>,
    /// Sum of log-odds and number of trees that did not see the row.
    out_of_bag: Vec<(f64, f64)>,
}

fn base_log_odds(label: &[f64], rows: &[u32]) -> f64 {
    let with: f64 = rows.iter().map(|row| label[*row as usize]).sum();
    ((with + 0.5) / (rows.len() as f64 - with + 0.5)).ln()
}

fn grow(
    matrix: &Matrix,
    label: &[f64],
    rows: &[u32],
    number: usize,
    seed: u64,
) -> Result<Batch, TrainingError> {
    let failed = |reason: String| TrainingError::Fit { learner: "random forest", reason };
    // Batches take turns through the rows, so that together they see all of them.
    let turns = rows.len().div_ceil(ROWS);
    let drawn: Vec<usize> = (0..rows.len()).filter(|at| at % turns == number % turns).collect();
    let low: Vec<f64> = matrix.columns.iter().map(|column| below_all(column)).collect();
    let filled = |column: usize, row: usize| {
        let x = matrix.columns[column][row];
        if x.is_nan() { low[column] } else { x }
    };
    let width = matrix.columns.len();
    let values = (0..width).flat_map(|column| drawn.iter().map(move |at| (column, *at)));
    let values: Vec<f64> = values.map(|(column, at)| filled(column, rows[at] as usize)).collect();
    let x = DenseMatrix::new(drawn.len(), width, values, true).map_err(|e| failed(e.to_string()))?;
    let y: Vec<f64> = drawn.iter().map(|at| label[rows[*at] as usize]).collect();
    let settings = RandomForestRegressorParameters::default()
        .with_n_trees(BATCH)
        .with_max_depth(DEPTH)
        .with_min_samples_leaf((drawn.len() / 1000).clamp(2, 10))
        .with_m(((width as f64).sqrt().ceil() as usize).clamp(1, width))
        .with_keep_samples(true)
        .with_seed(seed.wrapping_add(1000 * number as u64));
    let forest = RandomForestRegressor::fit(&x, &y, settings).map_err(|e| failed(e.to_string()))?;
    let text = serde_json::to_string(&forest).map_err(|e| failed(e.to_string()))?;
    let grown: Grown = serde_json::from_str(&text).map_err(|e| failed(e.to_string()))?;
    let base = base_log_odds(label, rows);
    let mut batch = Batch { trees: Vec::new(), out_of_bag: vec![(0.0, 0.0); rows.len()] };
    for (tree, sampled) in grown.forest_regressor.trees.iter().zip(&grown.forest_regressor.samples) {
        let mut nodes: Vec<ForestNode> = tree.nodes.iter().map(GrownNode::node).collect();
        let mut in_bag = vec![false; rows.len()];
        drawn.iter().zip(sampled).for_each(|(at, sampled)| in_bag[*at] = *sampled);
        let leaf_of: Vec<usize> =
            rows.iter().map(|row| descend(&nodes, |column| matrix.columns[column][*row as usize])).collect();
        fill_leaves(&mut nodes, &leaf_of, &in_bag, &|at| label[rows[at] as usize], base);
        for (at, leaf) in leaf_of.iter().enumerate().filter(|(at, _)| !in_bag[*at]) {
            batch.out_of_bag[at].0 += leaf_value(&nodes, *leaf);
            batch.out_of_bag[at].1 += 1.0;
        }
        batch.trees.push(prune(&nodes));
    }
    Ok(batch)
}

/// A number below all of a column's: missing values stand there while a tree is grown, so that they go left
/// wherever they are not split off.
fn below_all(column: &[f64]) -> f64 {
    let least = column.iter().copied().filter(|x| !x.is_nan()).fold(f64::MAX, f64::min);
    if least == f64::MAX { 0.0 } else { least - least.abs().max(1.0) }
}

impl GrownNode {
    fn node(&self) -> ForestNode {
        match (self.split_value, self.true_child, self.false_child) {
            (Some(threshold), Some(left), Some(right)) if threshold.is_finite() => {
                ForestNode::Split { column: self.split_feature, threshold, left, right }
            }
            _ => ForestNode::Leaf { value: 0.0, rows: 0.0 },
        }
    }
}

fn fill_leaves(
    nodes: &mut [ForestNode],
    leaf_of: &[usize],
    in_bag: &[bool],
    label: &dyn Fn(usize) -> f64,
    base: f64,
) {
    let mut counts = vec![(0.0, 0.0); nodes.len()];
    for (at, leaf) in leaf_of.iter().enumerate().filter(|(at, _)| in_bag[*at]) {
        let count: &mut (f64, f64) = &mut counts[*leaf];
        count.0 += 1.0;
        count.1 += label(at);
    }
    let rate = 1.0 / (1.0 + (-base).exp());
    for (node, (rows_here, with)) in nodes.iter_mut().zip(counts) {
        if let ForestNode::Leaf { value, rows } = node {
            let p = (with + SMOOTH * rate) / (rows_here + SMOOTH);
            *value = (p / (1.0 - p)).ln();
            *rows = rows_here;
        }
    }
}

/// The tree without branches that no row reached, positions counted anew.
fn prune(nodes: &[ForestNode]) -> Vec<ForestNode> {
    fn reached(nodes: &[ForestNode], at: usize) -> bool {
        match &nodes[at] {
            ForestNode::Leaf { rows, .. } => *rows > 0.0,
            ForestNode::Split { left, right, .. } => reached(nodes, *left) || reached(nodes, *right),
        }
    }
    fn copy(nodes: &[ForestNode], at: usize, out: &mut Vec<ForestNode>) -> usize {
        match &nodes[at] {
            ForestNode::Split { left, right, .. } if !reached(nodes, *left) => copy(nodes, *right, out),
            ForestNode::Split { left, right, .. } if !reached(nodes, *right) => copy(nodes, *left, out),
            ForestNode::Split { column, threshold, left, right } => {
                let own = out.len();
                out.push(ForestNode::Leaf { value: 0.0, rows: 0.0 });
                let (left, right) = (copy(nodes, *left, out), copy(nodes, *right, out));
                out[own] = ForestNode::Split { column: *column, threshold: *threshold, left, right };
                own
            }
            ForestNode::Leaf { value, rows } => {
                out.push(ForestNode::Leaf { value: *value, rows: rows.max(1.0) });
                out.len() - 1
            }
        }
    }
    let mut out = Vec::with_capacity(nodes.len());
    if !nodes.is_empty() {
        copy(nodes, 0, &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::boosting::FeatureKind;

    fn xor(rows: usize) -> (Matrix, Vec<f64>) {
        let bit = |i: usize, k: usize| f64::from(u8::from((i * 2654435761) >> (7 + k) & 1 == 1));
        let a: Vec<f64> = (0..rows).map(|i| if i % 10 == 0 { f64::NAN } else { bit(i, 0) }).collect();
        let b: Vec<f64> = (0..rows).map(|i| bit(i, 1)).collect();
        let y = (0..rows).map(|i| f64::from(u8::from(bit(i, 0) != bit(i, 1)))).collect();
        (Matrix { rows, columns: vec![a, b], kinds: vec![FeatureKind::Number; 2] }, y)
    }

    fn folds(rows: usize) -> Folds {
        Folds { rows: (0..rows as u32).collect(), fold: vec![0; rows], count: 1 }
    }

    #[test]
    fn a_forest_learns_what_a_line_cannot_and_rows_left_out_agree() {
        let (x, y) = xor(800);
        let fit = fit(&x, &y, &folds(800), 5, &|_| {}).unwrap();
        let clear: Vec<u32> = (0..800).filter(|row| row % 10 != 0).collect();
        let right = fit
            .raw(&x, &clear)
            .iter()
            .zip(&clear)
            .filter(|(z, r)| (**z > 0.0) == (y[**r as usize] > 0.5))
            .count();
        assert!(right as f64 > 0.99 * clear.len() as f64, "{right}");
        let honest =
            clear.iter().filter(|r| (fit.out_of_bag[**r as usize] > 0.0) == (y[**r as usize] > 0.5)).count();
        assert!(honest as f64 > 0.99 * clear.len() as f64, "{honest}");
    }

    #[test]
    fn the_same_seed_gives_the_same_forest_with_one_and_two_threads() {
        let (x, y) = xor(300);
        let grown = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fit(&x, &y, &folds(300), 5, &|_| {}).unwrap().trees)
        };
        assert_eq!(grown(1), grown(2));
    }

    #[test]
    fn a_branch_that_no_row_reached_is_cut_off() {
        let leaf = |rows| ForestNode::Leaf { value: rows, rows };
        let split = |left, right| ForestNode::Split { column: 0, threshold: 0.0, left, right };
        let pruned = prune(&[split(1, 2), leaf(0.0), split(3, 4), leaf(5.0), leaf(6.0)]);
        assert_eq!(pruned, [split(1, 2), leaf(5.0), leaf(6.0)]);
    }
}
