//! The window kernel alone: 10 million events of 100,000 entities, 200,000 snapshots, 4 aggregates over 5
//! windows, on one thread. What the offline engine adds is sorting and reading.
//!
//! ```text
//! cargo run -p scorehouse-bench --example window_kernel
//! ```
#![allow(clippy::print_stdout, reason = "a measurement prints its figures")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use scorehouse_bench::on_cpu;
use scorehouse_features::definition::{Project, ViewKind};
use scorehouse_features::ids::SourceName;
use scorehouse_features::online::BaseTable;
use scorehouse_features::online::base::{ARRIVAL, AVAILABLE_TIME, EVENT_TIME};
use scorehouse_features::time::{DAY, Timestamp};
use scorehouse_features::value::{Missing, Value};
use scorehouse_features::view::{Layout, TableId, WindowPlan, WindowScratch};

const ENTITIES: usize = 100_000;
const EVENTS: usize = 10_000_000;
const SNAPSHOTS: usize = 200_000;

const PROJECT: &str = r#"
[project]
name = "bench"
[entity.customer]
key = "customer"
[source.event]
event_time = "at"
columns = { at = "time", customer = "text", amount = "float" }
[view.activity]
entity = "customer"
kind = "window"
source = "event"
windows = ["7d", "30d", "90d", "180d", "365d"]
features = { n = "count()", total = "sum(amount)", mean = "mean(amount)", most = "max(amount)" }
"#;

fn main() -> Result<()> {
    let project = Project::parse(PROJECT, Path::new(".")).map_err(|e| anyhow::anyhow!("{e:?}"))?;
    let layout = Layout::of(&project)?;
    let each = EVENTS / ENTITIES;
    // An entity's events stand about evenly through two years.
    let times =
        (0..EVENTS).map(|row| (row % each) as i64 * 730 * DAY / each as i64 + (row * 7919 % 86_400) as i64);
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"));
    let amounts = (0..EVENTS).map(|row| (row * 31 % 1000) as f64 * 0.1);
    let keys: Vec<String> = (0..ENTITIES).map(|entity| format!("C{entity:08}")).collect();
    let columns: [(&str, ArrayRef); 5] = [
        ("customer", Arc::new(StringArray::from_iter_values((0..EVENTS).map(|row| &keys[row / each])))),
        ("amount", Arc::new(Float64Array::from_iter_values(amounts))),
        (EVENT_TIME, times.clone()),
        (AVAILABLE_TIME, times),
        (ARRIVAL, Arc::new(Int64Array::from_iter_values(0..EVENTS as i64))),
    ];
    let batch = RecordBatch::try_from_iter(columns)?;
    let start = Instant::now();
    let table = BaseTable::build(&layout, TableId(0), &[batch])?;
    println!("{EVENTS} events sorted and packed in {:.3} s", start.elapsed().as_secs_f64());
    let view = project.views.values().next().map(|view| &view.kind);
    let Some(ViewKind::Window(window)) = view else { anyhow::bail!("the project has one window view") };
    let source = layout.source(&SourceName::new("event")?).ok_or_else(|| anyhow::anyhow!("no source"))?;
    let picks: Vec<(usize, usize)> = (0..window.features.len()).map(|n| (n, n)).collect();
    let plan = WindowPlan::compile(window, source, &picks)?;
    let mut out = vec![Value::Missing(Missing::NeverSeen); picks.len()];
    let mut scratch = WindowScratch::default();
    let mut total = 0.0;
    let (start, cpu) = (Instant::now(), on_cpu());
    for snapshot in 0..SNAPSHOTS {
        let entity = snapshot % ENTITIES;
        let rows = table.rows(&keys[entity]);
        let as_of = Timestamp((365 + (snapshot * 7919 % 365) as i64) * DAY);
        plan.evaluate(&rows, as_of, &mut scratch, &mut out);
        if let Value::Float(sum) = out[9] {
            total += sum;
        }
    }
    let took = start.elapsed().as_secs_f64();
    println!(
        "{SNAPSHOTS} snapshots x {} features: {took:.3} s on one thread, {:.3} s of it on the processor (check {total:.1})",
        out.len(),
        on_cpu() - cpu
    );
    Ok(())
}
