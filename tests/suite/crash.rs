//! A server that is killed while everything is asked of it at once loses nothing that it acknowledged, and starts
//! again by itself.
//!
//! A dozen kills as part of the suite; `make crash` does a hundred (`SCOREHOUSE_KILLS`).

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use scorehouse_tests::{Answer, Server, get, post, put, run_ok};
use serde_json::{Value, json};

use crate::durability::VISITS;

const MODEL: &str = r#"
[model.m]
pipeline = "table"
table = "train.csv"
label = "label"
id = "id"
"#;

/// A project with pushed facts and a live model of two versions.
fn project(folder: &Path) {
    let rows = (0..300_u32).map(|i| {
        let x = i.wrapping_mul(2_654_435_761) % 100;
        format!("{i},{x},{}\n", u8::from(x > 50))
    });
    fs::write(folder.join("train.csv"), format!("id,x,label\n{}", rows.collect::<String>())).unwrap();
    for seed in [1, 2] {
        let text = format!("[project]\nname = \"crash\"\nseed = {seed}\n{VISITS}{MODEL}");
        fs::write(folder.join("scorehouse.toml"), text).unwrap();
        run_ok(folder, &["train", "--quiet"]).unwrap();
    }
}

/// What was sent, and what was acknowledged.
#[derive(Default)]
struct Tally {
    sent: AtomicU64,
    acknowledged: AtomicU64,
}

impl Tally {
    /// Asks again and again until the server is gone.
    fn keep_asking(&self, ask: impl Fn(u64) -> anyhow::Result<Answer>) {
        loop {
            let Ok(answer) = ask(self.sent.fetch_add(1, Ordering::SeqCst)) else { return };
            assert!(answer.status < 300, "{}: {}", answer.status, answer.text);
            self.acknowledged.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn check(&self, what: &str, there: u64) {
        let (sent, known) = (self.sent.load(Ordering::SeqCst), self.acknowledged.load(Ordering::SeqCst));
        assert!((known..=sent).contains(&there), "{there} {what}, {known} acknowledged, {sent} sent");
    }
}

#[derive(Default)]
struct Load {
    events: Tally,
    outcomes: Tally,
    scores: Tally,
    moves: Tally,
    /// The version that the last acknowledged move went to.
    champion: AtomicU64,
}

impl Load {
    /// What stands after a start is what was acknowledged, and at most what was sent.
    fn check(&self, folder: &Path, server: &Server) {
        let customer = get(&server.url("/v1/entities/customer/c")).unwrap();
        let count = customer.json().unwrap()["features"]["visits.count"].clone();
        self.events.check("events", count["value"].as_u64().or(count.as_u64()).unwrap_or(0));
        let outcomes = fs::read_to_string(folder.join("state/outcomes/outcomes.jsonl")).unwrap_or_default();
        let whole = |line: &&str| serde_json::from_str::<Value>(line).is_ok();
        assert!(outcomes.lines().all(|line| whole(&line)), "a torn line stays in the file");
        self.outcomes.check("outcomes", outcomes.lines().count() as u64);
        let model = get(&server.url("/v1/models/m")).unwrap();
        assert_eq!(model.status, 200, "{}", model.text);
        let live = post(&server.url("/v1/models/m/score"), &json!({ "inputs": [{ "x": 80 }] })).unwrap();
        let version = live.json().unwrap()["version"].as_u64();
        // A move that was under way when the server died may have happened.
        let pending = self.moves.sent.load(Ordering::SeqCst) > self.moves.acknowledged.load(Ordering::SeqCst);
        let known = self.champion.load(Ordering::SeqCst);
        assert!(version == Some(known) || pending && version.is_some(), "{version:?} answers, not {known}");
        self.champion.store(version.unwrap(), Ordering::SeqCst);
        self.moves.sent.store(self.moves.acknowledged.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// Everything at once, until the server is killed after `pause`.
    fn put_on(&self, server: Server, pause: Duration) {
        let url = |path: &str| server.url(path);
        let (events, outcomes, score) =
            (url("/v1/events/visits"), url("/v1/outcomes"), url("/v1/models/m/score"));
        let alias = url("/v1/models/m/aliases/champion");
        thread::scope(|scope| {
            scope.spawn(|| {
                let visit = json!({ "customer_id": "c", "at": "2026-01-01T00:00:00Z", "pages": 1 });
                self.events.keep_asking(|_| post(&events, &visit));
            });
            scope.spawn(|| {
                self.outcomes.keep_asking(|n| {
                    post(&outcomes, &json!({ "model": "m", "key": n.to_string(), "outcome": n % 2 }))
                });
            });
            scope.spawn(|| {
                self.scores.keep_asking(|n| post(&score, &json!({ "inputs": [{ "x": n % 100 }] })));
            });
            scope.spawn(|| {
                self.moves.keep_asking(|n| {
                    let version = 1 + n % 2;
                    let moved = put(&alias, &json!({ "version": version, "why": "test" }))?;
                    self.champion.store(version, Ordering::SeqCst);
                    Ok(moved)
                });
            });
            thread::sleep(pause);
            server.kill().unwrap();
        });
    }
}

#[test]
fn nothing_acknowledged_is_lost_however_often_a_busy_server_is_killed() {
    let kills: u64 = std::env::var("SCOREHOUSE_KILLS").ok().map_or(12, |kills| kills.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let load = Load::default();
    run_ok(folder.path(), &["models", "promote", "m", "1"]).unwrap();
    load.champion.store(1, Ordering::SeqCst);
    for round in 0..kills {
        let server = Server::start(folder.path()).unwrap();
        load.check(folder.path(), &server);
        load.put_on(server, Duration::from_millis(40 + 13 * (round % 11)));
    }
    let server = Server::start(folder.path()).unwrap();
    load.check(folder.path(), &server);
    for (what, tally) in [
        ("events", &load.events),
        ("outcomes", &load.outcomes),
        ("scores", &load.scores),
        ("moves", &load.moves),
    ] {
        let done = tally.acknowledged.load(Ordering::SeqCst);
        assert!(done > kills, "only {done} {what} were acknowledged: nothing was tested");
    }
}
