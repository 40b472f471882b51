//! The online store at a million entities with 30 features: bytes, time to be ready from snapshot and log, time to read.
//!
//! ```text
//! cargo run -p scorehouse-bench --example online_read [entities]
//! ```
//!
//! Three views: 14 columns of the newest profile row, 8 of the newest account row, and 8 window aggregates
//! over five events an entity.
#![allow(clippy::print_stdout, reason = "a measurement prints its table")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use scorehouse_bench::{bounded, on_cpu};
use scorehouse_features::definition::Project;
use scorehouse_features::ids::{EntityKey, EntityName, FeatureName, SourceName};
use scorehouse_features::online::{
    Base, BaseBuilder, EmbeddedStore, OnlineStore, Position, PushedRow, StoreOptions,
};
use scorehouse_features::time::{DAY, SystemClock, Timestamp};
use scorehouse_features::value::Value;
use scorehouse_features::view::{FeaturePlan, Layout, Read, RequestFields, Scratch};

const NOW: i64 = 20_000 * DAY;
const PROFILE: usize = 14;
const ACCOUNT: usize = 8;

fn project() -> Result<Project> {
    let columns = |count: usize| {
        let names = (0..count).map(|n| match n % 3 {
            0 => format!("c{n} = \"float\""),
            1 => format!("c{n} = \"int\""),
            _ => format!("c{n} = \"text\""),
        });
        names.collect::<Vec<_>>().join(", ")
    };
    let names = |count: usize| (0..count).map(|n| format!("\"c{n}\"")).collect::<Vec<_>>().join(", ");
    let text = format!(
        r#"
[project]
name = "bench"
[entity.customer]
key = "customer"
[source.profile]
event_time = "at"
columns = {{ at = "time", customer = "text", {} }}
[source.account]
event_time = "at"
columns = {{ at = "time", customer = "text", {} }}
[source.event]
event_time = "at"
columns = {{ at = "time", customer = "text", amount = "float" }}
[view.profile]
entity = "customer"
kind = "latest"
source = "profile"
features = [{}]
[view.account]
entity = "customer"
kind = "latest"
source = "account"
features = [{}]
[view.activity]
entity = "customer"
kind = "window"
source = "event"
windows = ["30d", "90d"]
features = {{ n = "count()", total = "sum(amount)", mean = "mean(amount)", most = "max(amount)" }}
"#,
        columns(PROFILE),
        columns(ACCOUNT),
        names(PROFILE),
        names(ACCOUNT)
    );
    Project::parse(&text, Path::new(".")).map_err(|mistakes| anyhow::anyhow!("{mistakes:?}"))
}

fn key(number: usize) -> String {
    format!("C{number:08}")
}

