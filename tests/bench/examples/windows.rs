//! Exact trailing windows against the same in DuckDB SQL, in one run.
//!
//! ```text
//! pip install duckdb==2.0.0
//! cargo run -p scorehouse-bench --features offline --example windows [thousands of events] [python]
//! ```
//!
//! 10,000 thousand events, a hundredth as many entities, a fiftieth as many snapshots, count, sum, mean and
//! maximum over 7, 30, 90, 180 and 365 days. Both sides read their Parquet files within the time told, and
//! their answers are compared.
#![allow(clippy::print_stdout, reason = "a measurement prints its table")]

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use parquet::arrow::ArrowWriter;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use scorehouse_bench::{figure, peer_seconds};
use scorehouse_features::definition::Project;
use scorehouse_features::ids::{EntityName, FeatureName};
use scorehouse_features::time::{DAY, Timestamp};
use scorehouse_offline::{EntityRows, IngestRequest, OfflineStore, Silent, SlotColumn};

const RUNS: usize = 3;
const WINDOWS: [u32; 5] = [7, 30, 90, 180, 365];
const START: i64 = 19_000 * DAY;
const DAYS: i64 = 730;

const PROJECT: &str = r#"
[project]
name = "bench"
[limits]
memory = "4GiB"
[entity.account]
key = "account_id"
[source.events]
path = "events.parquet"
event_time = "ts"
columns = { account_id = "text", ts = "time", amount = "float" }
[view.e]
entity = "account"
kind = "window"
source = "events"
windows = ["7d", "30d", "90d", "180d", "365d"]
features = { count = "count()", sum = "sum(amount)", mean = "mean(amount)", max = "max(amount)" }
"#;

fn moments(values: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
}

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) -> Result<()> {
    let batch = RecordBatch::try_from_iter(columns)?;
    let mut writer = ArrowWriter::try_new(File::create(path)?, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
}

fn generate(folder: &Path, events: usize) -> Result<(Vec<i64>, Vec<i64>)> {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let entities = (events / 100).max(1) as i64;
    // Events come in order of time, as a log of them would.
    let step = DAYS * DAY / events as i64;
    let ids: Vec<i64> = (0..events).map(|_| random.random_range(0..entities)).collect();
    let at: Vec<i64> = (0..events as i64).map(|event| START + event * step).collect();
    // Quarters add up exactly, so that sums can be compared.
    let amounts: Vec<f64> = (0..events).map(|_| f64::from(random.random_range(0..4000_i32)) / 4.0).collect();
    write(
        &folder.join("events.parquet"),
        vec![
            ("account_id", Arc::new(Int64Array::from(ids)) as ArrayRef),
            ("ts", moments(at)),
            ("amount", Arc::new(Float64Array::from(amounts))),
        ],
    )?;
    let asked = events / 50;
    let ids: Vec<i64> = (0..asked).map(|_| random.random_range(0..entities)).collect();
    let at: Vec<i64> = (0..asked).map(|_| START + random.random_range(365 * DAY..DAYS * DAY)).collect();
    write(
        &folder.join("snapshots.parquet"),
        vec![
            ("row", Arc::new(Int64Array::from_iter_values(0..asked as i64)) as ArrayRef),
            ("account_id", Arc::new(Int64Array::from(ids.clone()))),
            ("ts", moments(at.clone())),
        ],
    )?;
    Ok((ids, at))
}

/// Sums of all counts, all sums and all maxima: what the peer prints too.
fn check(columns: &[SlotColumn]) -> String {
    let total = |of: &str| -> f64 {
        let number = ["count", "sum", "mean", "max"].iter().position(|known| *known == of).unwrap_or(0);
        let columns = columns.iter().skip(number * WINDOWS.len()).take(WINDOWS.len());
        let sum = |column: &SlotColumn| match column.values.as_primitive_opt::<Int64Type>() {
            Some(whole) => whole.iter().flatten().map(|v| v as f64).sum::<f64>(),
            None => column.values.as_primitive::<Float64Type>().iter().flatten().sum(),
        };
        columns.map(sum).sum()
    };
    format!("count {:.0} sum {:.2} max {:.2}", total("count"), total("sum"), total("max"))
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let thousands: usize = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    let python = arguments.next().unwrap_or_else(|| "python3".to_owned());
    let folder = tempfile::tempdir()?;
    let (ids, at) = generate(folder.path(), thousands * 1000)?;
    let project =
        Project::parse(PROJECT, folder.path()).map_err(|mistakes| anyhow::anyhow!("{mistakes:?}"))?;
    let store = OfflineStore::open(&project)?;
    let started = Instant::now();
    store.ingest(
        &project,
        &IngestRequest { sources: &[], replace: false, now: Timestamp(START) },
        &Silent,
    )?;
    println!("ingest of {thousands} thousand events: {:.2} s", started.elapsed().as_secs_f64());
    let asked = EntityRows {
        keys: ids.iter().map(|id| Some(id.to_string())).collect::<StringArray>(),
        as_of: Int64Array::from(at),
        request: Vec::new(),
    };
    let entity: EntityName = "account".parse()?;
    let features: Vec<FeatureName> = ["count", "sum", "mean", "max"]
        .iter()
        .flat_map(|name| WINDOWS.iter().map(move |days| format!("e.{name}_{days}d")))
        .map(|name| name.parse())
        .collect::<Result<_, _>>()?;
    let mut best = f64::INFINITY;
    let mut answers = String::new();
    for _ in 0..RUNS {
        let started = Instant::now();
        let columns = store.history(&project, &entity, &features, &asked)?;
        best = best.min(started.elapsed().as_secs_f64());
        ensure!(columns.iter().all(|column| column.values.len() == ids.len()), "rows were lost");
        answers = check(&columns);
    }
    println!(
        "scorehouse, best of {RUNS}: {best:.3} s for {} snapshots × {} windows; {answers}",
        ids.len(),
        features.len()
    );
    let arguments = [folder.path().as_os_str(), OsStr::new("3")];
    let theirs = peer_seconds(&python, "windows.py", &arguments)?;
    let what = format!("{} windows, {} snapshots, {} thousand events", features.len(), ids.len(), thousands);
    figure(&what, "s", best, "DuckDB SQL", theirs);
    Ok(())
}
