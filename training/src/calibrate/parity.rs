//! Maps against the figures of scikit-learn and scipy (`tests/parity/calibration.py` writes them).

use serde::Deserialize;

use super::maps::{Kind, Seen, fit};
use super::*;

#[derive(Deserialize)]
struct Figures {
    maps: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    raw: Vec<f64>,
    label: Vec<f64>,
    weight: Vec<f64>,
    isotonic: Points,
    platt: [f64; 2],
    beta: [f64; 3],
}

#[derive(Deserialize)]
struct Points {
    x: Vec<f64>,
    y: Vec<f64>,
}

impl Case {
    fn fitted(&self, kind: Kind) -> Calibration {
        let rows = self.raw.iter().zip(&self.label).zip(&self.weight);
        let seen: Vec<Seen> =
            rows.map(|((raw, label), weight)| Seen { raw: *raw, label: *label, weight: *weight }).collect();
        fit(kind, &seen)
    }

    fn agree(&self, what: &str, (ours, theirs): (&[f64], &[f64]), tolerance: f64) {
        assert_eq!(ours.len(), theirs.len(), "{} {what}: {ours:?} against {theirs:?}", self.name);
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert!((ours - theirs).abs() <= tolerance, "{} {what}: {ours} against {theirs}", self.name);
        }
    }
}

fn cases() -> Vec<Case> {
    let figures: Figures =
        serde_json::from_str(include_str!("../../../tests/parity/calibration.json")).unwrap();
    assert_eq!(figures.maps.len(), 3);
    figures.maps
}

#[test]
fn isotonic_maps_have_the_levels_of_scikit_learn_with_tied_and_weighted_rows() {
    for case in cases() {
        let Calibration::Isotonic { x, y } = case.fitted(Kind::Isotonic) else {
            panic!("{} is not isotonic", case.name)
        };
        case.agree("scores of levels", (&x, &case.isotonic.x), 1e-9);
        case.agree("rates of levels", (&y, &case.isotonic.y), 1e-9);
    }
}

#[test]
fn platt_and_beta_maps_lie_where_scipy_finds_the_least_loss() {
    for case in cases() {
        let Calibration::Platt { a, b } = case.fitted(Kind::Platt) else { panic!("{}", case.name) };
        case.agree("Platt", (&[a, b], &case.platt), 1e-6);
        let Calibration::Beta { a, b, c } = case.fitted(Kind::Beta) else { panic!("{}", case.name) };
        case.agree("beta", (&[a, b, c], &case.beta), 1e-6);
    }
}
