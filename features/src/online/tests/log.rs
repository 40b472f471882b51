//! The log: crashes at any byte, damage, other readers, changed columns.

use std::sync::Arc;

use crate::online::fixture::{Event, SHOP, shop, source};
use crate::online::log::read_from;
use crate::online::tests::{Ticking, empty, log_files, open};
use crate::online::{EmbeddedStore, EventId, OnlineError, OnlineStore, Position, PushedRow, StoreOptions};
use crate::value::{Missing, Value};
use crate::view::Layout;

fn row(number: i64) -> PushedRow {
    PushedRow { id: EventId::new(&format!("id {number}")), ..Event::bought(number, "ann", "tea", 1.0).row() }
}

fn count(store: &EmbeddedStore) -> usize {
    store.status().pushed_rows
}

/// A log of five appends of one, two, … rows. Returns the file and its length after each append.
fn five_appends(folder: &std::path::Path) -> (std::path::PathBuf, Vec<u64>) {
    let project = shop();
    let store = open(&project, empty(&project), folder);
    let file = log_files(folder).remove(0);
    let mut lengths = vec![std::fs::metadata(&file).unwrap().len()];
    for number in 0..5 {
        let rows = (0..=number).map(|n| row(number * 10 + n)).collect();
        store.append(&source("event"), rows).unwrap();
        lengths.push(std::fs::metadata(&file).unwrap().len());
    }
    (file, lengths)
}

#[test]
fn a_log_cut_at_any_byte_holds_every_append_that_was_whole() {
    let project = shop();
    let folder = tempfile::tempdir().unwrap();
    let (file, lengths) = five_appends(folder.path());
    let whole = std::fs::read(&file).unwrap();
    for cut in lengths[0] as usize..=whole.len() {
        std::fs::write(&file, &whole[..cut]).unwrap();
        let store = open(&project, empty(&project), folder.path());
        let appends = lengths.iter().filter(|length| **length <= cut as u64).count() - 1;
        assert_eq!(count(&store), appends * (appends + 1) / 2, "cut at {cut}");
        assert!(store.status().cut_off_bytes <= cut as u64 - lengths[appends]);
        if cut % 9 != 0 {
            continue;
        }
        store.append(&source("event"), vec![row(99)]).unwrap();
        drop(store);
        assert_eq!(count(&open(&project, empty(&project), folder.path())), appends * (appends + 1) / 2 + 1);
    }
}

#[test]
fn damage_to_acknowledged_rows_is_refused_and_never_cut_off() {
    let project = shop();
    let folder = tempfile::tempdir().unwrap();
    let (file, lengths) = five_appends(folder.path());
    let whole = std::fs::read(&file).unwrap();
    for at in 0..lengths[4] as usize {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&file, &damaged).unwrap();
        let opened = EmbeddedStore::open(
            &project,
            empty(&project),
            folder.path(),
            StoreOptions::default(),
            Arc::new(Ticking::default()),
        );
        assert!(matches!(opened, Err(OnlineError::Corrupt { .. })), "byte {at}: {opened:?}");
        assert_eq!(std::fs::read(&file).unwrap(), damaged, "the file is left as it was");
    }
}

#[test]
fn a_frame_inside_a_pushed_text_is_not_taken_for_one() {
    // The bytes of a whole log, as text of a row in another log, then torn: no proof of damage.
    let project = shop();
    let folder = tempfile::tempdir().unwrap();
    let store = open(&project, empty(&project), folder.path());
    store.append(&source("event"), vec![row(1)]).unwrap();
    let forged = "SHf1".repeat(200);
    let note = |words: &str| PushedRow {
        values: vec![Value::Time(row(1).event_time), Value::Text("ann".into()), Value::Text(words.into())],
        ..row(2)
    };
    store.append(&source("note"), vec![note(&forged)]).unwrap();
    drop(store);
    let file = log_files(folder.path()).remove(0);
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() - 3]).unwrap();
    assert_eq!(count(&open(&project, empty(&project), folder.path())), 1);
}

