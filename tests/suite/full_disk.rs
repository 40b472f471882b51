//! A disk without room: reads go on, writes are refused and say so, and what was acknowledged is there afterwards.
//!
//! A limit on the size of files stands in for the disk: the server may not write a byte more to any file, and gets an
//! error for it, as on a full disk. It can be set and lifted while the server runs, without being root.

use std::fs;
use std::path::Path;
use std::process::Command;

use scorehouse_tests::{Answer, Server, get, post, put, run_ok};
use serde_json::{Value, json};

/// With a limit the system would end a process that goes beyond it, unless the signal is ignored.
const UNDER: [&str; 3] = ["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];

fn limit(server: &Server, bytes: &str) {
    let set = Command::new("prlimit")
        .args(["--pid", &server.pid().to_string(), &format!("--fsize={bytes}:")])
        .status()
        .unwrap();
    assert!(set.success());
}

fn push(server: &Server, customer: &str) -> Answer {
    let order = json!({"customer_id": customer, "quantity": 1, "unit_price": 2.5, "country": "DE"});
    post(&server.url("/v1/events/orders"), &order).unwrap()
}

fn report(server: &Server, key: usize) -> Answer {
    let outcome = json!({"model": "other", "key": key.to_string(), "outcome": true});
    post(&server.url("/v1/outcomes"), &outcome).unwrap()
}

fn move_alias(server: &Server, alias: &str) -> Answer {
    put(&server.url(&format!("/v1/models/churn/aliases/{alias}")), &json!({"version": 1})).unwrap()
}

fn purchases(server: &Server, customer: &str) -> u64 {
    let answer = get(&server.url(&format!("/v1/entities/customer/{customer}"))).unwrap();
    let json = answer.json().unwrap();
    let features = &json["features"]["purchases.count"];
    features["value"].as_u64().or_else(|| features.as_u64()).unwrap_or(0)
}

fn outcomes(shop: &Path) -> usize {
    fs::read_to_string(shop.join("state/outcomes/outcomes.jsonl")).unwrap().lines().count()
}

fn is_refused(answer: &Answer, what: &str) {
    let json: Value = answer.json().unwrap();
    let message = json["error"]["message"].as_str().unwrap_or_default();
    assert_eq!(answer.status, 503, "{what}: {json}");
    assert!(!message.is_empty(), "{what}: {json}");
}

#[test]
fn on_a_full_disk_reads_go_on_writes_are_refused_and_nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    run_ok(folder.path(), &["init", "shop"]).unwrap();
    let shop = folder.path().join("shop");
    run_ok(&shop, &["ingest", "--quiet"]).unwrap();
    run_ok(&shop, &["train", "--quiet"]).unwrap();
    let file = shop.join("scorehouse.toml");
    let more = "\n[features.other]\nentity = \"customer\"\nfeatures = [\"purchases.*\"]\n[model.other]\npipeline = \"registered\"\nfeature_set = \"other\"\n";
    fs::write(&file, fs::read_to_string(&file).unwrap() + more).unwrap();

    let server = Server::start_under(&shop, &UNDER).unwrap();
    let before = purchases(&server, "C001");
    for key in 0..5 {
        assert_eq!(push(&server, "C001").status, 200);
        assert_eq!(report(&server, key).status, 200);
    }
    assert_eq!(move_alias(&server, "second").status, 200);

    limit(&server, "0");
    for key in 0..20 {
        is_refused(&push(&server, "C001"), "a push");
        is_refused(&report(&server, key), "an outcome");
    }
    is_refused(&move_alias(&server, "third"), "a move of an alias");
    assert_eq!(purchases(&server, "C001"), before + 5, "what was refused is not seen");
    for _ in 0..50 {
        let score =
            post(&server.url("/v1/models/churn/score"), &json!({"entities": ["C001", "C002"]})).unwrap();
        assert_eq!(score.status, 200, "{}", score.text);
    }
    for path in ["/healthz", "/readyz", "/v1/models", "/v1/models/churn", "/metrics", "/v1/project"] {
        let answer = get(&server.url(path)).unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
    let shown = get(&server.url("/v1/models/churn")).unwrap().json().unwrap();
    let aliases: Vec<&str> =
        shown["aliases"].as_array().unwrap().iter().map(|alias| alias["alias"].as_str().unwrap()).collect();
    assert_eq!(aliases, ["champion", "second"]);

    limit(&server, "unlimited");
    assert_eq!(push(&server, "C001").status, 200, "there is room again");
    assert_eq!(report(&server, 5).status, 200);
    assert_eq!(move_alias(&server, "third").status, 200);
    assert_eq!(purchases(&server, "C001"), before + 6);
    limit(&server, "0");
    is_refused(&push(&server, "C001"), "a push");
    server.kill().unwrap();

    let server = Server::start(&shop).unwrap();
    assert_eq!(purchases(&server, "C001"), before + 6, "all that was acknowledged, and nothing else");
    assert_eq!(outcomes(&shop), 6);
    assert_eq!(push(&server, "C001").status, 200);
}
