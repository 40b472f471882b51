//! How well probabilities tell the two outcomes apart.

use serde::{Deserialize, Serialize};

/// Probabilities are kept this far from 0 and 1 before a logarithm is taken.
const CLIP: f64 = 1e-15;

/// One step of a ROC curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RocPoint {
    /// Share of rows without the outcome that are called, 0..=1.
    pub false_positive: f64,
    /// Share of rows with the outcome that are called, 0..=1.
    pub true_positive: f64,
}

/// One band of equally many rows, in descending order of probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LiftBin {
    /// Rows in the band.
    pub rows: usize,
    /// Rows with the outcome.
    pub positives: usize,
    /// Lowest probability in the band.
    pub threshold: f64,
    /// Rate of the outcome in the band over the rate of all rows.
    pub lift: f64,
    /// Share of all outcomes in this and the bands above, 0..=1.
    pub captured: f64,
}

/// Mean negative log-likelihood in nats; 0 is perfect.
#[must_use]
pub fn log_loss(probability: &[f64], label: &[f64]) -> f64 {
    let loss = |(p, y): (&f64, &f64)| {
        let p = p.clamp(CLIP, 1.0 - CLIP);
        -(y * p.ln() + (1.0 - y) * (1.0 - p).ln())
    };
    probability.iter().zip(label).map(loss).sum::<f64>() / label.len().max(1) as f64
}

/// Mean negative log-likelihood of log-odds against outcomes.
#[must_use]
pub(crate) fn log_loss_of_raw(raw: &[f64], label: &[f64]) -> f64 {
    raw.iter().zip(label).map(|(z, y)| loss_of_raw(*z, *y)).sum::<f64>() / label.len().max(1) as f64
}

/// Negative log-likelihood of one row's log-odds against its outcome.
#[must_use]
pub(crate) fn loss_of_raw(raw: f64, label: f64) -> f64 {
    raw.max(0.0) - raw * label + (-raw.abs()).exp().ln_1p()
}

/// What added to all log-odds makes them lose least: the rate of the outcome among these rows is matched.
#[must_use]
pub(crate) fn own_level(raw: &[f64], label: &[f64]) -> f64 {
    let step = |level: f64| {
        let (slope, bend) = raw.iter().zip(label).fold((0.0, 0.0), |(slope, bend), (z, y)| {
            let p = 1.0 / (1.0 + (-(z + level)).exp());
            (slope + p - y, bend + p * (1.0 - p))
        });
        // Steps are kept short where nearly nothing bends, and end where all rows are of one kind.
        (-slope / f64::max(bend, 1e-9)).clamp(-1.0, 1.0)
    };
    (0..20).fold(0.0, |level, _| level + step(level))
}

/// Mean squared difference between probability and outcome, 0..=1.
#[must_use]
pub fn brier(probability: &[f64], label: &[f64]) -> f64 {
    let square = |(p, y): (&f64, &f64)| (p - y) * (p - y);
    probability.iter().zip(label).map(square).sum::<f64>() / label.len().max(1) as f64
}

/// Rows in ascending order of probability; equal ones keep their order.
pub(crate) fn ascending(probability: &[f64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..probability.len() as u32).collect();
    order.sort_by(|a, b| probability[*a as usize].total_cmp(&probability[*b as usize]));
    order
}

/// Area under the ROC curve: the chance that a row with the outcome scores above one without, ties counting
/// half. NaN when one of the two kinds is absent.
#[must_use]
pub fn auc(probability: &[f64], label: &[f64]) -> f64 {
    auc_in(&ascending(probability), probability, label)
}

/// As [`auc`], for rows whose ascending order is known.
pub(crate) fn auc_in(order: &[u32], probability: &[f64], label: &[f64]) -> f64 {
    let (mut below, mut pairs) = (0.0, 0.0);
    let mut at = 0;
    while at < order.len() {
        let tie = probability[order[at] as usize];
        let (mut with, mut without) = (0.0, 0.0);
        while at < order.len() && probability[order[at] as usize] == tie {
            let y = label[order[at] as usize];
            with += y;
            without += 1.0 - y;
            at += 1;
        }
        pairs += with * (below + without / 2.0);
        below += without;
    }
    let positives: f64 = label.iter().sum();
    pairs / (positives * (label.len() as f64 - positives))
}

/// Rate of the outcome among the `share` of rows that come last in the ascending order, over the rate of all.
#[must_use]
pub(crate) fn top_lift(order: &[u32], label: &[f64], share: f64) -> f64 {
    let top = ((order.len() as f64 * share).round() as usize).clamp(1, order.len().max(1));
    let found: f64 = order.iter().rev().take(top).map(|row| label[*row as usize]).sum();
    let base = label.iter().sum::<f64>() / label.len().max(1) as f64;
    found / top as f64 / base
}

