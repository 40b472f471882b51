//! A subscription business, from exports to a live model that follows what happens.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use scorehouse_tests::{Server, get, post, run_ok};
use serde_json::{Value, json};

const PROJECT: &str = r#"
[project]
name = "subscriptions"

[entity.subscriber]
key = "subscriber_id"

[source.started]
path = "started.csv"
event_time = "at"
columns = { subscriber_id = { type = "text", required = true }, at = "time", plan = "text" }

[source.ended]
path = "ended.csv"
event_time = "at"
columns = { subscriber_id = { type = "text", required = true }, at = "time", reason = "text" }

[source.sessions]
path = "sessions.csv"
event_time = "at"
columns = { subscriber_id = { type = "text", required = true }, at = "time", minutes = "int" }

[view.contract]
entity = "subscriber"
kind = "latest"
source = "started"
features = ["plan"]

[view.use]
entity = "subscriber"
kind = "window"
source = "sessions"
windows = ["30d", "90d"]
features = { sessions = { aggregate = "count()", words = "{value} sessions" }, minutes = "sum(minutes)" }

[features.health]
entity = "subscriber"
features = ["contract.plan", "use.*"]

[model.cancel]
pipeline = "churn"
feature_set = "health"
started = "started"
ended = "ended"
where = "reason <> 'moved'"
horizon = "60d"
"#;

const SUBSCRIBERS: u64 = 300;
/// Days of history; the first is 2024-01-01.
const DAYS: u64 = 540;

/// A number below `under` that only its seeds decide.
fn draw(seed: u64, under: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed ^= mixed >> 29;
    mixed = mixed.wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ mixed >> 32) % under
}

fn date(day: u64) -> String {
    let start = jiff::civil::date(2024, 1, 1);
    start.saturating_add(jiff::Span::new().days(day as i64)).to_string()
}

/// The day from which a subscriber is losing interest.
fn tired_from(id: u64) -> Option<u64> {
    (draw(id * 3 + 1, 2) == 0).then(|| 120 + draw(id * 7 + 2, DAYS - 120))
}

/// The day on which a subscriber moves away.
fn moves_at(id: u64) -> Option<u64> {
    (id.is_multiple_of(11)).then(|| 200 + draw(id * 13 + 5, 300))
}

/// Half of the subscribers lose interest at some day and cancel five weeks later; some others move away.
fn write_exports(folder: &Path) {
    let (mut started, mut ended, mut sessions) = (
        String::from("subscriber_id,at,plan\n"),
        String::from("subscriber_id,at,reason\n"),
        String::from("subscriber_id,at,minutes\n"),
    );
    for id in 0..SUBSCRIBERS {
        let first = draw(id, 60);
        let _ = writeln!(started, "S-{id},{},{}", date(first), ["basic", "plus"][(id % 2) as usize]);
        let (tires, moves) = (tired_from(id), moves_at(id));
        let last = tires.map_or(DAYS, |day| (day + 35).min(DAYS)).min(moves.unwrap_or(DAYS));
        let mut day = first;
        while day < last {
            let tired = tires.is_some_and(|from| day >= from);
            let _ = writeln!(sessions, "S-{id},{},{}", date(day), 5 + draw(id * 31 + day, 50));
            day += if tired { 15 } else { 3 } + draw(id * 17 + day, 4);
        }
        if last < DAYS {
            let reason = if moves == Some(last) { "moved" } else { "price" };
            let _ = writeln!(ended, "S-{id},{},{reason}", date(last));
        }
    }
    for (name, text) in [("started", started), ("ended", ended), ("sessions", sessions)] {
        fs::write(folder.join(format!("{name}.csv")), text).unwrap();
    }
}

fn probability(server: &Server, subscriber: &str) -> f64 {
    let body = json!({ "entity": subscriber, "as_of": date(DAYS) });
    let answer = post(&server.url("/v1/models/cancel/score"), &body).unwrap().json().unwrap();
    answer["scores"][0]["probability"].as_f64().unwrap_or_else(|| panic!("{answer}"))
}

fn chosen_auc(trained: &Value) -> f64 {
    let candidates = trained["models"][0]["candidates"].as_array().unwrap();
    let chosen = candidates.iter().find(|candidate| candidate["chosen"] == true).unwrap();
    chosen["metrics"]["metrics"]["auc"]["value"].as_f64().unwrap_or_else(|| panic!("{chosen}"))
}

/// What history says of the minutes that a subscriber spent within ninety days.
fn minutes(folder: &Path, asked: &[&str]) -> i64 {
    let command = [&["features", "show", "subscriber"], asked, &["--json"]].concat();
    let shown = run_ok(folder, &command).unwrap().json().unwrap();
    let facts = shown["features"].as_array().unwrap();
    let found = facts.iter().find(|fact| fact["name"] == "use.minutes_90d").unwrap();
    found["value"].as_i64().unwrap_or_else(|| panic!("{found}"))
}

#[test]
fn a_contractual_churn_model_ranks_leavers_first_and_follows_pushed_events() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("scorehouse.toml"), PROJECT).unwrap();
    write_exports(folder.path());
    let as_of = date(DAYS);
    run_ok(folder.path(), &["check"]).unwrap();
    run_ok(folder.path(), &["ingest", "--quiet"]).unwrap();
    let trained = run_ok(folder.path(), &["train", "cancel", "--as-of", &as_of, "--json"]).unwrap();
    let auc = chosen_auc(&trained.json().unwrap());
    // Of those who leave within 60 days, five in twelve have not yet lost interest and look like everybody else.
    assert!(auc > 0.65, "{auc}");

    let server = Server::start(folder.path()).unwrap();
    let mut scores: Vec<(f64, String)> =
        (0..SUBSCRIBERS).map(|id| format!("S-{id}")).map(|id| (probability(&server, &id), id)).collect();
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert!(scores[scores.len() - 1].0 > scores[0].0 + 0.2, "{scores:?}");
    let unknown = post(&server.url("/v1/models/cancel/score"), &json!({ "entity": "nobody" })).unwrap();
    assert_eq!(unknown.status, 404, "{}", unknown.text);
    #[expect(clippy::disallowed_methods, reason = "the server goes by the clock, and so must the event")]
    let yesterday = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24);
    let event = json!({ "subscriber_id": "newcomer", "at": yesterday.to_string(), "minutes": 17 });
    assert_eq!(post(&server.url("/v1/events/sessions"), &event).unwrap().status, 200);
    let known = get(&server.url("/v1/entities/subscriber/newcomer")).unwrap().json().unwrap();
    assert_eq!(known["features"]["use.minutes_90d"]["value"], 17, "{known}");
    server.kill().unwrap();

    // The pushed row becomes history with the next ingest: known from its own time on.
    run_ok(folder.path(), &["ingest", "--quiet"]).unwrap();
    assert_eq!(minutes(folder.path(), &["newcomer"]), 17);
    assert_eq!(minutes(folder.path(), &["newcomer", "--as-of", &as_of]), 0);
    let loyal = (0..SUBSCRIBERS).find(|id| tired_from(*id).is_none() && moves_at(*id).is_none()).unwrap();
    assert!(minutes(folder.path(), &[&format!("S-{loyal}"), "--as-of", &as_of]) > 100);
}
