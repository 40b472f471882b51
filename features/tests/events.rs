//! Events in JSON become rows, or say what is wrong with them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use scorehouse_features::definition::Project;
use scorehouse_features::source::event::EventReader;
use scorehouse_features::source::{Outcome, RejectReason, TypedRow};
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value};

const PROJECT: &str = r#"
[project]
name = "test"

[entity.customer]
key = "customer_id"

[source.orders]
event_time = "at"
available_time = "known"
columns = { customer_id = { type = "text", required = true }, quantity = "int", price = { type = "float", header = "Unit Price" }, gift = "bool", at = { type = "time", format = "%d.%m.%Y" }, known = "time" }
compute = { amount = "quantity * price" }
keep = "quantity <> 0"

[view.orders]
entity = "customer"
kind = "window"
source = "orders"
windows = ["30d"]
features = { amount = "sum(amount)" }
"#;

fn read(event: serde_json::Value) -> Result<Outcome, RejectReason> {
    let project = Project::parse(PROJECT, std::path::Path::new(".")).unwrap();
    let source = project.sources.values().next().unwrap();
    EventReader::new(source).unwrap().read(&event, Timestamp(1_000_000))
}

fn row(event: serde_json::Value) -> TypedRow {
    match read(event) {
        Ok(Outcome::Kept(row)) => row,
        other => panic!("{other:?}"),
    }
}

#[test]
fn fields_are_found_by_name_and_by_header_and_computed_columns_are_filled() {
    let row = row(serde_json::json!({
        "customer_id": 13085, "quantity": 2, "Unit Price": 1.5, "at": "2011-12-09T08:26:00Z", "known": null
    }));
    assert_eq!(row.event_time.to_string(), "2011-12-09T08:26:00Z");
    assert_eq!(row.available, Timestamp(1_000_000));
    assert_eq!(row.values[0], Value::Text("13085".into()));
    assert_eq!(row.values[3], Value::Missing(Missing::NullAtSource));
    assert_eq!(row.values[6], Value::Float(3.0));
}

#[test]
fn the_format_of_the_files_is_understood_in_events_too() {
    let row = row(serde_json::json!({"customer_id": "a", "quantity": 1, "at": "09.12.2011"}));
    assert_eq!(row.event_time.to_string(), "2011-12-09T00:00:00Z");
}

#[test]
fn a_moment_that_is_not_given_is_now() {
    let row = row(serde_json::json!({"customer_id": "a", "quantity": 1}));
    assert_eq!((row.event_time, row.available), (Timestamp(1_000_000), Timestamp(1_000_000)));
}

#[test]
fn rows_that_the_source_leaves_out_are_left_out() {
    assert_eq!(read(serde_json::json!({"customer_id": "a", "quantity": 0})), Ok(Outcome::Filtered));
}

#[test]
fn what_is_wrong_is_said_with_the_field_and_the_near_name() {
    for (event, message) in [
        (
            serde_json::json!({"customer_id": "a", "quantty": 1}),
            "unknown field \"quantty\"; did you mean \"quantity\"?",
        ),
        (
            serde_json::json!({"customer_id": "a", "quantity": "1"}),
            "column quantity: \"\\\"1\\\"\" is not a whole number",
        ),
        (
            serde_json::json!({"customer_id": "a", "quantity": 1.5}),
            "column quantity: \"1.5\" is not a whole number",
        ),
        (serde_json::json!({"customer_id": ["a"]}), "column customer_id: \"[\\\"a\\\"]\" is not text"),
        (serde_json::json!({"quantity": 1}), "column customer_id has no value and must have one"),
        (serde_json::json!({"customer_id": "a", "at": "soon"}), "is not a date-time such as"),
        (serde_json::json!({"customer_id": "a", "amount": 3}), "unknown field \"amount\""),
        (serde_json::json!([1]), "an event must be a JSON object"),
    ] {
        let reason = read(event.clone()).unwrap_err().to_string();
        assert!(reason.contains(message), "{event}: {reason}");
    }
}
