//! A model whose inputs have moved on is told of, and trained again by the server itself.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use scorehouse_tests::{Server, get, post, run, run_ok};
use serde_json::{Value, json};

const CUSTOMERS: usize = 60;

fn score(server: &Server, shifted: bool) {
    let entity = |number: usize| match shifted {
        true => json!({"key": format!("C{number:03}"), "features": {"purchases.revenue": 9e6}}),
        false => json!(format!("C{number:03}")),
    };
    let entities: Vec<Value> = (0..CUSTOMERS).map(entity).collect();
    // As of a day on which the shop still sold: what has happened since is a shift of its own.
    let body = json!({"entities": entities, "as_of": "2025-11-15"});
    let answer = post(&server.url("/v1/models/churn/score"), &body).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
}

fn declare(shop: &Path, section: &str) {
    let file = shop.join("scorehouse.toml");
    fs::write(&file, fs::read_to_string(&file).unwrap() + section).unwrap();
}

#[test]
fn inputs_that_moved_are_named_and_the_server_trains_the_model_again() {
    let folder = tempfile::tempdir().unwrap();
    run_ok(folder.path(), &["init", "shop"]).unwrap();
    let shop = folder.path().join("shop");
    run_ok(&shop, &["ingest", "--quiet"]).unwrap();
    run_ok(&shop, &["train", "--quiet"]).unwrap();
    declare(&shop, "\n[model.churn.monitor]\nfeature_psi = 2.0\nat_least = 50\n");

    let server = Server::start(&shop).unwrap();
    score(&server, false);
    let told = get(&server.url("/v1/models/churn/monitor")).unwrap().json().unwrap();
    let features = told["drift"][0]["features"].as_array().unwrap();
    assert!(!features.is_empty(), "the version keeps how its inputs lay: {told}");
    assert_eq!(told.get("crossed"), None, "{told}");
    score(&server, true);
    let told = get(&server.url("/v1/models/churn/monitor")).unwrap().json().unwrap();
    let crossed: Vec<&Value> =
        told["crossed"].as_array().unwrap().iter().map(|crossed| &crossed["feature"]).collect();
    assert!(crossed.contains(&&json!("purchases.revenue")), "{crossed:?}");
    server.kill().unwrap();

    let checked = run(&shop, &["monitor", "churn", "--check"]).unwrap();
    assert_eq!(checked.code, Some(3), "{}\n{}", checked.out, checked.err);
    assert!(checked.out.contains("crossed: feature_psi purchases.revenue"), "{}", checked.out);

    declare(&shop, "retrain = true\nevery = \"1s\"\n");
    let server = Server::start(&shop).unwrap();
    let metrics = || get(&server.url("/metrics")).unwrap().text;
    let trained = |text: &str| {
        let line = "scorehouse_retrainings_total{model=\"churn\",result=";
        text.lines().any(|l| l.starts_with(line) && !l.contains("failed"))
    };
    // The training goes behind everything else on the machine.
    let done = (0..3_600).any(|_| {
        thread::sleep(Duration::from_millis(50));
        trained(&metrics())
    });
    assert!(done, "{}\n{}", metrics(), server.said());
}