#[test]
fn only_one_process_writes() {
    let project = shop();
    let folder = tempfile::tempdir().unwrap();
    let _first = open(&project, empty(&project), folder.path());
    let second = EmbeddedStore::open(
        &project,
        empty(&project),
        folder.path(),
        StoreOptions::default(),
        Arc::new(Ticking::default()),
    );
    assert!(matches!(second, Err(OnlineError::InUse { .. })), "{second:?}");
}

#[test]
fn another_process_reads_what_is_acknowledged_while_the_log_is_written() {
    let project = shop();
    let layout = Layout::of(&project).unwrap();
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(read_from(&folder.path().join("nowhere"), Position::START, &layout).unwrap().count(), 0);
    let store = open(&project, empty(&project), folder.path());
    let mut after = Position::START;
    for number in 0..3 {
        store.append(&source("event"), vec![row(number), row(number + 10)]).unwrap();
        let entries: Vec<_> =
            read_from(folder.path(), after, &layout).unwrap().collect::<Result<_, _>>().unwrap();
        let ids: Vec<_> = entries.iter().map(|e| e.row.id.clone().unwrap().as_str().to_owned()).collect();
        assert_eq!(ids, [format!("id {number}"), format!("id {}", number + 10)]);
        assert!(entries.iter().all(|entry| entry.position.0 == entry.row.arrival && entry.position > after));
        assert_eq!(entries[0].row.values, row(number).values);
        after = entries[1].position;
    }
    // What was written but is not known to be on disk stays unread.
    let file = log_files(folder.path()).remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    let tail = bytes[bytes.len() - 100..].to_vec();
    bytes.extend(tail);
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(read_from(folder.path(), Position::START, &layout).unwrap().count(), 6);
}

fn small_segments() -> StoreOptions {
    StoreOptions { segment_bytes: 1000, ..StoreOptions::default() }
}

#[test]
fn a_checkpoint_drops_what_history_holds_and_forgets_no_id() {
    let project = shop();
    let layout = Layout::of(&project).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Ticking::default());
    let store =
        EmbeddedStore::open(&project, empty(&project), folder.path(), small_segments(), clock.clone())
            .unwrap();
    for number in 0..30 {
        store.append(&source("event"), vec![row(number)]).unwrap();
    }
    assert!(log_files(folder.path()).len() > 3);
    let entries: Vec<_> =
        read_from(folder.path(), Position::START, &layout).unwrap().map(Result::unwrap).collect();
    assert_eq!(entries.len(), 30);
    let taken = entries[19].position;
    assert_eq!(store.checkpoint(taken).unwrap(), 0, "the base in place holds none of it");
    let history: Vec<PushedRow> = entries[..20].iter().map(|entry| entry.row.clone()).collect();
    store.replace_base(super::base_of(&project, &history, taken)).unwrap();
    assert!(store.checkpoint(taken).unwrap() > 0);
    assert_eq!(store.status().pushed_rows, 10);
    let rest = read_from(folder.path(), taken, &layout).unwrap().map(Result::unwrap);
    assert_eq!(
        rest.map(|entry| entry.position).collect::<Vec<_>>(),
        entries[20..].iter().map(|e| e.position).collect::<Vec<_>>()
    );
    let gone = read_from(folder.path(), Position::START, &layout);
    assert!(matches!(gone, Err(OnlineError::Gap { .. })), "{gone:?}");
    drop(store);

    let behind =
        EmbeddedStore::open(&project, empty(&project), folder.path(), small_segments(), clock.clone());
    assert!(matches!(behind, Err(OnlineError::Gap { .. })), "a base that lacks dropped rows: {behind:?}");
    let base = super::base_of(&project, &history, taken);
    let store = EmbeddedStore::open(&project, base, folder.path(), small_segments(), clock).unwrap();
    assert_eq!(
        store.append(&source("event"), vec![row(0)]).unwrap().duplicates,
        1,
        "an id of a dropped segment"
    );
    assert_eq!(store.status().pushed_rows, 10);
}

