//! Nothing acknowledged is lost.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use scorehouse_tests::{Server, get, post, run_ok};
use serde_json::json;

/// Customers whose visits are pushed.
pub const VISITS: &str = r#"
[entity.customer]
key = "customer_id"

[source.visits]
event_time = "at"
columns = { customer_id = { type = "text", required = true }, at = "time", pages = "int" }

[view.visits]
entity = "customer"
kind = "window"
source = "visits"
windows = ["all"]
features = { count = "count()", pages = "sum(pages)" }
"#;

/// How often the server is killed.
const KILLS: usize = 20;
/// Threads that push.
const PUSHERS: usize = 4;

fn project(folder: &Path) {
    let text = format!("[project]\nname = \"pushed\"\n{VISITS}");
    fs::write(folder.join("scorehouse.toml"), text).unwrap();
    run_ok(folder, &["check"]).unwrap();
}

fn count_of(server: &Server, customer: usize) -> u64 {
    let answer = get(&server.url(&format!("/v1/entities/customer/customer-{customer}"))).unwrap();
    let json = answer.json().unwrap();
    let features = &json["features"]["visits.count"];
    features["value"].as_u64().or_else(|| features.as_u64()).unwrap_or(0)
}

#[test]
fn every_acknowledged_event_survives_kill_9_twenty_times() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let acknowledged: Vec<AtomicU64> = (0..PUSHERS).map(|_| AtomicU64::new(0)).collect();
    let sent: Vec<AtomicU64> = (0..PUSHERS).map(|_| AtomicU64::new(0)).collect();
    for round in 0..KILLS {
        let server = Server::start(folder.path()).unwrap();
        for customer in 0..PUSHERS {
            let (there, known) = (count_of(&server, customer), acknowledged[customer].load(Ordering::SeqCst));
            let tried = sent[customer].load(Ordering::SeqCst);
            assert!(
                there >= known,
                "round {round}: customer {customer} has {there} events, {known} were acknowledged"
            );
            assert!(
                there <= tried,
                "round {round}: customer {customer} has {there} events, {tried} were sent"
            );
        }
        let url = server.url("/v1/events/visits");
        thread::scope(|scope| {
            for customer in 0..PUSHERS {
                let (url, acknowledged, sent) = (&url, &acknowledged[customer], &sent[customer]);
                scope.spawn(move || {
                    let event = json!({ "customer_id": format!("customer-{customer}"), "at": "2026-01-01T00:00:00Z", "pages": 1 });
                    loop {
                        sent.fetch_add(1, Ordering::SeqCst);
                        match post(url, &event) {
                            Ok(answer) if answer.status < 300 => {
                                acknowledged.fetch_add(1, Ordering::SeqCst);
                            }
                            Ok(answer) => panic!("{}: {}", answer.status, answer.text),
                            Err(_) => return,
                        }
                    }
                });
            }
            // Long enough that pushes are under way, and another length every round.
            thread::sleep(Duration::from_millis(60 + 17 * round as u64));
            server.kill().unwrap();
        });
    }
    let total: u64 = acknowledged.iter().map(|n| n.load(Ordering::SeqCst)).sum();
    assert!(total > 100, "only {total} events were acknowledged: nothing was tested");
}

#[test]
fn events_pushed_while_serving_reach_history_and_later_training_sets() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let server = Server::start(folder.path()).unwrap();
    for _ in 0..3 {
        let event = json!({ "customer_id": "customer-0", "at": "2026-01-01T00:00:00Z", "pages": 2 });
        assert!(post(&server.url("/v1/events/visits"), &event).unwrap().status < 300);
    }
    let shown = run_ok(folder.path(), &["features", "show", "customer", "customer-0", "--json"]).unwrap();
    let shown = shown.json().unwrap();
    let value = |name: &str| {
        let features = shown["features"].as_array().unwrap();
        features.iter().find(|f| f["name"] == name).unwrap()["value"].clone()
    };
    assert_eq!(value("visits.count"), json!(3));
    assert_eq!(value("visits.pages"), json!(6));
    assert_eq!(count_of(&server, 0), 3, "the live answer agrees");
}
