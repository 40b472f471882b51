//! A disk that is full, or fails.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Fault;
use crate::online::fixture::{Event, column, shop, source};
use crate::online::log::Operation;
use crate::online::tests::{empty, open};
use crate::online::{EmbeddedStore, EventId, OnlineError, OnlineStore, PushedRow};
use crate::view::Rows;

fn row(number: i64) -> PushedRow {
    PushedRow { id: EventId::new(&number.to_string()), ..Event::bought(number, "ann", "tea", 1.0).row() }
}

fn seen(store: &EmbeddedStore) -> usize {
    let table = store.layout().table(&source("event"), &column("customer")).unwrap();
    let mut len = 0;
    store.visit(table, "ann", &mut |rows| len = rows.len()).unwrap();
    len
}

/// A store whose disk fails at the operations that `fails` names, while the switch is on.
fn faulty(folder: &std::path::Path, fails: &'static [Operation]) -> (EmbeddedStore, Arc<AtomicBool>) {
    let project = shop();
    let store = open(&project, empty(&project), folder);
    let broken = Arc::new(AtomicBool::new(false));
    let switch = broken.clone();
    store.committer().writer().set_fault(Box::new(move |operation| {
        let fail = switch.load(Ordering::Relaxed) && fails.contains(&operation);
        if fail { Err(io::Error::from(io::ErrorKind::StorageFull)) } else { Ok(()) }
    }));
    (store, broken)
}

fn a_failure_takes_nothing_in_and_is_recovered_from(fails: &'static [Operation]) {
    let folder = tempfile::tempdir().unwrap();
    let (store, broken) = faulty(folder.path(), fails);
    store.append(&source("event"), vec![row(1)]).unwrap();
    broken.store(true, Ordering::Relaxed);
    for _ in 0..2 {
        let refused = store.append(&source("event"), vec![row(2), row(3)]).unwrap_err();
        assert!(matches!(refused, OnlineError::NotDurable { .. }), "{refused:?}");
        assert_eq!(refused.fault(), Fault::Platform);
        assert_eq!(seen(&store), 1, "reads go on, and show nothing that is not durable");
    }
    broken.store(false, Ordering::Relaxed);
    let receipt = store.append(&source("event"), vec![row(2), row(3)]).unwrap();
    assert_eq!((receipt.accepted, receipt.duplicates), (2, 0), "a refused id is not remembered");
    assert_eq!(seen(&store), 3);
    drop(store);
    let project = shop();
    assert_eq!(seen(&open(&project, empty(&project), folder.path())), 3);
}

#[test]
fn a_full_disk_refuses_rows_and_recovers() {
    a_failure_takes_nothing_in_and_is_recovered_from(&[Operation::Write]);
}

#[test]
fn a_failed_wait_for_the_disk_refuses_rows_and_recovers() {
    a_failure_takes_nothing_in_and_is_recovered_from(&[Operation::Sync]);
}

#[test]
fn a_disk_that_cannot_even_be_cleaned_up_recovers_later() {
    a_failure_takes_nothing_in_and_is_recovered_from(&[Operation::Write, Operation::Cut]);
}

#[test]
fn a_crash_before_cleaning_up_shows_only_whole_appends() {
    let folder = tempfile::tempdir().unwrap();
    let (store, broken) = faulty(folder.path(), &[Operation::Write, Operation::Cut]);
    store.append(&source("event"), vec![row(1)]).unwrap();
    broken.store(true, Ordering::Relaxed);
    store.append(&source("event"), vec![row(2), row(3)]).unwrap_err();
    drop(store);
    let project = shop();
    let store = open(&project, empty(&project), folder.path());
    assert_eq!(seen(&store), 1);
    assert!(store.status().cut_off_bytes > 0);
}

#[test]
fn a_segment_that_cannot_be_begun_leaves_the_old_one_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let (store, broken) = faulty(folder.path(), &[Operation::Create]);
    store.append(&source("event"), vec![row(1)]).unwrap();
    let position = store.status().position;
    store
        .replace_base(super::base_of(&shop(), &[PushedRow { arrival: position.0, ..row(1) }], position))
        .unwrap();
    broken.store(true, Ordering::Relaxed);
    assert!(matches!(store.checkpoint(position), Err(OnlineError::Io { .. })));
    store.append(&source("event"), vec![row(2)]).unwrap();
    assert_eq!(seen(&store), 2);
}