/// `each` rows per entity, an entity's rows scattered through time.
fn batch(entities: usize, each: usize, columns: usize) -> Result<RecordBatch> {
    let rows = entities * each;
    let moment = |row: usize| NOW - ((row * 7919) % 100) as i64 * DAY - row as i64 % DAY;
    let moments = || -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from_iter_values((0..rows).map(moment)).with_timezone("UTC"))
    };
    let mut all: Vec<(String, ArrayRef)> = vec![
        (
            "customer".to_owned(),
            Arc::new(StringArray::from_iter_values((0..rows).map(|row| key(row % entities)))),
        ),
        (
            "amount".to_owned(),
            Arc::new(Float64Array::from_iter_values((0..rows).map(|row| row as f64 * 0.01))),
        ),
        ("__event_time".to_owned(), moments()),
        ("__available_time".to_owned(), moments()),
        ("__arrival".to_owned(), Arc::new(Int64Array::from_iter_values(0..rows as i64))),
    ];
    for n in 0..columns {
        let array: ArrayRef = match n % 3 {
            0 => Arc::new(Float64Array::from_iter_values((0..rows).map(|row| (row * (n + 1)) as f64 * 0.5))),
            1 => Arc::new(Int64Array::from_iter_values((0..rows).map(|row| (row * (n + 1)) as i64))),
            _ => Arc::new(StringArray::from_iter_values(
                (0..rows).map(|row| format!("word {}", (row * 31 + n) % 1000)),
            )),
        };
        all.push((format!("c{n}"), array));
    }
    Ok(RecordBatch::try_from_iter(all)?)
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn main() -> Result<()> {
    let entities: usize = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let project = project()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("base");

    let start = Instant::now();
    let mut builder = BaseBuilder::new(&project)?;
    for (source, each, columns) in [("profile", 1, PROFILE), ("account", 1, ACCOUNT), ("event", 5, 0)] {
        builder.add(&SourceName::new(source)?, &batch(entities, each, columns)?)?;
    }
    println!("rows made in {:.2} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let base = builder.finish(Position::START)?;
    println!("base of {} rows built in {:.2} s", base.len(), start.elapsed().as_secs_f64());
    let start = Instant::now();
    base.save(&file)?;
    println!(
        "saved in {:.2} s, {} bytes an entity",
        start.elapsed().as_secs_f64(),
        std::fs::metadata(&file)?.len() / entities as u64
    );
    drop(base);

    let log = folder.path().join("log");
    let open = || -> Result<EmbeddedStore> {
        let base = Base::load(&file, &Layout::of(&project)?)?;
        Ok(EmbeddedStore::open(&project, base, &log, StoreOptions::default(), Arc::new(SystemClock))?)
    };
    // The log holds what was pushed since the snapshot: an event of every tenth entity.
    let event = SourceName::new("event")?;
    let store = open()?;
    for number in (0..entities).step_by(10_000) {
        store.append(&event, (number..entities.min(number + 10_000)).step_by(10).map(pushed).collect())?;
    }
    drop(store);
    let before = resident();
    let start = Instant::now();
    let store = open()?;
    let ready = start.elapsed().as_secs_f64();
    let bytes = (resident() - before.min(resident())) as f64 / entities as f64;
    println!("ready in {ready:.2} s from snapshot and a log of {} rows", store.status().pushed_rows);
    bounded(&format!("{entities} entities x 30 features: ready"), "s", ready, 2.0);
    bounded("  resident bytes an entity", "B", bytes, 1024.0);

    let features: Vec<FeatureName> = project
        .views
        .values()
        .flat_map(|view| view.features.iter().map(|f| format!("{}.{}", view.name, f.name).parse()))
        .collect::<Result<_, _>>()?;
    let plan = FeaturePlan::compile(&project, &EntityName::new("customer")?, &features)?;
    read(&store, &plan, entities, "one in ten with a pushed row")
}

fn pushed(number: usize) -> PushedRow {
    let moment = Timestamp(NOW);
    let values = vec![Value::Time(moment), Value::Text(key(number).into()), Value::Float(1.0)];
    PushedRow { event_time: moment, available: moment, arrival: 0, values, id: None }
}

fn read(store: &EmbeddedStore, plan: &FeaturePlan, entities: usize, what: &str) -> Result<()> {
    const READS: usize = 500_000;
    let keys: Vec<EntityKey> =
        (0..10_000).map(|n| EntityKey::new(key((n * 7919) % entities))).collect::<Result<_, _>>()?;
    let (mut scratch, mut out, mut present) = (Scratch::default(), Vec::new(), 0_usize);
    let request = RequestFields::new();
    let (start, cpu) = (Instant::now(), on_cpu());
    for n in 0..READS {
        let question =
            Read { key: &keys[n % keys.len()], as_of: Timestamp(NOW), request: &request, overrides: &[] };
        plan.read(store, &question, &mut scratch, &mut out)?;
        present += out.iter().filter(|value| !value.is_missing()).count();
    }
    let each = |seconds: f64| seconds / READS as f64 * 1e6;
    println!(
        "{} features of 3 views, {what}: {:.2} us a read, {:.2} us of it on the processor, {} values",
        out.len(),
        each(start.elapsed().as_secs_f64()),
        each(on_cpu() - cpu),
        present / READS
    );
    Ok(())
}
