//! Contributions for a model that is a closed box: Shapley values against background rows, by sampled orders.
//!
//! Starting from a background row, the row's own values are put in one column after the other, and every column is
//! given what the answer moved when its turn came; averaged over orders and background rows this tends to the Shapley
//! values (Štrumbelj and Kononenko, "Explaining prediction models and individual predictions with feature
//! contributions", 2014). Every order is also taken backwards, which halves the noise. Contributions add up to the
//! answer whatever the sample; how they are shared out is an estimate.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::error::ModelError;

/// Most background rows used; each costs twice as many answers as there are columns.
pub(super) const MOST_ROWS: usize = 16;

/// Adds `factor` times the contributions of the columns of `row` to `out`, and gives `factor` times the base: the mean
/// answer over the background.
///
/// The orders are the same for every row, so that nearly equal rows get nearly equal reasons.
pub(super) fn add(
    answer: impl Fn(&[f64]) -> Result<f64, ModelError>,
    background: &[Vec<f64>],
    row: &[f64],
    factor: f64,
    out: &mut [f64],
) -> Result<f64, ModelError> {
    let share = factor / (2 * background.len()) as f64;
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut order: Vec<usize> = (0..row.len()).collect();
    let mut base = 0.0;
    for start in background {
        order.shuffle(&mut rng);
        for _ in 0..2 {
            let mut mixed = start.clone();
            let first = answer(&mixed)?;
            let mut last = first;
            for &column in &order {
                if mixed[column].to_bits() == row[column].to_bits() {
                    continue;
                }
                mixed[column] = row[column];
                let now = answer(&mixed)?;
                out[column] += share * (now - last);
                last = now;
            }
            base += share * first;
            order.reverse();
        }
    }
    Ok(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn background() -> Vec<Vec<f64>> {
        vec![vec![0.0, 1.0, f64::NAN], vec![1.0, -1.0, 2.0]]
    }

    #[test]
    fn they_add_up_to_the_answer_for_any_function() {
        let odd = |x: &[f64]| Ok(x[0] * x[1] + if x[2].is_nan() { 3.0 } else { x[2].sin() });
        let row = [2.0, 0.5, f64::NAN];
        let mut out = [0.0; 3];
        let base = add(odd, &background(), &row, 1.0, &mut out).unwrap();
        assert!((base + out.iter().sum::<f64>() - odd(&row).unwrap()).abs() < 1e-12);
    }

    #[test]
    fn a_sum_is_shared_out_exactly() {
        let sum = |x: &[f64]| Ok(2.0 * x[0] - x[1]);
        let mut out = [0.0; 3];
        let base = add(sum, &background(), &[3.0, 4.0, 0.0], 1.0, &mut out).unwrap();
        assert!((base - 1.0).abs() < 1e-12);
        for (found, expected) in out.iter().zip([5.0, -4.0, 0.0]) {
            assert!((found - expected).abs() < 1e-12, "{out:?}");
        }
    }
}
