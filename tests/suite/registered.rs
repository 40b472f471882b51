//! A model trained elsewhere, from its ONNX file to an answer over HTTP.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use scorehouse_tests::{Server, post, repository, run, run_ok};
use serde_json::{Value, json};

const PROJECT: &str = r#"
[project]
name = "elsewhere"
[entity.customer]
key = "customer_id"
[source.facts]
path = "facts.csv"
event_time = "at"
columns = { customer_id = { type = "text", required = true }, at = "time", a = "float", b = "float", c = "float", d = "float" }
[view.facts]
entity = "customer"
kind = "latest"
source = "facts"
features = ["a", "b", "c", "d"]
[features.all]
entity = "customer"
features = ["facts.a", "facts.b", "facts.c", "facts.d"]
[model.elsewhere]
pipeline = "registered"
feature_set = "all"
"#;

/// Rows and the probabilities that Python's ONNX Runtime gave them.
fn figures() -> Vec<(Vec<f64>, f64)> {
    let path = repository().join("models/fixtures/onnx/figures.json");
    let figures: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let rows: Vec<Vec<f64>> = serde_json::from_value(figures["rows"]["trees"].clone()).unwrap();
    let expected: Vec<f64> = serde_json::from_value(figures["expected"]["trees"].clone()).unwrap();
    rows.into_iter().zip(expected).filter(|(row, _)| row.iter().all(|v| v.is_finite())).collect()
}

fn write(folder: &Path, figures: &[(Vec<f64>, f64)]) {
    let mut facts = "customer_id,at,a,b,c,d\n".to_owned();
    let mut sample = "facts.a,facts.b,facts.c,facts.d,expected\n".to_owned();
    for (number, (row, expected)) in figures.iter().enumerate() {
        let row = row.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
        let _ = writeln!(facts, "C-{number},2026-01-01,{row}");
        let _ = writeln!(sample, "{row},{expected}");
    }
    fs::write(folder.join("scorehouse.toml"), PROJECT).unwrap();
    fs::write(folder.join("facts.csv"), facts).unwrap();
    fs::write(folder.join("sample.csv"), sample).unwrap();
}

#[test]
fn an_onnx_file_is_registered_with_a_sample_and_answers_as_in_python() {
    let folder = tempfile::tempdir().unwrap();
    let figures = figures();
    write(folder.path(), &figures);
    let onnx = repository().join("models/fixtures/onnx/trees.onnx");
    let register = |sample: &str| {
        let onnx = onnx.to_string_lossy();
        let asked = ["models", "register", "elsewhere", "--onnx", &onnx, "--sample", sample];
        run(folder.path(), &[&asked[..], &["--alias", "champion", "--json"]].concat()).unwrap()
    };
    run_ok(folder.path(), &["ingest", "--quiet"]).unwrap();
    let registered = register("sample.csv");
    if registered.code != Some(0) && registered.err.contains("libonnxruntime") {
        eprintln!("skipped: no ONNX Runtime library; `make onnx` brings it\n{}", registered.err);
        return;
    }
    assert_eq!(registered.code, Some(0), "{}", registered.err);
    // The same file and sample again are the same artifact.
    let again = register("sample.csv").json().unwrap();
    assert_eq!(again["version"], registered.json().unwrap()["version"]);

    // A sample that scores otherwise is refused, and so is one without a feature.
    let sample = fs::read_to_string(folder.path().join("sample.csv")).unwrap();
    let last = sample.trim_end().rsplit_once(',').unwrap().0;
    fs::write(folder.path().join("wrong.csv"), format!("{last},0.123\n")).unwrap();
    let refused = register("wrong.csv");
    assert_ne!(refused.code, Some(0));
    assert!(refused.err.contains("nothing was registered"), "{}", refused.err);
    fs::write(folder.path().join("short.csv"), sample.replace("facts.d", "facts.e")).unwrap();
    assert!(register("short.csv").err.contains("facts.d"));

    let server = Server::start(folder.path()).unwrap();
    for (number, (_, expected)) in figures.iter().enumerate() {
        let body = json!({ "entity": format!("C-{number}") });
        let answer = post(&server.url("/v1/models/elsewhere/score"), &body).unwrap().json().unwrap();
        let said = answer["scores"][0]["probability"].as_f64().unwrap_or_else(|| panic!("{answer}"));
        assert!((said - expected).abs() < 1e-6, "{said} against {expected}");
    }
}
