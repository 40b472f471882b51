//! Says which columns of a plain file seem to know the outcome, and why:
//! `cargo run -p scorehouse-training --example leaks -- TABLE.csv LABEL [ID,…] [POSITIVE] [TIME]`.
#![allow(clippy::print_stdout, clippy::expect_used, clippy::panic, reason = "a program that measures")]

use std::path::Path;
use std::time::Instant;

use scorehouse_training::dataset::{ColumnData, Dataset, read_label, read_table, screen};
use scorehouse_training::find_leaks;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let (file, label) = (args.get(1).expect("a file"), args.get(2).expect("the label's column"));
    let without: Vec<&str> = args.get(3).map_or_else(Vec::new, |ids| ids.split(',').collect());
    let table = read_table(Path::new(file)).expect("a table");
    let at = table.position(label).expect("the label");
    let values = (0..table.rows()).map(|row| table.field(row, at));
    let positive = args.get(4).map(String::as_str).filter(|text| !text.is_empty());
    let (outcome, _) = read_label(label, values, positive).expect("labels");
    let time = args.get(5).map(|time| table.position(time).expect("the time"));
    let moments = time.map(|at| match table.column(at, &table.infer(at)).data {
        ColumnData::Time(values) => values.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>(),
        _ => panic!("no dates in the time column"),
    });
    let kept = |column: &usize| {
        *column != at && Some(*column) != time && !without.contains(&table.headers[*column].as_str())
    };
    let columns: Vec<_> =
        (0..table.headers.len()).filter(kept).map(|at| table.column(at, &table.infer(at))).collect();
    let data = Dataset {
        rows: table.rows(),
        columns,
        label: outcome.into_iter().map(|label| label.unwrap_or(0.0)).collect(),
        as_of: moments.clone().unwrap_or_else(|| vec![Default::default(); table.rows()]),
        known_at: moments,
        ..Dataset::default()
    };
    let notes = screen(&data.columns, data.rows);
    let start = Instant::now();
    let leaks = find_leaks(&data, &notes);
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{file}: {} rows, {} columns, {} warnings, {seconds:.2} s",
        data.rows,
        data.columns.len(),
        leaks.len()
    );
    for leak in &leaks {
        println!("  {} (AUC alone {:.3}): {}", leak.column, leak.auc_alone, leak.words());
    }
}
