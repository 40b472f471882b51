//! Durable appends per second and time to restart: the plain log of the online store against fjall and redb.
//!
//! ```text
//! cargo run -p scorehouse-bench --features engines --example online_log [folder]
//! ```
//!
//! Every append waits for the disk. A row is one event of about 100 bytes. The plain log is measured whole, as
//! the store runs it: checking, encoding, log, and the row visible in memory. "16 in one" commits 16 rows at a
//! time from one thread: what an engine could give behind the same group commit.
#![allow(clippy::print_stdout, reason = "a measurement prints its table")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use fjall::{KeyspaceCreateOptions, PersistMode};
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use scorehouse_features::definition::Project;
use scorehouse_features::ids::SourceName;
use scorehouse_features::online::{Base, EmbeddedStore, OnlineStore, PushedRow, StoreOptions};
use scorehouse_features::time::{SystemClock, Timestamp};
use scorehouse_features::value::Value;
use scorehouse_features::view::Layout;

const TIME: Duration = Duration::from_secs(5);
const RESTART_ROWS: u64 = 1_000_000;
const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");

const PROJECT: &str = r#"
[project]
name = "bench"
[entity.customer]
key = "customer"
[source.event]
event_time = "at"
columns = { at = "time", customer = "text", product = "text", amount = "float", quantity = "int" }
[view.activity]
entity = "customer"
kind = "window"
source = "event"
windows = ["30d"]
features = { total = "sum(amount)" }
"#;

/// Something that takes rows and has them on disk when it returns.
trait Engine: Sync {
    fn append(&self, first: u64, rows: u64) -> Result<()>;
}

struct Plain {
    store: EmbeddedStore,
    source: SourceName,
}

fn row(number: u64) -> PushedRow {
    let moment = Timestamp(number as i64 * 1_000_000);
    PushedRow {
        event_time: moment,
        available: moment,
        arrival: 0,
        values: vec![
            Value::Time(moment),
            Value::Text(format!("customer-{:08}", number % 10_000).into()),
            Value::Text(format!("product-{:08}", number % 1_000).into()),
            Value::Float(number as f64 * 0.01),
            Value::Int((number % 7) as i64),
        ],
        id: None,
    }
}

/// The same row as bytes, for engines that hold bytes.
fn bytes(number: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(100);
    for part in [number, number, number % 7, (number as f64 * 0.01).to_bits()] {
        bytes.extend_from_slice(&part.to_le_bytes());
    }
    bytes.extend_from_slice(
        format!("customer-{:08}product-{:08}", number % 10_000, number % 1_000).as_bytes(),
    );
    bytes.resize(100, 0);
    bytes
}

impl Plain {
    fn open(folder: &Path) -> Result<Self> {
        let project = Project::parse(PROJECT, Path::new(".")).map_err(|e| anyhow::anyhow!("{e:?}"))?;
        let base = Base::empty(&Layout::of(&project)?);
        let clock = Arc::new(SystemClock);
        let store = EmbeddedStore::open(&project, base, folder, StoreOptions::default(), clock)?;
        Ok(Self { store, source: SourceName::new("event")? })
    }
}

impl Engine for Plain {
    fn append(&self, first: u64, rows: u64) -> Result<()> {
        self.store.append(&self.source, (first..first + rows).map(row).collect())?;
        Ok(())
    }
}

struct Fjall {
    database: fjall::Database,
    rows: fjall::Keyspace,
}

impl Fjall {
    fn open(folder: &Path) -> Result<Self> {
        let database = fjall::Database::builder(folder).open()?;
        let rows = database.keyspace("rows", KeyspaceCreateOptions::default)?;
        Ok(Self { database, rows })
    }
}

impl Engine for Fjall {
    fn append(&self, first: u64, rows: u64) -> Result<()> {
        let mut batch = self.database.batch();
        for number in first..first + rows {
            batch.insert(&self.rows, number.to_be_bytes(), bytes(number));
        }
        batch.commit()?;
        self.database.persist(PersistMode::SyncData)?;
        Ok(())
    }
}

