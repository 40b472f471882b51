//! Raw files join the history: what is taken, what is set aside, and what a second run does.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod workspace;

use scorehouse_features::Fault;
use scorehouse_features::ids::SourceName;
use scorehouse_offline::{FileOutcome, OfflineError, ScanRange};
use workspace::{ParseMoment, Workspace, name};

const PROJECT: &str = r#"
[project]
name = "test"

[entity.customer]
key = "customer_id"

[source.orders]
path = "orders*.csv"
event_time = "at"
columns = { customer_id = "text", quantity = "int", price = "float", at = "time" }
compute = { amount = "quantity * price" }
keep = "quantity > 0"
max_rejected = 0.5

[view.orders]
entity = "customer"
kind = "window"
source = "orders"
windows = ["30d"]
features = { amount = "sum(amount)" }
"#;

const ORDERS: &str = "\
customer_id,quantity,price,at,note
a,2,1.5,2024-01-05,x
b,many,1.0,2024-01-06,x
a,-1,1.5,2024-02-07,x
,4,2.0,2024-02-08 10:00,x
c,1,NA,2024-03-09,x
";

#[test]
fn every_record_is_kept_filtered_or_rejected_and_counted() {
    let space = Workspace::new(PROJECT);
    space.write("orders.csv", ORDERS);
    let report = space.ingest(false).unwrap();
    let file = &report.sources[0].files[0];
    assert_eq!((file.read, file.kept, file.filtered, file.rejected), (5, 3, 1, 1));
    assert_eq!(file.reasons[0].what, "quantity: not a whole number");
    assert_eq!(file.nulls[0].what, "price: NA");
    assert_eq!(file.ignored, ["note"]);
    let rejects = space.read("state/rejects/orders.csv");
    assert_eq!(
        rejects,
        "file,line,reason,raw\norders.csv,3,\"column quantity: \"\"many\"\" is not a whole number\",\"b,many,1.0,2024-01-06,x\"\n"
    );
}

#[test]
fn computed_columns_are_stored_and_missing_operands_give_nulls() {
    let space = Workspace::new(PROJECT);
    space.write("orders.csv", ORDERS);
    space.ingest(false).unwrap();
    let rows = space.rows("orders", &["customer_id", "amount"]);
    assert_eq!(
        rows,
        [
            "a|3.0|2024-01-05T00:00:00Z|2024-01-05T00:00:00Z|1",
            "|8.0|2024-02-08T10:00:00Z|2024-02-08T10:00:00Z|2",
            "c||2024-03-09T00:00:00Z|2024-03-09T00:00:00Z|3",
        ]
    );
}

#[test]
fn ingesting_again_changes_nothing() {
    let space = Workspace::new(PROJECT);
    space.write("orders.csv", ORDERS);
    space.ingest(false).unwrap();
    let before = space.read("state/history/manifest.json");
    let again = space.ingest(false).unwrap();
    assert!(!again.changed);
    assert_eq!(again.sources[0].files[0].outcome, FileOutcome::Unchanged);
    assert_eq!(space.read("state/history/manifest.json"), before);
    assert_eq!(again.sources[0].rows, 3);
}

#[test]
fn a_file_that_grew_adds_only_its_new_lines() {
    let space = Workspace::new(PROJECT);
    space.write("orders.csv", ORDERS);
    space.ingest(false).unwrap();
    space.write("orders.csv", &format!("{ORDERS}d,1,1.0,2024-01-01,x\nd,1,1.0,later,x\n"));
    let report = space.ingest(false).unwrap();
    let file = &report.sources[0].files[0];
    assert_eq!((file.outcome.clone(), file.read, file.kept, file.rejected), (FileOutcome::Grown, 2, 1, 1));
    assert_eq!(space.rows("orders", &["customer_id"]).len(), 4);
    // The late row stands first by event time and last by arrival.
    assert_eq!(space.rows("orders", &["customer_id"])[0], "d|2024-01-01T00:00:00Z|2024-01-01T00:00:00Z|4");
    let rejects = space.read("state/rejects/orders.csv");
    assert!(rejects.contains("orders.csv,3,") && rejects.contains("orders.csv,8,"), "{rejects}");
}

#[test]
fn a_last_line_without_a_line_break_that_went_on_is_a_change() {
    let space = Workspace::new(PROJECT);
    space.write("orders.csv", ORDERS.trim_end());
    space.ingest(false).unwrap();
    space.write("orders.csv", &format!("{}yz\n", ORDERS.trim_end()));
    assert!(matches!(space.ingest(false), Err(OfflineError::FileChanged { .. })));
}

#[test]
fn a_changed_file_is_refused_and_replaced_when_asked() {
    let space = Workspace::new(PROJECT);
    space.write("orders_1.csv", ORDERS);
    space.write("orders_2.csv", "customer_id,quantity,price,at\nz,1,9.0,2024-01-07\n");
    space.ingest(false).unwrap();
    space.write("orders_1.csv", "customer_id,quantity,price,at\na,5,1.0,2024-01-05\n");
    let refused = space.ingest(false).unwrap_err();
    assert_eq!(refused.fault(), Fault::Data);
    assert_eq!(space.rows("orders", &[]).len(), 4);
    let report = space.ingest(true).unwrap();
    assert_eq!(report.sources[0].files[0].outcome, FileOutcome::Replaced);
    assert_eq!(
        space.rows("orders", &["customer_id", "amount"]),
        [
            "a|5.0|2024-01-05T00:00:00Z|2024-01-05T00:00:00Z|5",
            "z|9.0|2024-01-07T00:00:00Z|2024-01-07T00:00:00Z|4",
        ]
    );
}

