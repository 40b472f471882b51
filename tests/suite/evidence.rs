//! The evidence outlives the process, and agrees with history.

use scorehouse_tests::{Server, get, post, put, run, run_ok};
use serde_json::{Value, json};

/// Rows of answers on the disk, as the server counts them.
fn written(server: &Server) -> u64 {
    let text = get(&server.url("/metrics")).unwrap().text;
    let line =
        text.lines().find_map(|l| l.strip_prefix(r#"scorehouse_score_log_rows_total{result="written"} "#));
    line.map_or(0, |count| count.trim().parse().unwrap())
}

fn score(server: &Server, keys: &[String]) -> Value {
    let answer =
        post(&server.url("/v1/models/churn/score"), &json!({"entities": keys, "reasons": 2})).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json().unwrap()
}

fn replay(folder: &std::path::Path) -> (Option<i32>, Value) {
    let ran = run(folder, &["replay", "--json"]).unwrap();
    (ran.code, ran.json().unwrap())
}

#[test]
fn what_was_answered_survives_kill_9_and_replays_to_the_last_bit() {
    let folder = tempfile::tempdir().unwrap();
    run_ok(folder.path(), &["init", "shop"]).unwrap();
    let shop = folder.path().join("shop");
    run_ok(&shop, &["ingest", "--quiet"]).unwrap();
    run_ok(&shop, &["train", "--quiet"]).unwrap();
    let keys: Vec<String> = (0..40).map(|number| format!("C{number:03}")).collect();
    let server = Server::start(&shop).unwrap();
    score(&server, &keys);
    let pushed = json!({"customer_id": "C001", "quantity": 3, "unit_price": 1.1, "country": "DE"});
    assert_eq!(post(&server.url("/v1/events/orders"), &pushed).unwrap().status, 200);
    score(&server, &keys[..5]);
    while written(&server) < 45 {
        std::thread::yield_now();
    }
    server.kill().unwrap();
    let (code, report) = replay(&shop);
    assert_eq!((code, &report["rows"], &report["different"]), (Some(0), &json!(45), &json!(0)), "{report}");

    // The next server takes over what the killed one left, and goes on.
    let server = Server::start(&shop).unwrap();
    let moved = put(&server.url("/v1/models/churn/aliases/second"), &json!({"version": 1})).unwrap();
    assert_eq!(moved.status, 200, "{}", moved.text);
    score(&server, &keys[..1]);
    while written(&server) < 1 {
        std::thread::yield_now();
    }
    // A row that says that it was known before the scores were answered.
    let late = json!({"customer_id": "C002", "quantity": 1, "unit_price": 2.5, "country": "DE", "ordered": "2025-11-30"});
    assert_eq!(post(&server.url("/v1/events/orders"), &late).unwrap().status, 200);
    let told = get(&server.url("/v1/models/churn/monitor")).unwrap().json().unwrap();
    assert_eq!(
        (&told["scores"], &told["counted"], &told["pending"]),
        (&json!(46), &json!(40), &json!(40)),
        "{told}"
    );
    server.kill().unwrap();
    let (code, report) = replay(&shop);
    assert_eq!((code, &report["rows"], &report["different"]), (Some(3), &json!(46), &json!(2)), "{report}");
    let named: Vec<&str> =
        report["features"].as_array().unwrap().iter().map(|f| f["feature"].as_str().unwrap()).collect();
    assert!(named.contains(&"purchases.count") && named.contains(&"purchases.revenue"), "{report}");
    let told = run_ok(&shop, &["monitor", "churn", "--every", "7d"]).unwrap().out;
    assert!(told.contains("46 scores in the log") && told.contains("PSI"), "{told}");
}
