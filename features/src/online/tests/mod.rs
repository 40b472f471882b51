//! The embedded store: conformance, crashes, a full disk, a new base under load.

mod disk;
mod log;
mod new_base;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};

use crate::definition::Project;
use crate::ids::SourceName;
use crate::online::base::{ARRIVAL, AVAILABLE_TIME, EVENT_TIME};
use crate::online::conformance::{Harness, run};
use crate::online::fixture::{shop, source};
use crate::online::{Base, BaseBuilder, EmbeddedStore, OnlineStore, Position, PushedRow, StoreOptions};
use crate::time::{Clock, Timestamp};
use crate::value::{Value, ValueType};
use crate::view::Layout;

/// A clock that moves on by a microsecond each time it is asked.
#[derive(Debug, Default)]
pub(crate) struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp(1_000_000 + self.0.fetch_add(1, Ordering::Relaxed))
    }
}

pub(crate) fn open(project: &Project, base: Base, log: &Path) -> EmbeddedStore {
    EmbeddedStore::open(project, base, log, StoreOptions::default(), Arc::new(Ticking::default())).unwrap()
}

pub(crate) fn empty(project: &Project) -> Base {
    Base::empty(&Layout::of(project).unwrap())
}

/// Rows as history holds them.
pub(crate) fn batch(project: &Project, name: &SourceName, rows: &[PushedRow]) -> RecordBatch {
    let column = |number: usize, value_type: ValueType| -> ArrayRef {
        let values = || rows.iter().map(|row| &row.values[number]);
        match value_type {
            ValueType::Text => Arc::new(
                values()
                    .map(|v| if let Value::Text(t) = v { Some(t.to_string()) } else { None })
                    .collect::<StringArray>(),
            ),
            ValueType::Float => Arc::new(
                values()
                    .map(|v| if let Value::Float(f) = v { Some(*f) } else { None })
                    .collect::<Float64Array>(),
            ),
            ValueType::Int => Arc::new(
                values().map(|v| if let Value::Int(i) = v { Some(*i) } else { None }).collect::<Int64Array>(),
            ),
            ValueType::Bool => Arc::new(
                values()
                    .map(|v| if let Value::Bool(b) = v { Some(*b) } else { None })
                    .collect::<BooleanArray>(),
            ),
            ValueType::Time => Arc::new(
                values()
                    .map(|v| if let Value::Time(t) = v { Some(t.0) } else { None })
                    .collect::<TimestampMicrosecondArray>()
                    .with_timezone("UTC"),
            ),
        }
    };
    let columns = project.sources[name].columns.iter().enumerate();
    let mut arrays: Vec<(String, ArrayRef)> =
        columns.map(|(number, c)| (c.name.to_string(), column(number, c.value_type))).collect();
    let times = |time: fn(&PushedRow) -> i64| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(time)).with_timezone("UTC"))
    };
    arrays.push((EVENT_TIME.to_owned(), times(|row| row.event_time.0)));
    arrays.push((AVAILABLE_TIME.to_owned(), times(|row| row.available.0)));
    arrays.push((
        ARRIVAL.to_owned(),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.arrival))),
    ));
    RecordBatch::try_from_iter(arrays).unwrap()
}

/// A base of the shop's events.
pub(crate) fn base_of(project: &Project, rows: &[PushedRow], drained: Position) -> Base {
    let mut builder = BaseBuilder::new(project).unwrap();
    builder.add(&source("event"), &batch(project, &source("event"), rows)).unwrap();
    builder.finish(drained).unwrap()
}

/// A store whose rows are partly in the base, partly pushed, with a base swap between.
pub(crate) fn store_over(project: &Project, rows: &[PushedRow]) -> EmbeddedStore {
    let folder = tempfile::tempdir().unwrap();
    let third = rows.len() / 3;
    let base = base_of(project, &rows[..third], Position::START);
    let store = open(project, base, &folder.path().join("log"));
    let event = source("event");
    store.append(&event, rows[third..2 * third].to_vec()).unwrap();
    let drained = store.status().position;
    store.append(&event, rows[2 * third..].to_vec()).unwrap();
    if rows.len().is_multiple_of(2) && third > 0 {
        // Arrival numbers in history are those that the log gave.
        let taken =
            crate::online::log::read_from(&folder.path().join("log"), Position::START, store.layout());
        let mut history = rows[..third].to_vec();
        history
            .extend(taken.unwrap().map(Result::unwrap).map(|e| e.row).filter(|row| row.arrival <= drained.0));
        store.replace_base(base_of(project, &history, drained)).unwrap();
    }
    store
}

struct Folders(tempfile::TempDir);

impl Harness for Folders {
    fn open(&mut self, name: &str) -> Box<dyn OnlineStore> {
        let project = shop();
        let base = empty(&project);
        Box::new(open(&project, base, &self.0.path().join(name)))
    }
}

#[test]
fn the_embedded_store_does_what_every_online_store_must() {
    run(&mut Folders(tempfile::tempdir().unwrap()));
}

pub(crate) fn log_files(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|e| e == "log")).collect();
    files.sort();
    files
}
