//! The demo's models against the truth that its deals were drawn from.

use std::fs;
use std::path::Path;

use scorehouse_tests::{repository, run_ok};
use serde_json::Value;

/// Share of the real customers that the test's company has.
const SCALE: &str = "0.5";

/// A metric of the chosen candidate on its holdout.
fn metric(run: &Value, name: &str) -> f64 {
    run["metrics"]["metrics"][name]["value"].as_f64().unwrap_or_else(|| panic!("{name} in {run}"))
}

fn auc(run: &Value) -> f64 {
    metric(run, "auc")
}

fn champion(folder: &Path, model: &str) -> Value {
    let listed = run_ok(folder, &["models", "show", model, "--json"]).unwrap().json().unwrap();
    listed.as_array().unwrap().last().unwrap().clone()
}

/// (true, predicted) probability of winning, for the second to sixth moment of every deal that the truth file
/// tells of: at the first the CRM has not recorded the deal yet, and beyond the sixth few deals are open.
fn against_truth(folder: &Path) -> Vec<(f64, f64)> {
    let mut truth = csv::Reader::from_path(folder.join("truth/opportunities.csv")).unwrap();
    let header = truth.headers().unwrap().clone();
    let place = |name: &str| header.iter().position(|h| h == name).unwrap();
    let (key, time, probability) = (place("opportunity_id"), place("as_of"), place("probability"));
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    let mut in_life = |row: &csv::StringRecord| {
        let moment = seen.entry(row[key].to_owned()).or_default();
        *moment += 1;
        (2..=6).contains(moment)
    };
    let rows: Vec<csv::StringRecord> =
        truth.records().map(Result::unwrap).filter(|row| in_life(row)).collect();
    let mut asked = csv::Writer::from_path(folder.join("asked.csv")).unwrap();
    asked.write_record(["opportunity_id", "as_of"]).unwrap();
    for row in &rows {
        asked.write_record([&row[key], &row[time]]).unwrap();
    }
    asked.flush().unwrap();
    run_ok(folder, &["score", "win", "--input", "asked.csv", "--output", "scored.csv", "--reasons", "0"])
        .unwrap();
    let scored = csv::Reader::from_path(folder.join("scored.csv")).unwrap().into_records();
    let pair = |(row, scored): (&csv::StringRecord, csv::StringRecord)| {
        assert_eq!(row[key], scored[0], "scores come in the order of the rows asked");
        (row[probability].parse().unwrap(), scored[2].parse().unwrap())
    };
    rows.iter().zip(scored.map(Result::unwrap)).map(pair).collect()
}

#[test]
fn the_shared_store_beats_the_silo_and_scores_follow_the_truth() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("run");
    let run = folder.to_string_lossy();
    let arguments = [
        "demo",
        "--folder",
        &run,
        "--orders",
        "demo/data",
        "--definitions",
        "demo/project",
        "--scale",
        SCALE,
        "--anchor",
        "2026-06-01",
        "--no-serve",
        "--quiet",
    ];
    run_ok(&repository(), &arguments).unwrap();
    let digests = |model: &str| champion(&folder, model)["digest"].clone();
    let before = digests("win");

    let (shared, silo) = (auc(&champion(&folder, "win")), auc(&champion(&folder, "win_crm_only")));
    assert!(shared > silo + 0.04, "AUC {shared} with the shared store, {silo} on CRM columns alone");

    // Churn turns with the season: what one autumn shows must not move the next summer's probabilities.
    let churn = champion(&folder, "churn");
    let (off, apart) = (metric(&churn, "ece"), metric(&churn, "auc"));
    assert!(off < 0.1 && apart > 0.75, "churn's ECE {off}, AUC {apart}");

    let pairs = against_truth(&folder);
    assert!(pairs.len() > 1000, "{} pairs", pairs.len());
    let n = pairs.len() as f64;
    let (truth, said) =
        (pairs.iter().map(|p| p.0).sum::<f64>() / n, pairs.iter().map(|p| p.1).sum::<f64>() / n);
    assert!((truth - said).abs() < 0.04, "on average {said} is said where {truth} is true");
    let mut by_score = pairs;
    by_score.sort_by(|a, b| a.1.total_cmp(&b.1));
    for tenth in by_score.chunks(by_score.len().div_ceil(10)) {
        let mean = |pick: fn(&(f64, f64)) -> f64| tenth.iter().map(pick).sum::<f64>() / tenth.len() as f64;
        let (truth, said) = (mean(|p| p.0), mean(|p| p.1));
        assert!((truth - said).abs() < 0.12, "where {said:.3} is said, {truth:.3} is true");
    }

    let again = run_ok(&repository(), &arguments).unwrap();
    assert!(!again.err.contains("reading features"), "a second run trains nothing: {}", again.err);
    assert_eq!(digests("win"), before);
    assert!(fs::read_dir(folder.join("state/rejects")).unwrap().count() > 0, "rejected rows are kept");
}
