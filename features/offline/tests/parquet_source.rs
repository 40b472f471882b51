//! Parquet files as a source.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod workspace;

use std::fs::File;
use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use scorehouse_offline::FileOutcome;
use workspace::Workspace;

const PROJECT: &str = r#"
[project]
name = "test"

[entity.customer]
key = "customer_id"

[source.orders]
path = "*.parquet"
event_time = "day"
columns = { customer_id = "text", quantity = "int", price = { type = "float", header = "Unit Price" }, day = "time" }
compute = { amount = "quantity * price" }
max_rejected = 0.9

[view.orders]
entity = "customer"
kind = "window"
source = "orders"
windows = ["30d"]
features = { amount = "sum(amount)" }
"#;

fn write(space: &Workspace, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = File::create(space.path().join("orders.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn days() -> ArrayRef {
    Arc::new(Date32Array::from(vec![Some(19_000), Some(19_001), Some(19_002), None]))
}

#[test]
fn columns_are_found_and_converted_and_odd_values_are_rejected_by_row() {
    let space = Workspace::new(PROJECT);
    write(
        &space,
        vec![
            ("note", Arc::new(StringArray::from(vec!["", "", "", ""])) as ArrayRef),
            // Keys with gaps, as pandas writes them.
            ("customer_id", Arc::new(Float64Array::from(vec![Some(13085.0), None, Some(7.0), Some(8.0)]))),
            ("quantity", Arc::new(StringArray::from(vec!["2", "NA", "two", "4"]))),
            ("Unit Price", Arc::new(Int32Array::from(vec![3, 4, 5, 6]))),
            ("day", days()),
        ],
    );
    let report = space.ingest(false).unwrap();
    let file = &report.sources[0].files[0];
    assert_eq!((file.read, file.kept, file.rejected), (4, 2, 2));
    assert_eq!(file.ignored, ["note"]);
    assert_eq!(
        space.rows("orders", &["customer_id", "quantity", "price", "amount"]),
        [
            "13085|2|3.0|6.0|2022-01-08T00:00:00Z|2022-01-08T00:00:00Z|1",
            "||4.0||2022-01-09T00:00:00Z|2022-01-09T00:00:00Z|2",
        ]
    );
    let rejects = space.read("state/rejects/orders.csv");
    assert!(
        rejects.contains("orders.parquet,3,") && rejects.contains("orders.parquet,4,column day has no value"),
        "{rejects}"
    );
    assert_eq!(space.ingest(false).unwrap().sources[0].files[0].outcome, FileOutcome::Unchanged);
}

#[test]
fn fractions_and_numbers_that_are_none_do_not_become_whole_numbers() {
    let space = Workspace::new(PROJECT);
    write(
        &space,
        vec![
            ("customer_id", Arc::new(Int64Array::from(vec![1, 2, 3, 4])) as ArrayRef),
            ("quantity", Arc::new(Float64Array::from(vec![2.5, f64::NAN, 1e30, 4.0]))),
            ("Unit Price", Arc::new(Float64Array::from(vec![1.0, f64::INFINITY, 1.0, 1.0]))),
            ("day", Arc::new(Date32Array::from(vec![19_000; 4]))),
        ],
    );
    let report = space.ingest(false).unwrap();
    assert_eq!((report.sources[0].files[0].kept, report.sources[0].files[0].rejected), (1, 3));
}

#[test]
fn a_column_of_a_type_that_cannot_serve_is_an_error_that_names_it() {
    let space = Workspace::new(PROJECT);
    write(
        &space,
        vec![
            ("customer_id", Arc::new(Int64Array::from(vec![1; 4])) as ArrayRef),
            ("quantity", days()),
            ("Unit Price", Arc::new(Float64Array::from(vec![1.0; 4]))),
            ("day", days()),
        ],
    );
    let message = space.ingest(false).unwrap_err().to_string();
    assert!(message.contains("column quantity holds Date32"), "{message}");
}
