//! Pushed rows join the history, and history becomes the base of the online store.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod workspace;

use std::sync::Arc;

use scorehouse_features::definition::Project;
use scorehouse_features::ids::{FeatureName, SourceName};
use scorehouse_features::online::{Base, EmbeddedStore, OnlineStore, PushedRow, StoreOptions};
use scorehouse_features::source::{Outcome, event};
use scorehouse_features::time::{FixedClock, Timestamp};
use scorehouse_features::value::Value;
use scorehouse_features::view::{FeaturePlan, Layout, Read, RequestFields, Scratch};
use scorehouse_offline::OfflineError;
use workspace::{ParseMoment, Workspace, name};

const PROJECT: &str = r#"
[project]
name = "test"

[entity.customer]
key = "customer_id"

[source.orders]
path = "orders.csv"
event_time = "at"
columns = { customer_id = "text", amount = "float", at = "time" }

[source.visits]
event_time = "at"
columns = { customer_id = "text", page = "text", at = "time" }

[view.orders]
entity = "customer"
kind = "window"
source = "orders"
windows = ["all"]
features = { amount = "sum(amount)", count = "count()" }

[view.visit]
entity = "customer"
kind = "latest"
source = "visits"
features = ["page"]
"#;

const CLOCK: i64 = 1_700_000_000_000_000;

fn open(space: &Workspace, base: Base) -> EmbeddedStore {
    let log = space.path().join("state/online/log");
    let clock = Arc::new(FixedClock(Timestamp(CLOCK)));
    EmbeddedStore::open(space.project(), base, &log, StoreOptions::default(), clock).unwrap()
}

fn push(project: &Project, store: &EmbeddedStore, source: &str, json: &str) {
    let source = &project.sources[&name::<SourceName>(source)];
    let body = serde_json::from_str(json).unwrap();
    let Outcome::Kept(row) = event::parse(source, &body, Timestamp(CLOCK)).unwrap().unwrap() else {
        panic!("filtered")
    };
    let row = PushedRow {
        event_time: row.event_time,
        available: row.available,
        arrival: 0,
        values: row.values,
        id: None,
    };
    store.append(&source.name, vec![row]).unwrap();
}

fn features(space: &Workspace, store: &EmbeddedStore, key: &str) -> Vec<Value> {
    let names: Vec<FeatureName> = ["orders.amount", "orders.count", "visit.page"].map(name).to_vec();
    let plan = FeaturePlan::compile(space.project(), &name("customer"), &names).unwrap();
    let mut out = Vec::new();
    let (key, request) = (name(key), RequestFields::default());
    let read = Read { key: &key, as_of: Timestamp(CLOCK), request: &request, overrides: &[] };
    plan.read(store, &read, &mut Scratch::default(), &mut out).unwrap();
    out
}

fn space() -> Workspace {
    let space = Workspace::new(PROJECT);
    space.write("orders.csv", "customer_id,amount,at\na,2.5,2023-01-01\nb,1.0,2023-01-02\n");
    space
}

fn empty(project: &Project) -> Base {
    Base::empty(&Layout::of(project).unwrap())
}

#[test]
fn pushed_rows_are_taken_over_once() {
    let space = space();
    let store = open(&space, empty(space.project()));
    push(
        space.project(),
        &store,
        "orders",
        r#"{"customer_id": "a", "amount": 4, "at": "2023-02-01T00:00:00Z"}"#,
    );
    push(space.project(), &store, "visits", r#"{"customer_id": 7, "page": "home"}"#);
    let history = space.store();
    let report = history.drain_log(space.project()).unwrap();
    assert_eq!(report.rows, [(name("orders"), 1), (name("visits"), 1)]);
    assert!(history.drain_log(space.project()).unwrap().rows.is_empty());
    assert_eq!(
        space.rows("visits", &["customer_id", "page"]),
        ["7|home|2023-11-14T22:13:20Z|2023-11-14T22:13:20Z|1700000000000001"]
    );
    push(space.project(), &store, "visits", r#"{"customer_id": "7", "page": "cart"}"#);
    assert_eq!(history.drain_log(space.project()).unwrap().rows, [(name("visits"), 1)]);
    assert_eq!(space.rows("visits", &[]).len(), 2);
}

#[test]
fn files_ingested_after_pushes_arrive_after_them() {
    let space = space();
    let store = open(&space, empty(space.project()));
    push(
        space.project(),
        &store,
        "orders",
        r#"{"customer_id": "a", "amount": 4, "at": "2023-01-01T00:00:00Z"}"#,
    );
    space.ingest(false).unwrap();
    let rows = space.rows("orders", &["amount"]);
    let arrivals: Vec<i64> =
        rows.iter().map(|row| row.rsplit('|').next().unwrap().parse().unwrap()).collect();
    assert_eq!(arrivals, [CLOCK, CLOCK + 1, CLOCK + 2]);
    assert!(rows[0].starts_with("4.0"));
}

#[test]
fn a_base_made_from_history_answers_like_the_store_that_took_the_pushes() {
    let space = space();
    space.ingest(false).unwrap();
    let first = open(&space, space.store().materialize(space.project()).unwrap());
    push(
        space.project(),
        &first,
        "orders",
        r#"{"customer_id": "a", "amount": 4, "at": "2023-02-01T00:00:00Z"}"#,
    );
    push(space.project(), &first, "visits", r#"{"customer_id": "a", "page": "home"}"#);
    let before = features(&space, &first, "a");
    drop(first);
    let history = space.store();
    history.drain_log(space.project()).unwrap();
    let base = history.materialize(space.project()).unwrap();
    let second = open(&space, base);
    assert_eq!(second.status().pushed_rows, 0);
    assert_eq!(features(&space, &second, "a"), before);
    assert_eq!(before, [Value::Float(6.5), Value::Int(2), Value::Text("home".into())]);
}

#[test]
fn rebuilding_a_source_keeps_what_was_pushed() {
    let space = space();
    let store = open(&space, empty(space.project()));
    push(
        space.project(),
        &store,
        "orders",
        r#"{"customer_id": "a", "amount": 4, "at": "2023-02-01T00:00:00Z"}"#,
    );
    drop(store);
    space.ingest(false).unwrap();
    let changed = PROJECT.replace(
        "at = \"time\" }\n\n[source.visits]",
        "at = \"time\" }\ncompute = { double = \"amount * 2\" }\n\n[source.visits]",
    );
    let changed = space.with(&changed);
    changed.ingest(true).unwrap();
    let doubles = changed.rows("orders", &["double"]);
    assert_eq!(
        doubles.iter().map(|row| row.split('|').next().unwrap()).collect::<Vec<_>>(),
        ["5.0", "2.0", "8.0"]
    );
}

#[test]
fn two_processes_cannot_change_the_history_at_once() {
    let space = space();
    // Opening the store makes its folder.
    drop(space.store());
    let held = std::fs::File::create(space.path().join("state/history/lock")).unwrap();
    held.try_lock().unwrap();
    assert!(matches!(space.ingest(false), Err(OfflineError::Locked { .. })));
    held.unlock().unwrap();
    space.ingest(false).unwrap();
}

#[test]
fn a_moment_beyond_the_range_of_the_calendar_is_rejected() {
    let space = space();
    let source = &space.project().sources[&name::<SourceName>("visits")];
    let body = serde_json::json!({ "customer_id": "a", "at": "99999-01-01T00:00:00Z" });
    assert!(event::parse(source, &body, "2024-01-01".parse_moment()).unwrap().is_err());
}
