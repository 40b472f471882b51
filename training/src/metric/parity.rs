//! Metrics against the figures of scikit-learn (`tests/parity/metrics.py` writes them).

use serde::Deserialize;

use crate::metric::{auc, brier, calibration_fit, ece, log_loss};

#[derive(Deserialize)]
struct Figures {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    probability: Vec<f64>,
    label: Vec<f64>,
    log_loss: f64,
    brier: f64,
    auc: f64,
    ece: f64,
    slope: f64,
    intercept: f64,
}

#[test]
fn metrics_agree_with_scikit_learn() {
    let figures: Figures = serde_json::from_str(include_str!("../../../tests/parity/metrics.json")).unwrap();
    assert_eq!(figures.cases.len(), 4);
    for case in figures.cases {
        let (p, y) = (&case.probability, &case.label);
        let fit = calibration_fit(p, y);
        let pairs = [
            ("log loss", log_loss(p, y), case.log_loss, 1e-12),
            ("Brier", brier(p, y), case.brier, 1e-12),
            ("AUC", auc(p, y), case.auc, 1e-12),
            ("ECE", ece(p, y, 15), case.ece, 1e-12),
            // Ours carries a hair of ridge.
            ("slope", fit.slope, case.slope, 1e-5),
            ("intercept", fit.intercept, case.intercept, 1e-5),
        ];
        for (metric, ours, theirs, tolerance) in pairs {
            assert!((ours - theirs).abs() <= tolerance, "{} {metric}: {ours} against {theirs}", case.name);
        }
    }
}