#[test]
fn a_checkpoint_of_everything_leaves_an_empty_log_that_goes_on() {
    let project = shop();
    let folder = tempfile::tempdir().unwrap();
    let store = open(&project, empty(&project), folder.path());
    store.append(&source("event"), vec![row(1)]).unwrap();
    let taken = store.status().position;
    store.replace_base(super::base_of(&project, &[PushedRow { arrival: taken.0, ..row(1) }], taken)).unwrap();
    assert_eq!(store.checkpoint(taken).unwrap(), 1);
    assert_eq!(store.checkpoint(taken).unwrap(), 0);
    let next = store.append(&source("event"), vec![row(2)]).unwrap();
    assert!(next.position > taken);
    assert_eq!(count(&store), 1);
}

#[test]
fn arrival_numbers_ascend_even_when_the_clock_goes_back() {
    let project = shop();
    let folder = tempfile::tempdir().unwrap();
    let open_at = |now: i64| {
        let clock = Arc::new(crate::time::FixedClock(crate::time::Timestamp(now)));
        EmbeddedStore::open(&project, empty(&project), folder.path(), StoreOptions::default(), clock).unwrap()
    };
    let first = open_at(5000).append(&source("event"), vec![row(1), row(2)]).unwrap();
    assert_eq!(first.position, Position(5001));
    let second = open_at(10).append(&source("event"), vec![row(3)]).unwrap();
    assert_eq!(second.position, Position(5002));
}

#[test]
fn rows_find_their_columns_after_the_project_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let project = shop();
    open(&project, empty(&project), folder.path()).append(&source("event"), vec![row(1)]).unwrap();
    let changed = SHOP.replace(
        r#"columns = { at = "time", known = "time", customer = "text", product = "text", amount = "float", quantity = "int""#,
        r#"columns = { shop = "text", known = "time", at = "time", product = "text", customer = "text", quantity = "float", amount = "float""#,
    );
    assert_ne!(changed, SHOP);
    let project = crate::definition::Project::parse(&changed, std::path::Path::new(".")).unwrap();
    let store = open(&project, empty(&project), folder.path());
    store.append(&source("event"), vec![]).unwrap();
    let mut newer = row(2);
    newer.values.insert(0, Value::Text("town".into()));
    newer.values.swap(1, 2);
    newer.values.swap(3, 4);
    newer.values.swap(5, 6);
    newer.values[5] = Value::Float(1.0);
    store.append(&source("event"), vec![newer]).unwrap();
    drop(store);
    let layout = Layout::of(&project).unwrap();
    let rows: Vec<_> = read_from(folder.path(), Position::START, &layout)
        .unwrap()
        .map(|entry| entry.unwrap().row.values)
        .collect();
    assert_eq!(rows[0][0], Value::Missing(Missing::NullAtSource), "there was no such column");
    assert_eq!(rows[1][0], Value::Text("town".into()));
    assert_eq!(rows[0][4], Value::Text("ann".into()));
    assert_eq!(rows[0][5], Value::Float(1.0), "whole numbers become floats");
    assert_eq!(
        rows[0][3..],
        rows[1][3..].iter().take(4).cloned().chain(rows[0][7..].iter().cloned()).collect::<Vec<_>>()
    );
}

#[test]
fn rows_of_a_source_that_is_gone_are_counted_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let project = shop();
    let store = open(&project, empty(&project), folder.path());
    store.append(&source("event"), vec![row(1)]).unwrap();
    let note = PushedRow {
        values: vec![Value::Time(row(1).event_time), Value::Text("ann".into()), Value::Text("hi".into())],
        ..row(2)
    };
    store.append(&source("note"), vec![note]).unwrap();
    drop(store);
    let without =
        SHOP.replace("[source.note]", "[source.memo]").replace("source = \"note\"", "source = \"memo\"");
    let project_without = crate::definition::Project::parse(&without, std::path::Path::new(".")).unwrap();
    let store = open(&project_without, empty(&project_without), folder.path());
    assert_eq!((store.status().pushed_rows, store.status().undeclared_rows), (1, 1));
    drop(store);
    assert_eq!(count(&open(&project, empty(&project), folder.path())), 2);
}
