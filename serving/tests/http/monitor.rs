use std::path::{Path, PathBuf};
use std::sync::Arc;

use scorehouse::monitor::{Crossed, Trainer, follow, look};
use scorehouse_features::ids::ModelName;
use scorehouse_models::baseline::{Baseline, InputBaseline, Spread};
use serde_json::{Value as Json, json};

use crate::fixture::{Fixture, point, register, win_artifact};

const WIN: &str = "/v1/models/win/score";
const LIMITS: &str =
    "[model.win.monitor]\nfeature_psi = 0.25\nat_least = 30\nretrain = true\nrest = \"1d\"\n";

/// The company with a champion of `win` that learnt from a thousand deals worth up to 1000.
pub fn monitored() -> Fixture {
    let fixture = Fixture::declaring(LIMITS);
    let even = |most: usize| {
        let values: Vec<f64> = (0..1000).map(|n| (n * most / 1000) as f64).collect();
        InputBaseline { missing: 0, spread: Spread::of_numbers(&values) }
    };
    let baseline = Baseline::new(vec![even(1000), even(1000), even(100), even(5)]);
    let artifact = win_artifact(&fixture.state.project, 0.25).with_baseline(baseline).unwrap();
    let version = register(fixture.registry.as_ref(), "win", &artifact);
    point(fixture.registry.as_ref(), "win", "champion", version);
    fixture.state.live.refresh().unwrap();
    fixture
}

/// Scores deals that lie as those learnt from, but for the worth of each.
pub async fn serve(fixture: &Fixture, count: usize, amount: impl Fn(usize) -> usize) {
    let row = |n: usize| {
        json!({
            "deal.amount": amount(n), "deal_facts.net": n * 617 % 1000,
            "account.orders.revenue": n * 37 % 100, "account.orders.lines_30d": n % 5,
        })
    };
    let rows: Vec<Json> = (0..count).map(row).collect();
    let answer = fixture.post(WIN, json!({ "inputs": rows })).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
}

/// One look of the server, outside the runtime as the server's own.
pub fn looked(fixture: &Fixture, program: &str) -> Vec<Crossed> {
    let (model, trainer) = (ModelName::new("win").unwrap(), Trainer::new(PathBuf::from(program)));
    let state = &fixture.state;
    std::thread::scope(|threads| {
        threads.spawn(move || look(state, &model, &trainer).unwrap()).join().unwrap()
    })
}

/// Kinds and bodies of what was told so far.
pub fn told(fixture: &Fixture) -> Vec<(&'static str, Json)> {
    let (changes, _) = fixture.state.changes.after(0, usize::MAX);
    let one = |change: &Arc<scorehouse::changes::Change>| {
        (change.kind.as_str(), serde_json::from_str(&change.body).unwrap())
    };
    changes.iter().map(one).collect()
}

pub fn kinds(fixture: &Fixture) -> Vec<&'static str> {
    told(fixture).into_iter().map(|(kind, _)| kind).collect()
}

/// A program in place of `scorehouse`, which says this and ends with that.
fn program(folder: &tempfile::TempDir, says: &str, code: u8) -> String {
    let path = folder.path().join(format!("trainer-{code}"));
    write_program(&path, &format!("#!/bin/sh\necho '{says}' | tee /dev/stderr\nexit {code}\n"));
    path.to_str().unwrap().to_owned()
}