#[test]
fn a_copy_of_a_file_does_not_count_twice() {
    let space = Workspace::new(PROJECT);
    space.write("orders_1.csv", ORDERS);
    space.write("orders_2.csv", ORDERS);
    let report = space.ingest(false).unwrap();
    assert_eq!(report.sources[0].files[1].outcome, FileOutcome::SameAs("orders_1.csv".to_owned()));
    assert_eq!(report.sources[0].rows, 3);
}

#[test]
fn too_many_rejects_stop_the_run_and_leave_history_as_it_was() {
    let space = Workspace::new(&PROJECT.replace("0.5", "0.1"));
    space.write("orders.csv", ORDERS);
    let error = space.ingest(false).unwrap_err();
    let OfflineError::TooManyRejected { rejected, read, rejects, .. } = &error else { panic!("{error}") };
    assert_eq!((*rejected, *read), (1, 5));
    assert!(std::fs::read_to_string(rejects).unwrap().contains("many"));
    assert!(space.rows("orders", &[]).is_empty());
    assert_eq!(space.history_files(), 0);
}

#[test]
fn a_source_that_changed_its_meaning_is_refused_and_rebuilt_when_asked() {
    let space = Workspace::new(PROJECT);
    space.write("orders.csv", ORDERS);
    space.ingest(false).unwrap();
    let changed = space.with(&PROJECT.replace("quantity * price", "quantity * price * 2"));
    let error = changed.ingest(false).unwrap_err();
    assert!(matches!(error, OfflineError::DefinitionChanged { .. }), "{error}");
    assert!(changed.scan("orders", &[], ScanRange::default()).is_err());
    changed.ingest(true).unwrap();
    let rows = changed.rows("orders", &["amount"]);
    assert_eq!(rows.iter().map(|r| r.split('|').next().unwrap()).collect::<Vec<_>>(), ["6.0", "16.0", ""]);
}

#[test]
fn a_missing_column_names_the_nearest_header() {
    let space = Workspace::new(PROJECT);
    space.write("orders.csv", "customer_id,quantty,price,at\na,1,1,2024-01-01\n");
    let message = space.ingest(false).unwrap_err().to_string();
    assert!(
        message.contains("no column \"quantity\"") && message.contains("did you mean \"quantty\""),
        "{message}"
    );
}

#[test]
fn a_source_without_files_says_what_it_looked_for() {
    let space = Workspace::new(PROJECT);
    let message = space.ingest(false).unwrap_err().to_string();
    assert!(message.contains("no file matches") && message.contains("orders*.csv"), "{message}");
}

#[test]
fn arrival_numbers_follow_the_file_whatever_the_number_of_threads() {
    let mut text = "customer_id,quantity,price,at\n".to_owned();
    for row in 0..60_000 {
        // Spread over months, out of order, a reject now and then.
        let quantity = if row % 1_000 == 7 { "x".to_owned() } else { (row % 50 + 1).to_string() };
        text.push_str(&format!("c{},{quantity},1.0,2024-{:02}-11\n", row % 37, row * 7 % 12 + 1));
    }
    let outcomes: Vec<Vec<String>> = [1, 4]
        .iter()
        .map(|threads| {
            let space = Workspace::new(PROJECT);
            space.write("orders.csv", &text);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(*threads).build().unwrap();
            pool.install(|| space.ingest(false)).unwrap();
            space.rows("orders", &["customer_id", "quantity"])
        })
        .collect();
    assert_eq!(outcomes[0].len(), 59_940);
    assert_eq!(outcomes[0], outcomes[1]);
}

#[test]
fn what_was_not_yet_known_is_left_out_of_a_scan_as_of_a_moment() {
    let space = Workspace::new(&PROJECT.replace("keep = \"quantity > 0\"", "delay = \"10d\""));
    space.write("orders.csv", ORDERS);
    space.ingest(false).unwrap();
    let moment = "2024-02-12".parse_moment();
    let rows = space.scan("orders", &[name("customer_id")], ScanRange::as_of(moment)).unwrap();
    assert_eq!(rows.num_rows(), 1);
}

#[test]
fn compaction_changes_files_and_no_rows() {
    let space = Workspace::new(PROJECT);
    for day in 1..=9 {
        space.write(
            &format!("orders_{day}.csv"),
            &format!("customer_id,quantity,price,at\na,1,1.0,2024-01-0{day}\n"),
        );
        space.ingest(false).unwrap();
    }
    let before = space.rows("orders", &["customer_id", "amount"]);
    assert_eq!(space.store().manifest().unwrap().sources[&name::<SourceName>("orders")].files.len(), 9);
    let report = space.store().compact().unwrap();
    assert_eq!((report.merged, report.written), (9, 1));
    assert_eq!(space.rows("orders", &["customer_id", "amount"]), before);
    assert_eq!(space.store().compact().unwrap().merged, 0);
    // Files that no manifest names are gone after the next commit.
    space.write("orders_x.csv", "customer_id,quantity,price,at\na,1,1.0,2024-02-01\n");
    space.ingest(false).unwrap();
    assert_eq!(space.history_files(), 2);
}