/// Bands of equally many rows in descending order of probability.
#[must_use]
pub fn lift_bins(probability: &[f64], label: &[f64], bins: usize) -> Vec<LiftBin> {
    let mut order = ascending(probability);
    order.reverse();
    let total: f64 = label.iter().sum();
    let base = total / label.len().max(1) as f64;
    let mut captured = 0.0;
    let mut out = Vec::with_capacity(bins);
    for bin in equal_parts(order.len(), bins) {
        let rows = &order[bin];
        let positives: f64 = rows.iter().map(|row| label[*row as usize]).sum();
        captured += positives;
        let threshold = rows.last().map_or(0.0, |row| probability[*row as usize]);
        out.push(LiftBin {
            rows: rows.len(),
            positives: positives as usize,
            threshold,
            lift: if base > 0.0 { positives / rows.len() as f64 / base } else { 0.0 },
            captured: if total > 0.0 { captured / total } else { 0.0 },
        });
    }
    out
}

/// `parts` ranges over `0..rows` whose lengths differ by at most one; empty ones are left out.
pub(crate) fn equal_parts(rows: usize, parts: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..parts)
        .map(move |part| part * rows / parts..(part + 1) * rows / parts)
        .filter(|range| !range.is_empty())
}

/// Points of the ROC curve, thinned to about `limit`.
#[must_use]
pub fn roc_points(probability: &[f64], label: &[f64], limit: usize) -> Vec<RocPoint> {
    let mut order = ascending(probability);
    order.reverse();
    let positives: f64 = label.iter().sum();
    let negatives = label.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return Vec::new();
    }
    let mut points = vec![RocPoint { false_positive: 0.0, true_positive: 0.0 }];
    let step = order.len().div_ceil(limit.max(2)).max(1);
    let (mut with, mut without) = (0.0, 0.0);
    for (at, row) in order.iter().enumerate() {
        let y = label[*row as usize];
        with += y;
        without += 1.0 - y;
        let ends_tie =
            order.get(at + 1).is_none_or(|next| probability[*next as usize] != probability[*row as usize]);
        if ends_tie && ((at + 1) % step == 0 || at + 1 == order.len()) {
            points.push(RocPoint { false_positive: without / negatives, true_positive: with / positives });
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_loss_and_brier_follow_their_definitions() {
        let (p, y) = ([0.9, 0.2, 0.6], [1.0, 0.0, 0.0]);
        let expected = -(0.9_f64.ln() + 0.8_f64.ln() + 0.4_f64.ln()) / 3.0;
        assert!((log_loss(&p, &y) - expected).abs() < 1e-12);
        assert!((brier(&p, &y) - (0.01 + 0.04 + 0.36) / 3.0).abs() < 1e-12);
    }

    #[test]
    fn auc_equals_the_share_of_pairs_in_order_with_ties_counting_half() {
        let (p, y) = ([0.1, 0.4, 0.4, 0.8, 0.3], [0.0, 1.0, 0.0, 1.0, 1.0]);
        let (mut pairs, mut good) = (0.0, 0.0);
        for i in 0..5 {
            for j in 0..5 {
                if y[i] > y[j] {
                    pairs += 1.0;
                    good += if p[i] > p[j] {
                        1.0
                    } else if p[i] == p[j] {
                        0.5
                    } else {
                        0.0
                    };
                }
            }
        }
        assert!((auc(&p, &y) - good / pairs).abs() < 1e-12);
        assert!(auc(&p, &[1.0; 5]).is_nan());
    }

    #[test]
    fn the_roc_curve_ends_at_one_one_and_ties_make_one_step() {
        let roc = roc_points(&[0.5, 0.5, 0.9], &[1.0, 0.0, 1.0], 100);
        assert_eq!(roc.len(), 3);
        assert_eq!(roc[1], RocPoint { false_positive: 0.0, true_positive: 0.5 });
        assert_eq!(roc[2], RocPoint { false_positive: 1.0, true_positive: 1.0 });
    }

    #[test]
    fn lift_bins_capture_every_outcome_once() {
        let p: Vec<f64> = (0..103).map(|i| f64::from(i) / 103.0).collect();
        let y: Vec<f64> = (0..103).map(|i| f64::from(u8::from(i % 3 == 0))).collect();
        let bins = lift_bins(&p, &y, 10);
        assert_eq!(bins.iter().map(|b| b.rows).sum::<usize>(), 103);
        assert_eq!(bins.iter().map(|b| b.positives).sum::<usize>(), y.iter().sum::<f64>() as usize);
        assert!((bins[9].captured - 1.0).abs() < 1e-12);
    }
}