struct Redb {
    database: redb::Database,
}

impl Redb {
    fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { database: redb::Database::create(folder.join("rows.redb"))? })
    }
}

impl Engine for Redb {
    fn append(&self, first: u64, rows: u64) -> Result<()> {
        let write = self.database.begin_write()?;
        {
            let mut table = write.open_table(TABLE)?;
            for number in first..first + rows {
                table.insert(number, bytes(number).as_slice())?;
            }
        }
        write.commit()?;
        Ok(())
    }
}

/// Rows per second over [`TIME`].
fn rate(engine: &dyn Engine, writers: u64, rows: u64, from: &AtomicU64) -> Result<f64> {
    let start = Instant::now();
    let before = from.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            while start.elapsed() < TIME {
                engine.append(from.fetch_add(rows, Ordering::Relaxed), rows)?;
            }
            Ok(())
        };
        let threads: Vec<_> = (0..writers).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("a writer failed"))?)
    })?;
    Ok((from.load(Ordering::Relaxed) - before) as f64 / start.elapsed().as_secs_f64())
}

/// Fills an engine for the restart measurement.
fn fill(engine: &dyn Engine) -> Result<()> {
    for first in (0..RESTART_ROWS).step_by(10_000) {
        engine.append(first, 10_000)?;
    }
    Ok(())
}

fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => folder_bytes(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

fn report(name: &str, rates: [f64; 3], restart: Duration, folder: &Path) {
    println!(
        "| {name} | {:.0} | {:.0} | {:.0} | {:.2} s | {} MB |",
        rates[0],
        rates[1],
        rates[2],
        restart.as_secs_f64(),
        folder_bytes(folder) / 1_000_000,
    );
}

fn rates(engine: &dyn Engine) -> Result<[f64; 3]> {
    let next = AtomicU64::new(0);
    Ok([rate(engine, 1, 1, &next)?, rate(engine, 16, 1, &next)?, rate(engine, 1, 16, &next)?])
}

/// The disk itself: write 130 bytes, wait, again.
fn bare(folder: &Path) -> Result<f64> {
    use std::io::Write;
    let mut file = std::fs::File::create(folder.join("bare"))?;
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < TIME {
        file.write_all(&[1; 130])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(folder)?;
    let at = |name: &str| folder.path().join(name);
    println!("bare write + fdatasync: {:.0}/s", bare(folder.path())?);
    println!("| engine | 1 writer | 16 writers | 16 in one | restart, {RESTART_ROWS} rows | on disk |");
    println!("| --- | --- | --- | --- | --- | --- |");

    let plain = rates(&Plain::open(&at("plain"))?)?;
    fill(&Plain::open(&at("plain-1m"))?)?;
    let start = Instant::now();
    let store = Plain::open(&at("plain-1m"))?;
    let took = start.elapsed();
    anyhow::ensure!(store.store.status().pushed_rows as u64 == RESTART_ROWS);
    report("plain log, rows in memory", plain, took, &at("plain-1m"));

    let fjall = rates(&Fjall::open(&at("fjall"))?)?;
    fill(&Fjall::open(&at("fjall-1m"))?)?;
    let start = Instant::now();
    let store = Fjall::open(&at("fjall-1m"))?;
    let mut read = 0;
    for pair in store.rows.iter() {
        read += u64::from(!pair.into_inner()?.1.is_empty());
    }
    anyhow::ensure!(read == RESTART_ROWS);
    report("fjall 3.1, open and scan", fjall, start.elapsed(), &at("fjall-1m"));

    let redb = rates(&Redb::open(&at("redb"))?)?;
    fill(&Redb::open(&at("redb-1m"))?)?;
    let start = Instant::now();
    let store = Redb::open(&at("redb-1m"))?;
    let mut read = 0;
    for pair in store.database.begin_read()?.open_table(TABLE)?.iter()? {
        read += u64::from(!pair?.1.value().is_empty());
    }
    anyhow::ensure!(read == RESTART_ROWS);
    report("redb 4.5, open and scan", redb, start.elapsed(), &at("redb-1m"));
    Ok(())
}
