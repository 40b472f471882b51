//! Metrics against the figures of scikit-learn (`tests/parity/metrics.py` writes them).

use serde::Deserialize;

use crate::metric::{auc, brier, calibration_fit, ece, log_loss, roc_points};

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
    roc: Vec<[f64; 2]>,
}

fn cases() -> Vec<Case> {
    let figures: Figures = serde_json::from_str(include_str!("../../../tests/parity/metrics.json")).unwrap();
    assert_eq!(figures.cases.len(), 4);
    figures.cases
}

#[test]
fn every_point_of_the_roc_curve_is_one_of_scikit_learn() {
    for case in cases() {
        let ours = roc_points(&case.probability, &case.label, usize::MAX);
        assert_eq!(ours.len(), case.roc.len(), "{}", case.name);
        for (ours, [false_positive, true_positive]) in ours.iter().zip(case.roc) {
            let off =
                (ours.false_positive - false_positive).abs().max((ours.true_positive - true_positive).abs());
            assert!(off < 1e-9, "{}: {ours:?} against {false_positive}, {true_positive}", case.name);
        }
    }
}

#[test]
fn metrics_agree_with_scikit_learn() {
    for case in cases() {
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
