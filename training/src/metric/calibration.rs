//! Whether a probability of 80 % means 8 of 10.

use scorehouse_models::certainty::wilson;
use serde::{Deserialize, Serialize};

use crate::metric::classification::{ascending, equal_parts};

/// One band of equally many rows, in ascending order of probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Rows in the band.
    pub rows: usize,
    /// Mean probability.
    pub predicted: f64,
    /// Share of rows with the outcome.
    pub observed: f64,
    /// Lower end of the 95 % Wilson interval of the observed share.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The line that outcomes follow on the log-odds scale: `intercept + slope · logit(p)`.
/// A calibrated model has intercept 0 and slope 1; a slope below 1 says that it is too sure of itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationFit {
    /// Where the line crosses log-odds 0.
    pub intercept: f64,
    /// Its slope.
    pub slope: f64,
}

/// Expected calibration error over `bins` of equal count: the mean distance between predicted and observed,
/// weighted by rows (Naeini, Cooper, Hauskrecht 2015).
#[must_use]
pub fn ece(probability: &[f64], label: &[f64], bins: usize) -> f64 {
    ece_in(&ascending(probability), probability, label, bins)
}

/// As [`ece`], for rows whose ascending order is known.
pub(crate) fn ece_in(order: &[u32], probability: &[f64], label: &[f64], bins: usize) -> f64 {
    let mut error = 0.0;
    for bin in equal_parts(order.len(), bins) {
        let distance: f64 =
            order[bin].iter().map(|row| label[*row as usize] - probability[*row as usize]).sum();
        error += distance.abs();
    }
    error / label.len().max(1) as f64
}

/// Bands of equally many rows with predicted and observed rates.
#[must_use]
pub fn calibration_bins(probability: &[f64], label: &[f64], bins: usize) -> Vec<CalibrationBin> {
    let order = ascending(probability);
    let mut out = Vec::with_capacity(bins);
    for bin in equal_parts(order.len(), bins) {
        let rows = &order[bin];
        let count = rows.len() as f64;
        let predicted = rows.iter().map(|row| probability[*row as usize]).sum::<f64>() / count;
        let observed = rows.iter().map(|row| label[*row as usize]).sum::<f64>() / count;
        let (low, high) = wilson(observed, count);
        out.push(CalibrationBin { rows: rows.len(), predicted, observed, low, high });
    }
    out
}

/// The log-odds of a probability, kept finite.
#[must_use]
pub(crate) fn logit(p: f64) -> f64 {
    let p = p.clamp(1e-12, 1.0 - 1e-12);
    (p / (1.0 - p)).ln()
}

/// Fits outcomes to the log-odds of the probabilities by maximum likelihood (Cox 1958).
///
/// Newton's method; a hair of ridge keeps it finite when the outcomes are perfectly separated.
#[must_use]
pub fn calibration_fit(probability: &[f64], label: &[f64]) -> CalibrationFit {
    let x: Vec<f64> = probability.iter().map(|p| logit(*p)).collect();
    let ridge = 1e-6;
    let (mut a, mut b) = (0.0_f64, 1.0_f64);
    for _ in 0..50 {
        let (mut ga, mut gb) = (0.0, -ridge * (b - 1.0));
        let (mut haa, mut hab, mut hbb) = (1e-9, 0.0, ridge);
        for (x, y) in x.iter().zip(label) {
            let p = 1.0 / (1.0 + (-(a + b * x)).exp());
            let w = p * (1.0 - p);
            ga += y - p;
            gb += (y - p) * x;
            haa += w;
            hab += w * x;
            hbb += w * x * x;
        }
        let det = haa * hbb - hab * hab;
        if det.abs() < 1e-300 {
            break;
        }
        let (da, db) = ((hbb * ga - hab * gb) / det, (haa * gb - hab * ga) / det);
        let scale = (10.0 / da.abs().max(db.abs()).max(1e-300)).min(1.0);
        a += scale * da;
        b += scale * db;
        if da.abs().max(db.abs()) < 1e-10 {
            break;
        }
    }
    CalibrationFit { intercept: a, slope: b }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows whose outcomes follow the given probability exactly, on a grid of 20 rates.
    fn exact() -> (Vec<f64>, Vec<f64>) {
        let mut p = Vec::new();
        let mut y = Vec::new();
        for step in 1..20 {
            for row in 0..20 {
                p.push(f64::from(step) / 20.0);
                y.push(f64::from(u8::from(row < step)));
            }
        }
        (p, y)
    }

    #[test]
    fn perfect_probabilities_have_slope_one_and_no_error() {
        let (p, y) = exact();
        let fit = calibration_fit(&p, &y);
        assert!((fit.slope - 1.0).abs() < 1e-6 && fit.intercept.abs() < 1e-6, "{fit:?}");
        assert!(ece(&p, &y, 19) < 1e-12);
    }

    #[test]
    fn probabilities_that_are_too_sure_have_a_slope_below_one() {
        let (p, y) = exact();
        let sure: Vec<f64> = p.iter().map(|p| 1.0 / (1.0 + (-2.0 * logit(*p)).exp())).collect();
        let fit = calibration_fit(&sure, &y);
        assert!((fit.slope - 0.5).abs() < 1e-5, "{fit:?}");
        assert!(ece(&sure, &y, 19) > 0.05);
    }

    #[test]
    fn separated_outcomes_do_not_run_away() {
        let fit = calibration_fit(&[0.1, 0.2, 0.8, 0.9], &[0.0, 0.0, 1.0, 1.0]);
        assert!(fit.slope.is_finite() && fit.intercept.is_finite());
    }
}
