//! A random forest (Breiman 2001): by smartcore where every threshold can be tried, on the histograms of the boosted
//! trees where there are more rows.
//!
//! Each tree is grown on its own draw of rows and features, and each leaf holds the log-odds of the outcome among
//! its rows, drawn a little towards the rate of all. The forest's score is the mean of its trees' log-odds.

use rayon::prelude::*;

use crate::error::TrainingError;
use crate::fit::boosting::{Binned, BoostingParams, Matrix, Tree, bag};
use crate::fit::exact_forest;

/// Rows up to which smartcore grows the trees.
const EXACT_UP_TO: usize = 2_000;
/// Trees of a forest.
pub(super) const TREES: usize = 100;
/// Most splits between root and leaf.
pub(super) const DEPTH: usize = 14;
/// Most leaves of a tree.
const LEAVES: usize = 512;
/// Share of the columns that a tree may split on.
const COLUMNS: f64 = 0.5;

/// A forest over the columns of a matrix.
pub(crate) struct ForestFit {
    pub trees: Vec<Tree>,
}

impl ForestFit {
    /// Log-odds of `rows` of a matrix with the same columns, in their order.
    pub fn raw(&self, matrix: &Matrix, rows: &[u32]) -> Vec<f64> {
        let of = |row: &u32| {
            let number = |column: usize| matrix.columns[column][*row as usize];
            let sum: f64 = self.trees.iter().map(|tree| tree.value(&number)).sum();
            sum / self.trees.len().max(1) as f64
        };
        rows.par_iter().map(of).collect()
    }
}

/// Grows a forest on `rows`; `advance` is told of every tree.
///
/// # Errors
/// [`TrainingError::Fit`] when a setting is refused, which no data should cause.
pub(crate) fn fit(
    matrix: &Matrix,
    label: &[f64],
    rows: &[u32],
    seed: u64,
    advance: &(dyn Fn(u64) + Sync),
) -> Result<ForestFit, TrainingError> {
    if (1..=EXACT_UP_TO).contains(&rows.len()) && !matrix.columns.is_empty() {
        return Ok(ForestFit { trees: exact_forest::grow(matrix, label, rows, seed, advance)? });
    }
    let params = BoostingParams {
        trees: TREES,
        leaves: LEAVES,
        max_depth: DEPTH,
        min_rows: (rows.len() / 500).clamp(10, 30),
        feature_share: COLUMNS,
        seed,
        ..BoostingParams::default()
    };
    let trees = bag(&Binned::new(matrix), label, rows, &params, advance)
        .map_err(|error| TrainingError::Fit { learner: "random forest", reason: error.to_string() })?;
    Ok(ForestFit { trees })
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
        let useless = (0..rows).map(|i| bit(i, 5)).collect();
        (Matrix { rows, columns: vec![a, b, useless], kinds: vec![FeatureKind::Number; 3] }, y)
    }

    fn grown(rows: usize) -> Result<ForestFit, TrainingError> {
        let (x, y) = xor(rows);
        fit(&x, &y, &(0..rows as u32).collect::<Vec<_>>(), 5, &|_| {})
    }

    #[test]
    fn a_forest_learns_what_a_line_cannot() {
        let (x, y) = xor(800);
        let clear: Vec<u32> = (0..800).filter(|row| row % 10 != 0).collect();
        let raw = grown(800).unwrap().raw(&x, &clear);
        let right = raw.iter().zip(&clear).filter(|(z, r)| (**z > 0.0) == (y[**r as usize] > 0.5)).count();
        assert!(right as f64 > 0.99 * clear.len() as f64, "{right}");
    }

    #[test]
    fn a_forest_on_noise_stays_near_the_rate_of_all_for_rows_that_it_did_not_see() {
        let rows = 2000_usize;
        let noise = |i: usize, k: usize| f64::from(((i * 7919 + k * 104_729) % 1009) as u32);
        let columns = (1..4).map(|k| (0..rows).map(|i| noise(i, k) % (97.0 * k as f64)).collect()).collect();
        let x = Matrix { rows, columns, kinds: vec![FeatureKind::Number; 3] };
        let y: Vec<f64> = (0..rows).map(|i| f64::from(u8::from((i * 2654435761) >> 9 & 3 == 0))).collect();
        let (learn, asked): (Vec<u32>, Vec<u32>) = (0..rows as u32).partition(|row| row % 2 == 0);
        let raw = fit(&x, &y, &learn, 1, &|_| {}).unwrap().raw(&x, &asked);
        let mean = raw.iter().map(|z| 1.0 / (1.0 + (-z).exp())).sum::<f64>() / raw.len() as f64;
        let rate = learn.iter().map(|row| y[*row as usize]).sum::<f64>() / learn.len() as f64;
        assert!((mean - rate).abs() < 0.06, "{mean} {rate}");
    }

    #[test]
    fn the_same_seed_gives_the_same_forest_with_one_and_two_threads() {
        let trees = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| grown(300).unwrap().trees)
        };
        assert_eq!(trees(1), trees(2));
    }
}
