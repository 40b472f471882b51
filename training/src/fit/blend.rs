//! An average of candidates, when it loses less than the best of them.

use rayon::prelude::*;

use crate::metric::{clear_gain, log_loss_of_raw, loss_of_raw};

/// Shares are tried in steps of one tenth.
const STEPS: usize = 10;

/// Shares of the candidates, adding up to 1, whose averaged log-odds lose least on rows that no model saw;
/// none when one candidate alone is as good, as far as these rows can tell.
#[must_use]
pub(crate) fn blend(out_of_fold: &[&[f64]], label: &[f64]) -> Option<Vec<f64>> {
    let mixes = mixes(out_of_fold.len());
    let losses: Vec<f64> =
        mixes.par_iter().map(|mix| log_loss_of_raw(&mixed(out_of_fold, mix), label)).collect();
    let best = (0..mixes.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b]))?;
    let alone = |mix: &Vec<f64>| mix.iter().any(|share| *share > 0.99);
    let single = (0..mixes.len()).filter(|at| alone(&mixes[*at]));
    let single = single.min_by(|a, b| losses[*a].total_cmp(&losses[*b]))?;
    let rows = |at: usize| -> Vec<f64> {
        let raw = mixed(out_of_fold, &mixes[at]);
        raw.iter().zip(label).map(|(raw, label)| loss_of_raw(*raw, *label)).collect()
    };
    let gains: Vec<f64> = rows(single).iter().zip(rows(best)).map(|(alone, both)| alone - both).collect();
    clear_gain(&gains).map(|_| mixes[best].clone())
}

/// The weighted sum of log-odds, row by row.
#[must_use]
pub(crate) fn mixed(raw: &[&[f64]], shares: &[f64]) -> Vec<f64> {
    let rows = raw.first().map_or(0, |raw| raw.len());
    let mut sum = vec![0.0; rows];
    for (raw, share) in raw.iter().zip(shares).filter(|(_, share)| **share > 0.0) {
        sum.iter_mut().zip(*raw).for_each(|(sum, raw)| *sum += share * raw);
    }
    sum
}

fn mixes(members: usize) -> Vec<Vec<f64>> {
    fn fill(left: usize, members: usize, mix: &mut Vec<f64>, out: &mut Vec<Vec<f64>>) {
        if members == 1 {
            mix.push(left as f64 / STEPS as f64);
            out.push(mix.clone());
            mix.pop();
            return;
        }
        for share in (0..=left).rev() {
            mix.push(share as f64 / STEPS as f64);
            fill(left - share, members - 1, mix, out);
            mix.pop();
        }
    }
    let mut out = Vec::new();
    if members > 0 {
        fill(STEPS, members, &mut Vec::new(), &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_halves_of_the_truth_are_averaged_and_a_useless_third_is_left_out() {
        let rows = 4000_usize;
        let noise = |i: usize, k: usize| ((i * 7919 + k * 104729) % 1000) as f64 / 500.0 - 1.0;
        let truth: Vec<f64> = (0..rows).map(|i| 2.0 * noise(i, 1)).collect();
        let label: Vec<f64> = truth
            .iter()
            .enumerate()
            .map(|(i, z)| f64::from(u8::from(noise(i, 2) < (z / 2.0).tanh())))
            .collect();
        let with =
            |k: usize| truth.iter().enumerate().map(|(i, z)| z + 2.0 * noise(i * 31, k)).collect::<Vec<_>>();
        let (a, b) = (with(3), with(4));
        let useless: Vec<f64> = (0..rows).map(|i| 3.0 * noise(i, 9)).collect();
        let shares = blend(&[&a, &b, &useless], &label).unwrap();
        assert!(shares[0] >= 0.3 && shares[1] >= 0.3 && shares[2] <= 0.1, "{shares:?}");
    }

    #[test]
    fn a_candidate_that_is_right_alone_stays_alone() {
        let label: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        let right: Vec<f64> = label.iter().map(|y| 6.0 * y - 3.0).collect();
        assert_eq!(blend(&[&right, &vec![0.0; 100]], &label), None);
    }

    #[test]
    fn mixes_add_up_to_one() {
        assert!(mixes(3).iter().all(|mix| (mix.iter().sum::<f64>() - 1.0).abs() < 1e-9));
        assert_eq!(mixes(3).len(), 66);
    }
}
