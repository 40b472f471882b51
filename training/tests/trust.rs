//! What is said for and against a model: leaks, drift, and the champion, through the whole of training.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::fmt::Write;
use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use scorehouse_features::definition::Project;
use scorehouse_features::ids::ModelName;
use scorehouse_features::time::Timestamp;
use scorehouse_training::{Champion, NoHistory, Silent, TrainRequest, Trained, Verdict, train};

const PROJECT: &str = "[project]\nname = \"t\"\nseed = 3\n[model.won]\npipeline = \"table\"\ntable = \"deals.csv\"\n\
     label = \"won\"\ntime = \"day\"\ncandidates = [\"logistic\"]\n";

/// Deals of 300 days, five a day; from day `turn` on, what spoke for a deal speaks against it.
fn deals(days: std::ops::Range<i64>, turn: i64, fit: &str) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut text = format!("day,{fit},size,lost_reason,won\n");
    for day in 0..days.end {
        for _ in 0..5 {
            let (x, size) = (rng.random_range(-2.0..2.0), rng.random_range(1..50));
            let odds: f64 = if day < turn { 1.5 * x } else { -1.5 * x };
            let won = rng.random::<f64>() < 1.0 / (1.0 + (-odds).exp());
            let reason = if won { "" } else { ["price", "feature", "trust"][rng.random_range(0..3)] };
            if day >= days.start {
                let date = Timestamp(day * 86_400_000_000).to_string();
                let date = date.split('T').next().unwrap();
                writeln!(text, "{date},{x:.3},{size},{reason},{}", u8::from(won)).unwrap();
            }
        }
    }
    text
}

fn trained(text: &str, ignore: &str, champion: Option<Champion<'_>>) -> Trained {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("deals.csv"), text).unwrap();
    let project = format!("{PROJECT}{ignore}\n");
    let project = Project::parse(&project, Path::new(folder.path())).unwrap();
    train(TrainRequest {
        project: &project,
        model: &ModelName::new("won").unwrap(),
        history: &NoHistory,
        seed: 3,
        threads: 2,
        now: Timestamp(0),
        champion,
        progress: &Silent,
    })
    .unwrap()
}

const HONEST: &str = "ignore = [\"lost_reason\"]";

fn champion(trained: &Trained) -> Champion<'_> {
    Champion { artifact: &trained.artifact, name: "version 1", learnt_to: trained.window.to }
}

#[test]
fn a_reason_that_is_filled_at_the_end_is_told_everywhere() {
    let with = trained(&deals(0..300, 999, "fit"), "", None);
    let named: Vec<&str> = with.leaks.iter().map(|leak| leak.column.as_str()).collect();
    assert_eq!(named, ["lost_reason"]);
    let check = with.gate.checks.iter().find(|check| check.name == "no column knows the outcome").unwrap();
    assert!(!check.passed && !check.decisive && check.detail.starts_with("lost_reason"), "{check:?}");
    assert!(with.report_html.unwrap().contains("1 column seems to know the outcome"));
    assert!(trained(&deals(0..300, 999, "fit"), HONEST, None).leaks.is_empty());
}

#[test]
fn drift_stands_in_the_evaluation() {
    let run = trained(&deals(0..300, 999, "fit"), HONEST, None);
    let drift = run.metrics.drift.unwrap();
    assert_eq!(drift.features.len(), 2);
    assert_eq!(drift.shifted().count(), 0, "{drift:?}");
    let json = serde_json::to_value(&drift).unwrap();
    assert_eq!(json["features"][0]["test"], "kolmogorov_smirnov");
}

#[test]
fn a_first_model_is_compared_with_the_rate_of_the_outcome() {
    let run = trained(&deals(0..300, 999, "fit"), HONEST, None);
    let comparison = run.gate.comparison.unwrap();
    assert_eq!(comparison.verdict, Verdict::Better);
    assert!(comparison.words.contains("the rate of the outcome"), "{}", comparison.words);
}

#[test]
fn the_champion_is_compared_on_rows_that_are_newer_than_what_it_learnt_from() {
    let old = trained(&deals(0..200, 999, "fit"), HONEST, None);
    let alike = trained(&deals(0..300, 999, "fit"), HONEST, Some(champion(&old))).gate;
    let comparison = alike.comparison.unwrap();
    assert_eq!((comparison.verdict, alike.passed), (Verdict::Alike, true), "{}", comparison.words);
    assert!(comparison.words.contains("the champion (version 1)"), "{}", comparison.words);
    // The world turned: the new one learns it, the old one cannot know.
    let better = trained(
        &deals(0..400, 150, "fit"),
        HONEST,
        Some(champion(&trained(&deals(0..150, 999, "fit"), HONEST, None))),
    );
    assert_eq!(better.gate.comparison.unwrap().verdict, Verdict::Better);
}

#[test]
fn a_worse_model_does_not_pass_the_gate() {
    // The champion knows the turned world already; the new one is taught the old one, and asked of the turned.
    let champion_knows = trained(&deals(150..250, 150, "fit"), HONEST, None);
    let known = Champion { learnt_to: Some(Timestamp(0)), ..champion(&champion_knows) };
    let gate = trained(&deals(0..320, 250, "fit"), HONEST, Some(known)).gate;
    assert_eq!(gate.comparison.as_ref().unwrap().verdict, Verdict::Worse, "{gate:?}");
    assert!(!gate.passed);
}

#[test]
fn a_champion_that_cannot_be_compared_fairly_is_said_so() {
    let rows = deals(0..300, 999, "fit");
    let first = trained(&rows, HONEST, None);
    let again = trained(&rows, HONEST, Some(champion(&first))).gate;
    let comparison = again.comparison.unwrap();
    assert_eq!((comparison.verdict, again.passed), (Verdict::NotCompared, true));
    assert!(comparison.words.starts_with("not judged: only 0 of the rows"), "{}", comparison.words);
    let other = trained(&deals(0..300, 999, "score"), HONEST, Some(champion(&first))).gate;
    let words = other.comparison.unwrap().words;
    assert!(words.ends_with("cannot be scored: it reads fit, which these rows do not have"), "{words}");
}