/// Written by another process: what this one writes might be held open by a process that another test starts.
pub fn write_program(path: &Path, text: &str) {
    let write = ["-c", r#"printf '%s' "$1" > "$0" && chmod 755 "$0""#, path.to_str().unwrap(), text];
    assert!(std::process::Command::new("/bin/sh").args(write).status().unwrap().success());
}

#[tokio::test]
async fn an_input_that_lies_otherwise_than_in_training_is_named_with_where_it_moved() {
    let fixture = monitored();
    serve(&fixture, 200, |n| 5_000 + n).await;
    let report = fixture.get("/v1/models/win/monitor").await.json();
    let drift = &report["drift"][0];
    assert_eq!((&drift["version"], &drift["counted"]), (&json!(2), &json!(200)), "{report}");
    let first = &drift["features"][0];
    assert_eq!((&first["feature"], first["psi"].as_f64().unwrap() > 1.0), (&json!("deal.amount"), true));
    assert_eq!(first["most"], json!({"of": "900 and above", "before": 0.1, "now": 1.0}));
    for other in drift["features"].as_array().unwrap().iter().skip(1) {
        assert!(other["psi"].as_f64().unwrap() < 0.2, "{other}");
    }
    assert_eq!(report["crossed"].as_array().unwrap().len(), 1);
    assert_eq!(report["crossed"][0]["feature"], "deal.amount");
}

#[tokio::test]
async fn a_crossed_limit_is_told_once_and_told_again_when_it_is_kept() {
    let fixture = monitored();
    serve(&fixture, 100, |n| n * 773 % 1000).await;
    assert_eq!(looked(&fixture, "nobody"), []);
    assert_eq!(kinds(&fixture), Vec::<&str>::new());
    serve(&fixture, 100, |_| 2_000).await;
    let missing = "/nowhere/scorehouse";
    assert_eq!(looked(&fixture, missing).len(), 1);
    assert_eq!(looked(&fixture, missing).len(), 1, "it still is");
    let heard = told(&fixture);
    assert_eq!(kinds(&fixture), ["limit_crossed", "retraining_failed", "retraining_failed"]);
    let crossed = &heard[0].1["crossed"][0];
    assert_eq!((&crossed["limit"], &crossed["feature"]), (&json!("feature_psi"), &json!("deal.amount")));
    assert!(heard[1].1["error"].as_str().unwrap().contains(missing), "{heard:?}");
    let metrics = String::from_utf8(fixture.get("/metrics").await.bytes.to_vec()).unwrap();
    assert!(metrics.contains(r#"scorehouse_limits_crossed{model="win"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"scorehouse_drift_psi{model="win",of="deal.amount"}"#), "{metrics}");
    assert!(metrics.contains(r#"scorehouse_retrainings_total{model="win",result="failed"} 2"#), "{metrics}");
    serve(&fixture, 4_000, |n| n * 773 % 1000).await;
    assert_eq!(looked(&fixture, missing), []);
    assert_eq!(told(&fixture).last().unwrap().0, "limit_kept");
}

#[tokio::test]
async fn a_crossed_limit_starts_one_retraining_until_its_rest_is_over() {
    let fixture = monitored();
    let folder = tempfile::tempdir().unwrap();
    let says = r#"{"models": [{"version": 3, "champion": true, "gate": {"why": "it lost least"}}]}"#;
    let trains = program(&folder, says, 0);
    serve(&fixture, 100, |_| 2_000).await;
    looked(&fixture, &trains);
    looked(&fixture, &trains);
    let heard = told(&fixture);
    assert_eq!(kinds(&fixture), ["limit_crossed", "retrained"]);
    let done = &heard[1].1;
    assert_eq!(
        (&done["version"], &done["champion"], &done["why"]),
        (&json!(3), &json!(true), &json!("it lost least"))
    );
    assert_eq!(done["because"], json!(["feature_psi deal.amount"]));
}

#[tokio::test]
async fn a_server_that_stops_ends_the_training_that_it_started() {
    let fixture = monitored();
    serve(&fixture, 100, |_| 2_000).await;
    let folder = tempfile::tempdir().unwrap();
    let (path, begun) = (folder.path().join("sleeper"), folder.path().join("begun"));
    let text =
        format!("#!/bin/sh\necho $$ > '{0}.new' && mv '{0}.new' '{0}'\nexec sleep 600\n", begun.display());
    write_program(&path, &text);
    let following = follow(&fixture.state, Trainer::new(path)).unwrap();
    while !begun.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let pid = std::fs::read_to_string(&begun).unwrap();
    let lives =
        || std::process::Command::new("/bin/sh").args(["-c", &format!("kill -0 {}", pid.trim())]).status();
    assert!(lives().unwrap().success());
    fixture.state.changes.close();
    tokio::task::spawn_blocking(move || following.join()).await.unwrap();
    assert!(!lives().unwrap().success());
    assert_eq!(kinds(&fixture), ["limit_crossed", "retraining_failed"]);
    assert_eq!(told(&fixture)[1].1["error"], "the server stopped");
}

#[tokio::test]
async fn a_training_that_fails_is_told_with_its_own_words() {
    let fixture = monitored();
    let folder = tempfile::tempdir().unwrap();
    let fails = program(&folder, r#"{"error": "the table has one row", "exit_code": 3}"#, 3);
    serve(&fixture, 100, |_| 2_000).await;
    looked(&fixture, &fails);
    assert_eq!(told(&fixture)[1].1["error"], "the table has one row");
}

#[tokio::test]
async fn a_version_that_kept_nothing_of_its_training_is_not_compared() {
    let fixture = Fixture::declaring(LIMITS);
    serve(&fixture, 100, |_| 2_000).await;
    let report = fixture.get("/v1/models/win/monitor").await.json();
    assert_eq!(report["drift"][0]["features"], json!([]));
    assert_eq!((looked(&fixture, "nobody"), kinds(&fixture)), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_score_as_of_long_ago_keeps_nobody_from_looking() {
    let fixture = monitored();
    for as_of in ["1900-01-01", "2024-03-30"] {
        let answer = fixture.post(WIN, json!({"entity": "D-1", "as_of": as_of})).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
    }
    let report = fixture.get("/v1/models/win/monitor?every=1d").await.json();
    let counted: Vec<&Json> =
        report["periods"].as_array().unwrap().iter().map(|one| &one["counted"]).collect();
    assert_eq!(counted, [&json!(1), &json!(1)], "{report}");
}
