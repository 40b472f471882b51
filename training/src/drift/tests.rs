//! Drift on made-up rows whose shift is known, and against figures of other libraries.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::dataset::screen;
use crate::drift::psi::Counts;
use crate::drift::test::{benjamini_hochberg, chi_square, kolmogorov_smirnov};

/// 3,000 rows over time, of which the last 1,000 are held out; `shift` moves them.
fn made_up(shift: f64) -> (Dataset, Split) {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let rows = 3000;
    let late = |row: usize| row >= 2000;
    let mut moved = Vec::new();
    let (mut same, mut gaps, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..rows {
        moved.push(rng.random::<f64>() + if late(row) { shift } else { 0.0 });
        same.push(rng.random::<f64>());
        let gone = rng.random::<f64>() < 0.1 + if late(row) { shift } else { 0.0 };
        gaps.push(if gone { f64::NAN } else { rng.random::<f64>() });
        let first = rng.random::<f64>() < 0.3 + if late(row) { shift } else { 0.0 };
        kinds.push(Some(if first { "a" } else { ["b", "c"][rng.random_range(0..2)] }));
    }
    let as_of: Vec<Timestamp> = (0..rows as i64).map(Timestamp).collect();
    let since = as_of.iter().map(|t| Some(Timestamp(t.0 - 500))).collect();
    let columns = vec![
        Column::float("moved", moved),
        Column::float("same", same),
        Column::float("gaps", gaps),
        Column::text("kind", kinds),
        Column { name: "since".into(), words: None, data: ColumnData::Time(since) },
    ];
    let data = Dataset { rows, columns, as_of, label: vec![0.0; rows], ..Dataset::default() };
    let split =
        Split { train: (0..2000).collect(), holdout: (2000..3000).collect(), from: Some(Timestamp(2000)) };
    (data, split)
}

fn shift_of(drift: &Drift, feature: &str) -> Shift {
    drift.features.iter().find(|f| f.feature == feature).unwrap().shift
}

#[test]
fn what_moved_is_found_and_what_did_not_is_left_alone() {
    let (data, split) = made_up(0.3);
    let drift = find_drift(&data, &screen(&data.columns, data.rows), &split).unwrap();
    for feature in ["moved", "gaps", "kind"] {
        assert_eq!(shift_of(&drift, feature), Shift::Large, "{feature}: {drift:?}");
    }
    assert_eq!(shift_of(&drift, "same"), Shift::Stable);
    // A date goes on with time; its age does not.
    assert_eq!(shift_of(&drift, "since"), Shift::Stable);
    assert!(drift.features[0].psi >= drift.features[1].psi);
}

#[test]
fn chance_is_not_called_a_shift() {
    let (data, split) = made_up(0.0);
    let drift = find_drift(&data, &screen(&data.columns, data.rows), &split).unwrap();
    assert_eq!(drift.shifted().count(), 0, "{drift:?}");
    assert_eq!((drift.rows_before, drift.rows_latest), (2000, 1000));
}

#[test]
fn repeated_rows_of_one_entity_are_not_more_evidence() {
    let (data, split) = made_up(0.02);
    let notes = screen(&data.columns, data.rows);
    let single = find_drift(&data, &notes, &split).unwrap();
    let grouped = Dataset { group: Some((0..3000).map(|row| row / 50).collect()), ..data };
    let grouped = find_drift(&grouped, &notes, &split).unwrap();
    for feature in &single.features {
        let same = grouped.features.iter().find(|f| f.feature == feature.feature).unwrap();
        assert!(same.p_value >= feature.p_value, "{}", feature.feature);
    }
}

#[test]
fn without_time_there_is_nothing_to_compare() {
    let (data, split) = made_up(0.3);
    let notes = screen(&data.columns, data.rows);
    assert!(find_drift(&data, &notes, &Split { from: None, ..split }).is_none());
}

#[test]
fn tests_and_correction_agree_with_scipy() {
    // scipy 1.17.1: ks_2samp(a, b), kstwobign.sf of its scaled statistic, chi2_contingency, false_discovery_control.
    let a: Vec<f64> = (0..200).map(|i| f64::from(i * 37 % 200)).collect();
    let b: Vec<f64> = (0..150).map(|i| f64::from(i * 53 % 150) * 1.2 + 30.0).collect();
    let ks = kolmogorov_smirnov(&a, &b, 200.0, 150.0);
    assert!((ks.statistic - 0.153_333_333_333_333_35).abs() < 1e-12, "{ks:?}");
    assert!((ks.p_value - 0.031_651_251_485_221_9).abs() < 1e-12, "{ks:?}");
    let counts = Counts { before: vec![50.0, 30.0, 20.0], latest: vec![30.0, 45.0, 25.0] };
    let chi = chi_square(&counts, 100.0, 100.0);
    assert!((chi.statistic - 8.555_555_555_555_555).abs() < 1e-9, "{chi:?}");
    assert!((chi.p_value - 0.013_873_457_762_527_5).abs() < 1e-9, "{chi:?}");
    let corrected = benjamini_hochberg(&[0.01, 0.04, 0.03, 0.5]);
    let expected = [0.04, 0.053_333_333_333_333_34, 0.053_333_333_333_333_34, 0.5];
    corrected.iter().zip(expected).for_each(|(c, e)| assert!((c - e).abs() < 1e-12, "{corrected:?}"));
}
