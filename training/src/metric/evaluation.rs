//! All metrics of one model on one set of rows.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::drift::Drift;
use crate::metric::calibration::{CalibrationBin, calibration_bins, calibration_fit, ece_in};
use crate::metric::classification::{
    LiftBin, RocPoint, ascending, auc_in, brier, lift_bins, log_loss, roc_points, top_lift,
};
use crate::metric::confidence::{Sample, bootstrap, perfect_ece};

/// Bins of equal count in which calibration is measured.
const CALIBRATION_BINS: usize = 15;
/// Fewest sets of outcomes from which is told what perfection would measure.
const PERFECTIONS: usize = 400;
/// Bins of equal count in the calibration plot and the lift table.
const PLOT_BINS: usize = 10;

/// A figure with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure on all rows.
    pub value: f64,
    /// Lower end of the 95 % bootstrap interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Metrics of one model on one set of rows. Written as JSON into the registry.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Evaluation {
    /// Rows (or users, for a recommender) measured on.
    pub rows: usize,
    /// How many of them had the outcome; none for a recommender.
    pub positives: Option<usize>,
    /// Metrics by name, the most telling first: `log_loss`, `auc`, `brier`, `ece`, … or `recall@20`, ….
    pub metrics: IndexMap<String, Estimate>,
    /// What a plot needs, for probability models.
    pub curves: Option<Curves>,
    /// How the latest rows differ from those learnt from, with the chosen model of data that has time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
}

/// Points for plots.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Curves {
    /// Ten bins of equal count, ascending in probability.
    pub calibration: Vec<CalibrationBin>,
    /// Ten bins of equal count, descending in probability.
    pub lift: Vec<LiftBin>,
    /// Points of the ROC curve from (0, 0) to (1, 1), at most 200.
    pub roc: Vec<RocPoint>,
}

/// Probabilities beside what happened.
#[derive(Debug, Clone, Copy)]
pub struct Scored<'a> {
    /// Probability of the outcome, row by row, in 0..=1.
    pub probability: &'a [f64],
    /// 1 where it happened, else 0.
    pub label: &'a [f64],
    /// Rows of the same entity share a number; intervals draw whole entities.
    pub group: Option<&'a [u32]>,
}

impl Evaluation {
    /// The value of a metric, if it was measured.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<f64> {
        self.metrics.get(name).map(|estimate| estimate.value)
    }
}

const METRICS: [&str; 7] =
    ["log_loss", "auc", "brier", "ece", "calibration_slope", "calibration_intercept", "lift_top_10"];

/// The figures named in [`METRICS`].
fn measure(probability: &[f64], label: &[f64]) -> Vec<f64> {
    let order = ascending(probability);
    let fit = calibration_fit(probability, label);
    vec![
        log_loss(probability, label),
        auc_in(&order, probability, label),
        brier(probability, label),
        ece_in(&order, probability, label, CALIBRATION_BINS),
        fit.slope,
        fit.intercept,
        top_lift(&order, label, 0.1),
    ]
}

/// Measures probabilities against outcomes, with 95 % intervals from `resamples` bootstrap draws.
#[must_use]
pub fn evaluate(scored: Scored<'_>, resamples: usize, seed: u64) -> Evaluation {
    let Scored { probability, label, group } = scored;
    let rows = label.len();
    if rows == 0 {
        return Evaluation { positives: Some(0), ..Evaluation::default() };
    }
    let sample = Sample { probability, label, group };
    let estimates = bootstrap(sample, measure, resamples, seed);
    let mut metrics: IndexMap<String, Estimate> =
        METRICS.iter().zip(estimates).map(|(name, estimate)| ((*name).to_owned(), estimate)).collect();
    let floor = perfect_ece(sample, CALIBRATION_BINS, resamples.max(PERFECTIONS), seed);
    metrics.insert("ece_of_perfection_95".to_owned(), Estimate { value: floor, low: floor, high: floor });
    let curves = Curves {
        calibration: calibration_bins(probability, label, PLOT_BINS),
        lift: lift_bins(probability, label, PLOT_BINS),
        roc: roc_points(probability, label, 200),
    };
    let positives = label.iter().filter(|y| **y > 0.5).count();
    Evaluation { rows, positives: Some(positives), metrics, curves: Some(curves), drift: None }
}
