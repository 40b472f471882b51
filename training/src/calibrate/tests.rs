//! The maps on scores whose truth is known.

use super::*;
use crate::metric::{calibration_fit, ece};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Scores whose true log-odds are `truth(z, row's share of time)`.
fn draw(rows: usize, truth: fn(f64, f64) -> f64) -> (Vec<f64>, Vec<f64>) {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    (0..rows)
        .map(|row| {
            let z = rng.random_range(-4.0..4.0);
            let p = 1.0 / (1.0 + (-truth(z, row as f64 / rows as f64)).exp());
            (z, f64::from(u8::from(rng.random::<f64>() < p)))
        })
        .unzip()
}

fn of<'a>(raw: &'a [f64], label: &'a [f64]) -> Outcomes<'a> {
    Outcomes { raw, label, group: None, time: None }
}

fn mapped(map: &Calibration, raw: &[f64]) -> Vec<f64> {
    raw.iter().map(|z| map.apply(*z, Scale::LogOdds).get()).collect()
}

#[test]
fn scores_that_are_too_sure_are_drawn_in() {
    let (raw, label) = draw(4000, |z, _| 0.5 * z - 0.3);
    let map = calibrate(of(&raw, &label), Prior::default()).map;
    for z in [-3.0, -1.0, 0.0, 1.0, 3.0] {
        let off = map.apply(z, Scale::LogOdds).get() - 1.0 / (1.0 + (0.3 - 0.5 * z).exp());
        assert!(off.abs() < 0.04, "{map:?} at {z}: {off}");
    }
    let fit = calibration_fit(&mapped(&map, &raw[..2000]), &label[..2000]);
    assert!((fit.slope - 1.0).abs() < 0.15, "{fit:?}");
}

#[test]
fn honest_scores_are_left_nearly_as_they_are() {
    let (raw, label) = draw(4000, |z, _| z);
    let map = calibrate(of(&raw, &label), Prior::default()).map;
    for z in [-3.0, -1.0, 0.0, 1.0, 3.0] {
        let moved = map.apply(z, Scale::LogOdds).get() - 1.0 / (1.0 + (-z).exp());
        assert!(moved.abs() < 0.03, "{map:?} at {z}: {moved}");
    }
}

#[test]
fn a_bent_relation_gets_a_map_with_more_freedom() {
    let (raw, label) = draw(20_000, |z, _| if z < 0.0 { 2.0 * z } else { 0.2 * z });
    let calibrated = calibrate(of(&raw, &label), Prior::default());
    assert!(["beta", "isotonic"].contains(&calibrated.kind), "{calibrated:?}");
    assert!(ece(&mapped(&calibrated.map, &raw), &label, 15) < 0.015);
}

/// Six thousand rows over 600 days, whose outcomes are known `delay` days later, and the chosen map.
fn over_time(truth: fn(f64, f64) -> f64, delay: i64) -> (Vec<f64>, Vec<f64>, Calibrated) {
    let (raw, label) = draw(6000, truth);
    let as_of: Vec<Timestamp> = (0..6000).map(|row| Timestamp(row * DAY / 10)).collect();
    let known_at: Vec<Timestamp> = as_of.iter().map(|at| Timestamp(at.0 + delay * DAY)).collect();
    let time = Some(Course { as_of: &as_of, known_at: &known_at });
    let calibrated = calibrate(Outcomes { time, ..of(&raw, &label) }, Prior::default());
    (raw, label, calibrated)
}

#[test]
fn when_the_rate_drifts_recent_rows_count_more() {
    let (raw, label, calibrated) = over_time(|z, time| z - 2.0 * time, 0);
    assert!(calibrated.half_life.is_some(), "{calibrated:?}");
    let (late, truth) = (&raw[5400..], &label[5400..]);
    let bias = |map: &Calibration| {
        let p = mapped(map, late);
        (p.iter().sum::<f64>() - truth.iter().sum::<f64>()).abs() / truth.len() as f64
    };
    let blind = calibrate(of(&raw, &label), Prior::default()).map;
    assert!(bias(&calibrated.map) < 0.6 * bias(&blind), "{} {}", bias(&calibrated.map), bias(&blind));
}

#[test]
fn what_one_season_shows_moves_no_map() {
    // Two swings of the rate; what is so in one block is otherwise in the next.
    let (_, _, calibrated) = over_time(|z, time| z + (time * 4.0 * std::f64::consts::PI).sin(), 90);
    assert_eq!((calibrated.kind, calibrated.half_life), ("identity", None), "{calibrated:?}");
}

#[test]
fn one_later_block_is_no_ground_for_a_map() {
    for delay in [350, 900] {
        let (_, _, calibrated) = over_time(|z, _| z + 1.0, delay);
        assert_eq!(calibrated.kind, "identity", "{calibrated:?}");
        assert!((0.2..1.0).contains(&calibrated.loss), "{calibrated:?}");
    }
    let (_, _, calibrated) = over_time(|z, _| z + 1.0, 90);
    assert_ne!(calibrated.kind, "identity", "{calibrated:?}");
}

#[test]
fn few_rows_move_the_map_little() {
    let map = calibrate(of(&[1.0, 2.0, -1.0], &[0.0, 1.0, 0.0]), Prior::default()).map;
    let Calibration::Platt { a, b } = map else { panic!("{map:?}") };
    assert!((a - 1.0).abs() < 0.5 && b.abs() < 1.0, "{a} {b}");
}

#[test]
fn no_rows_and_rows_of_one_kind_still_give_a_map() {
    for label in [vec![], vec![1.0; 30], vec![0.0]] {
        let raw: Vec<f64> = (0..label.len()).map(|row| row as f64 / 10.0).collect();
        calibrate(of(&raw, &label), Prior::default()).map.check().unwrap();
    }
}

#[test]
fn every_fitted_map_passes_the_check_that_loading_makes() {
    for truth in [|z: f64, _| z, |z: f64, _| -z, |_: f64, _| -3.0, |z: f64, _| z * z - 4.0] {
        let (raw, label) = draw(8000, truth);
        let all: Vec<usize> = (0..8000).collect();
        for kind in [Kind::Identity, Kind::Platt, Kind::Beta, Kind::Isotonic] {
            let seen = of(&raw, &label).seen(&all, None, Prior::default());
            fit(kind, &seen).check().unwrap();
        }
    }
}

#[test]
fn more_outcomes_support_a_score_better_and_repeated_entities_do_not() {
    let raw = vec![0.0; 3000];
    let support = |rows: usize, group: Option<&[u32]>| {
        super::support(Outcomes { group, ..of(&raw[..rows], &raw[..rows]) }, Prior::default())
    };
    assert_eq!((support(0, None), support(20, None), support(3000, None)), (2.0, 22.0, 202.0));
    let group: Vec<u32> = (0..3000).map(|row| row % 30).collect();
    assert_eq!(support(3000, Some(&group)), 32.0);
}
