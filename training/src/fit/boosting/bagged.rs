//! Trees that do not build on one another: each from its own draw of rows (Breiman 1996).

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::bins::Binned;
use super::boost::Draws;
use super::grow::Grower;
use super::params::{BoostingParams, InvalidBoosting};
use super::tree::Tree;

/// Rows that a leaf's rate is drawn towards the rate of all.
const SMOOTH: f64 = 2.0;

/// Grows `params.trees` trees, each on a bootstrap sample of `rows` and its own draw of features. With outcomes
/// of 0 and 1 the squared error that is minimised is the Gini index. A leaf holds the log-odds of the outcome
/// among its rows, drawn a little towards the rate of all.
///
/// # Errors
/// [`InvalidBoosting`] when a setting is out of range.
pub fn bag(
    binned: &Binned,
    label: &[f64],
    rows: &[u32],
    params: &BoostingParams,
    advance: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Tree>, InvalidBoosting> {
    params.check()?;
    let with: f64 = rows.iter().map(|row| label[*row as usize]).sum();
    let rate = (with + 0.5) / (rows.len() as f64 + 1.0);
    let draws = Draws::new(binned);
    let grow = |(grower, counts): &mut (Grower<'_>, Vec<f32>), tree: usize| {
        let mut rng = ChaCha8Rng::seed_from_u64(params.seed);
        rng.set_stream(tree as u64);
        let mut draws = draws.clone();
        draws.draw_features(params, &mut rng);
        let (drawn, gradients) = sample(label, rows, rate, counts, &mut rng);
        let grown = grower.grow(&drawn, &gradients, &draws.features);
        let values = grown.rows.iter().map(|leaf| leaf_value(leaf, label, counts, rate)).collect();
        let tree = Tree { values, ..grown.tree };
        advance(1);
        tree
    };
    let start = || (Grower::new(binned, params), vec![0.0_f32; binned.rows]);
    Ok((0..params.trees).into_par_iter().map_init(start, |kept, tree| grow(kept, tree)).collect())
}

/// How often each row was drawn, the rows drawn at all, and the gradients of the squared error at the rate of all.
fn sample(
    label: &[f64],
    rows: &[u32],
    rate: f64,
    counts: &mut [f32],
    rng: &mut ChaCha8Rng,
) -> (Vec<u32>, Vec<[f32; 2]>) {
    rows.iter().for_each(|row| counts[*row as usize] = 0.0);
    for _ in 0..rows.len() {
        counts[rows[rng.random_range(0..rows.len())] as usize] += 1.0;
    }
    let drawn: Vec<u32> = rows.iter().filter(|row| counts[**row as usize] > 0.0).copied().collect();
    let mut gradients = vec![[0.0_f32; 2]; label.len()];
    for row in &drawn {
        let count = counts[*row as usize];
        gradients[*row as usize] = [count * (rate - label[*row as usize]) as f32, count];
    }
    (drawn, gradients)
}

fn leaf_value(leaf: &[u32], label: &[f64], counts: &[f32], rate: f64) -> f64 {
    let (mut with, mut all) = (0.0, 0.0);
    for row in leaf {
        let count = f64::from(counts[*row as usize]);
        with += count * label[*row as usize];
        all += count;
    }
    let p = (with + SMOOTH * rate) / (all + SMOOTH);
    (p / (1.0 - p)).ln()
}
