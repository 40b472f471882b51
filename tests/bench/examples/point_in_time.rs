//! The point-in-time join against Polars `join_asof` on the same data, in one run.
//!
//! ```text
//! pip install polars==2.1.0
//! cargo run -p scorehouse-bench --features offline --example point_in_time [scale] [python]
//! ```
//!
//! 50,000 × scale entity rows × 3 views of 200,000 × scale rows × 10 numbers, of 10,000 × scale entities. Both
//! sides read their Parquet files within the time told; Scorehouse's memory is limited to 2 GiB.
#![allow(clippy::print_stdout, reason = "a measurement prints its table")]

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use parquet::arrow::ArrowWriter;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use scorehouse_bench::{bounded, figure, largest_resident, peer_seconds};
use scorehouse_features::definition::Project;
use scorehouse_features::ids::{EntityName, FeatureName};
use scorehouse_features::time::{DAY, Timestamp};
use scorehouse_offline::{EntityRows, IngestRequest, OfflineStore, Silent};

const VIEWS: usize = 3;
const COLUMNS: usize = 10;
const RUNS: usize = 5;
/// 2026-01-01.
const START: i64 = 20_454 * DAY;

fn project(folder: &Path) -> Result<Project> {
    let mut text =
        "[project]\nname = \"bench\"\n[limits]\nmemory = \"2GiB\"\n[entity.account]\nkey = \"account_id\"\n"
            .to_owned();
    for view in 0..VIEWS {
        let columns: String = (0..COLUMNS).map(|c| format!(", x{view}_{c} = \"float\"")).collect();
        let names: Vec<String> = (0..COLUMNS).map(|c| format!("\"x{view}_{c}\"")).collect();
        text.push_str(&format!(
            "[source.s{view}]\npath = \"f{view}.parquet\"\nevent_time = \"ts\"\n\
             columns = {{ account_id = \"text\", ts = \"time\"{columns} }}\n\
             [view.v{view}]\nentity = \"account\"\nkind = \"latest\"\nsource = \"s{view}\"\nfeatures = [{}]\n",
            names.join(", ")
        ));
    }
    Project::parse(&text, folder).map_err(|mistakes| anyhow::anyhow!("{mistakes:?}"))
}

fn moments(values: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
}

fn write(path: &Path, columns: Vec<(String, ArrayRef)>) -> Result<()> {
    let batch = RecordBatch::try_from_iter(columns)?;
    let mut writer = ArrowWriter::try_new(File::create(path)?, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
}

/// The generator of ../shared/peers/feast/gen.py: every entity has 20 rows in each view, at random seconds of
/// 300 days.
fn generate(folder: &Path, scale: usize) -> Result<(Vec<i64>, Vec<i64>)> {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let entities = 10_000 * scale as i64;
    for view in 0..VIEWS {
        let rows = entities as usize * 20;
        let ids: Vec<i64> = (0..rows as i64).map(|row| row % entities).collect();
        let at = (0..rows).map(|_| START + random.random_range(0..300 * 86_400_i64) * 1_000_000).collect();
        let mut columns: Vec<(String, ArrayRef)> =
            vec![("account_id".to_owned(), Arc::new(Int64Array::from(ids))), ("ts".to_owned(), moments(at))];
        for column in 0..COLUMNS {
            let values: Vec<f64> = (0..rows).map(|_| random.random_range(-3.0..3.0)).collect();
            columns.push((format!("x{view}_{column}"), Arc::new(Float64Array::from(values))));
        }
        write(&folder.join(format!("f{view}.parquet")), columns)?;
    }
    let asked = 50_000 * scale;
    let ids: Vec<i64> = (0..asked).map(|_| random.random_range(0..entities)).collect();
    let at: Vec<i64> = (0..asked)
        .map(|_| START + (59 * 86_400 + random.random_range(0..240 * 86_400_i64)) * 1_000_000)
        .collect();
    let columns: Vec<(String, ArrayRef)> = vec![
        ("account_id".to_owned(), Arc::new(Int64Array::from(ids.clone()))),
        ("event_timestamp".to_owned(), moments(at.clone())),
    ];
    write(&folder.join("ent.parquet"), columns)?;
    Ok((ids, at))
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let scale: usize = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let python = arguments.next().unwrap_or_else(|| "python3".to_owned());
    let folder = tempfile::tempdir()?;
    let (ids, at) = generate(folder.path(), scale)?;
    let project = project(folder.path())?;
    let store = OfflineStore::open(&project)?;
    let started = Instant::now();
    store.ingest(
        &project,
        &IngestRequest { sources: &[], replace: false, now: Timestamp(START) },
        &Silent,
    )?;
    let rows = VIEWS * 200_000 * scale;
    println!("ingest of {rows} rows × {} columns: {:.2} s", COLUMNS + 2, started.elapsed().as_secs_f64());

    let asked = EntityRows {
        keys: ids.iter().map(|id| Some(id.to_string())).collect::<StringArray>(),
        as_of: Int64Array::from(at),
        request: Vec::new(),
    };
    let entity: EntityName = "account".parse()?;
    let features: Vec<FeatureName> = (0..VIEWS)
        .flat_map(|view| (0..COLUMNS).map(move |column| format!("v{view}.x{view}_{column}")))
        .map(|name| name.parse())
        .collect::<Result<_, _>>()?;
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let started = Instant::now();
        let columns = store.history(&project, &entity, &features, &asked)?;
        best = best.min(started.elapsed().as_secs_f64());
        ensure!(columns.iter().all(|column| column.values.len() == ids.len()), "rows were lost");
    }
    println!("scorehouse, best of {RUNS}: {best:.3} s for {} rows × {} features", ids.len(), features.len());
    let memory = largest_resident();
    let arguments = [folder.path().as_os_str(), OsStr::new("5")];
    let theirs = peer_seconds(&python, "point_in_time.py", &arguments)?;
    let what = format!("join, {} rows × {} features", ids.len(), features.len());
    figure(&what, "s", best, "polars join_asof", theirs);
    bounded("  largest resident size", "MiB", memory, 2048.0);
    Ok(())
}
