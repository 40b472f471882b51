use proptest::prelude::*;

use super::*;
use crate::artifact::samples::{artifacts, rows, signature};
use crate::encoder::{EncodedColumn, Transform};
use crate::predictor::{Linear, Scale, Term};

/// Hazards that rise with the stretch, those of winning also with the amount.
pub(crate) fn timing() -> Timing {
    let columns = vec![EncodedColumn::new(0, Transform::SignedLog), EncodedColumn::new(4, Transform::Number)];
    let encoder = Encoder::new(columns, &Timing::signature(&signature())).unwrap();
    let linear = |weights: [f64; 2]| {
        let terms = weights.iter().enumerate();
        let terms = terms.map(|(at, weight)| Term { column: at as u32, weight: *weight, center: 0.0 });
        Predictor::Linear(Linear::new(-2.0, terms.collect(), Scale::LogOdds).unwrap())
    };
    let edges = vec![5.0, 10.0, 20.0, 40.0];
    Timing::new(edges, encoder, linear([0.1, 0.3]), linear([0.0, 0.2])).unwrap()
}

#[test]
fn hazards_survive_the_artifact_to_the_last_bit() {
    for (kind, artifact) in artifacts() {
        let bytes = artifact.with_timing(timing()).unwrap().to_bytes().unwrap();
        let back = crate::Artifact::from_bytes(&bytes).unwrap();
        let (values, as_of) = &rows()[0];
        let curve = |timing: &Timing| timing.curve(values, *as_of, 0.4).unwrap();
        assert_eq!(curve(&timing()), curve(back.timing.as_ref().unwrap()), "{kind}");
        assert_eq!(back.to_bytes().unwrap(), bytes);
    }
}

#[test]
fn hazards_that_make_no_sense_are_refused() {
    let parts = timing();
    for edges in [vec![], vec![0.0, 1.0], vec![2.0, 2.0], vec![1.0, f64::INFINITY]] {
        let refused = Timing::new(edges, parts.encoder.clone(), parts.won.clone(), parts.lost.clone());
        assert!(refused.is_err());
    }
    let narrow = Encoder::new(Vec::new(), &signature()).unwrap();
    assert!(Timing::new(vec![1.0], narrow, parts.won, parts.lost).is_err());
}

#[test]
fn equal_hazards_give_the_incidence_told_by_hand() {
    // Half of the deals still open end in each of two stretches, three of four of them won.
    let curve = Curve::new(&[10.0, 20.0], &[0.375, 0.375], &[0.125, 0.125], 0.75);
    assert!((curve.won_by(10.0) - 0.375).abs() < 1e-12 && (curve.won_by(20.0) - 0.5625).abs() < 1e-12);
    assert!((curve.lost_by(20.0) - 0.1875).abs() < 1e-12 && (curve.won_by(5.0) - 0.1875).abs() < 1e-12);
    // Beyond, half of the rest goes on ending every ten days.
    assert!((curve.won_by(30.0) - 0.65625).abs() < 1e-12);
    assert!((curve.days_if_won(0.5) - 10.0).abs() < 1e-12 && (curve.days_if_won(0.875) - 30.0).abs() < 1e-9);
}

proptest! {
    #[test]
    fn the_chance_of_a_win_rises_with_the_days_to_the_calibrated_probability(
        hazards in proptest::collection::vec((0.0..1.0_f64, 0.0..1.0_f64, 0.1..30.0_f64), 1..8),
        probability in 0.0..=1.0_f64,
        (early, late) in (0.0..200.0_f64, 0.0..200.0_f64),
        share in 0.01..0.99_f64,
    ) {
        let edges: Vec<f64> =
            hazards.iter().scan(0.0, |at, (_, _, width)| { *at += width; Some(*at) }).collect();
        let (won, lost): (Vec<f64>, Vec<f64>) = hazards.iter().map(|(w, l, _)| (w + 1e-6, l + 1e-6)).unzip();
        let curve = Curve::new(&edges, &won, &lost, probability);
        let (early, late) = (early.min(late), early.max(late));
        prop_assert!(curve.won_by(early) <= curve.won_by(late) + 1e-12);
        prop_assert!(curve.won_by(late) + curve.lost_by(late) <= 1.0 + 1e-9);
        prop_assert!((curve.won_by(1e7) - probability).abs() < 1e-6);
        prop_assert!((curve.lost_by(1e7) - (1.0 - probability)).abs() < 1e-6);
        let back = curve.won_by(curve.days_if_won(share));
        prop_assert!((back - probability * share).abs() < 1e-6, "{back} {share}");
    }
}
