//! Buying and dropping out against the figures of `lifetimes` (`tests/parity/purchases.py` writes them), and the floor that
//! real customers set: CDNOW, whose second half is told from its first (`tests/data/cdnow/NOTICE`).

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use scorehouse_features::time::Timestamp;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Figures {
    given: Parameters,
    days: f64,
    formulas: Vec<Formula>,
    cdnow: Fit,
}

#[derive(Deserialize)]
struct Parameters {
    r: f64,
    alpha: f64,
    a: f64,
    b: f64,
}

#[derive(Deserialize)]
struct Formula {
    past: [f64; 3],
    expected: f64,
    alive: f64,
    log_likelihood: f64,
}

#[derive(Deserialize)]
struct Fit {
    customers: usize,
    #[serde(flatten)]
    parameters: Parameters,
    came: f64,
    error: f64,
    error_rounded: f64,
}

fn figures() -> Figures {
    serde_json::from_str(include_str!("../../../tests/parity/purchases.json")).unwrap()
}

#[test]
fn the_formulas_agree_with_those_of_lifetimes() {
    let figures = figures();
    let Parameters { r, alpha, a, b } = figures.given;
    let model = BgNbd { r, alpha, a, b };
    assert_eq!(figures.formulas.len(), 6);
    for Formula { past: [repeats, recency, age], expected, alive, log_likelihood } in figures.formulas {
        let past = Past { repeats, recency, age };
        let found = [model.expected(&past, figures.days), model.alive(&past), model.log_likelihood(&past)];
        for (found, wanted) in found.into_iter().zip([expected, alive, log_likelihood]) {
            assert!((found / wanted - 1.0).abs() < 1e-9, "{past:?}: {found} {wanted}");
        }
    }
}

/// The moments of every customer's purchases.
fn cdnow() -> Vec<Vec<Timestamp>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cdnow/CDNOW_master.txt.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let mut purchases: BTreeMap<&str, Vec<Timestamp>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // The file ends with a line of its own.
        let [customer, date, _, _] = fields[..] else { continue };
        let dashed = format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]);
        purchases.entry(customer).or_default().push(Timestamp::parse(&dashed).unwrap());
    }
    purchases.into_values().collect()
}

#[test]
fn purchases_of_cdnow_are_told_as_well_as_lifetimes_tells_them() {
    let theirs = figures().cdnow;
    let purchases = cdnow();
    let (until, end) = (Timestamp::parse("1997-09-30").unwrap(), Timestamp::parse("1998-06-30").unwrap());
    let model = PurchaseModel::fit(&purchases, until);
    let expected = model.expected_of(&purchases, until, end.days_since(until));
    let told: Vec<(Expected, f64)> = purchases
        .iter()
        .zip(expected)
        .filter_map(|(own, expected)| Some((expected?, Past::count(own, until, end) as f64)))
        .collect();
    assert_eq!(told.len(), theirs.customers);
    assert_eq!(told.iter().map(|(_, came)| came).sum::<f64>(), theirs.came);
    let (ours, fitted) = (&model.bg_nbd, theirs.parameters);
    for (ours, theirs) in
        [(ours.r, fitted.r), (ours.alpha, fitted.alpha), (ours.a, fitted.a), (ours.b, fitted.b)]
    {
        // Ours are drawn a hair towards 1.
        assert!((ours / theirs - 1.0).abs() < 0.005, "{ours} against {theirs}");
    }
    let error = |of: fn(&Expected) -> f64| {
        told.iter().map(|(expected, came)| (of(expected) - came).abs()).sum::<f64>() / told.len() as f64
    };
    let (mean, median) = (error(|expected| expected.mean), error(|expected| expected.median));
    // Of the same model: no worse than theirs by more than a thousandth.
    assert!(mean <= theirs.error * 1.001, "{mean} against {}", theirs.error);
    assert!(median <= theirs.error_rounded, "{median} against {}", theirs.error_rounded);
}
