//! Saving, loading and replacing the base.

use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use crate::definition::Project;
use crate::ids::EntityKey;
use crate::online::fixture::{Event, SHOP, column, entity, hour, shop, source};
use crate::online::tests::{base_of, empty, open};
use crate::online::{Base, OnlineError, OnlineStore, Position, PushedRow};
use crate::view::tests::{all_features, any_event, identical, read_all};
use crate::view::{FeaturePlan, Layout, Rows};

fn numbered(events: &[Event]) -> Vec<PushedRow> {
    let row = |(number, event): (usize, &Event)| PushedRow { arrival: number as i64 + 1, ..event.row() };
    events.iter().enumerate().map(row).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn base_and_overlay_give_the_same_bits_in_any_order_of_arrival(
        events in prop::collection::vec(any_event(), 0..30),
        split in 0_usize..30,
        moment in 0_i64..300,
    ) {
        let project = shop();
        let rows = numbered(&events);
        let split = split.min(rows.len());
        let folder = tempfile::tempdir().unwrap();
        let all_base = open(&project, base_of(&project, &rows, Position::START), &folder.path().join("a"));
        let all_pushed = open(&project, empty(&project), &folder.path().join("b"));
        let mixed = open(&project, base_of(&project, &rows[..split], Position::START), &folder.path().join("c"));
        all_pushed.append(&source("event"), rows.clone()).unwrap();
        mixed.append(&source("event"), rows[split..].to_vec()).unwrap();
        let saved = folder.path().join("base");
        base_of(&project, &rows, Position(7)).save(&saved).unwrap();
        let loaded = Base::load(&saved, &Layout::of(&project).unwrap()).unwrap();
        prop_assert_eq!(loaded.drained(), Position(7));
        let loaded = open(&project, loaded, &folder.path().join("d"));
        let plan = FeaturePlan::compile(&project, &entity("customer"), &all_features(&project)).unwrap();
        for customer in ["ann", "bob"] {
            let expected = read_all(&all_base, &plan, customer, hour(moment));
            for store in [&all_pushed, &mixed, &loaded] {
                let values = read_all(store, &plan, customer, hour(moment));
                prop_assert!(expected.iter().zip(&values).all(|(a, b)| identical(a, b)), "{expected:?}\n{values:?}");
            }
        }
    }
}

#[test]
fn a_damaged_base_is_refused_whatever_the_byte() {
    let project = shop();
    let layout = Layout::of(&project).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("base");
    let events: Vec<Event> = (0..40).map(|at| Event::bought(at, "ann", "tea", 1.0)).collect();
    base_of(&project, &numbered(&events), Position(3)).save(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let mut unnoticed = 0;
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        match Base::load(&path, &layout) {
            // Bytes between sections mean nothing.
            Ok(_) => {
                assert_eq!(whole[at], 0, "byte {at}");
                unnoticed += 1;
            }
            Err(error) => assert!(matches!(error, OnlineError::Corrupt { .. }), "{error:?}"),
        }
    }
    assert!(unnoticed < whole.len() / 2);
    for len in [0, 5, 15, 16, 100, whole.len() - 64] {
        std::fs::write(&path, &whole[..len]).unwrap();
        assert!(matches!(Base::load(&path, &layout), Err(OnlineError::Corrupt { .. })), "cut to {len}");
    }
}

#[test]
fn a_base_of_another_project_is_refused() {
    let project = shop();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("base");
    empty(&project).save(&path).unwrap();
    let other = Project::parse(&SHOP.replace("amount > 0", "amount > 1"), std::path::Path::new(".")).unwrap();
    let layout = Layout::of(&other).unwrap();
    assert!(matches!(Base::load(&path, &layout), Err(OnlineError::OtherProject)));
    let store = open(&other, Base::empty(&layout), &folder.path().join("log"));
    assert!(matches!(store.replace_base(empty(&project)), Err(OnlineError::OtherProject)));
}

#[test]
fn a_base_that_holds_less_than_the_one_in_place_is_refused() {
    let project = shop();
    let folder = tempfile::tempdir().unwrap();
    let store = open(&project, empty(&project), folder.path());
    store.append(&source("event"), vec![Event::bought(1, "ann", "tea", 1.0).row()]).unwrap();
    let position = store.status().position;
    store.replace_base(base_of(&project, &[], position)).unwrap();
    assert!(matches!(store.replace_base(empty(&project)), Err(OnlineError::Gap { .. })));
}

#[test]
fn readers_see_every_row_exactly_once_while_bases_are_replaced_under_pushes() {
    let project = shop();
    let folder = tempfile::tempdir().unwrap();
    let store = open(&project, empty(&project), folder.path());
    let event = source("event");
    let table = store.layout().table(&event, &column("customer")).unwrap();
    let count = || {
        let mut len = 0;
        store.visit(table, "ann", &mut |rows| len = rows.len()).unwrap();
        len
    };
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..120 {
                store.append(&event, vec![Event::bought(number, "ann", "tea", 1.0).row()]).unwrap();
            }
            done.store(true, Ordering::Release);
        });
        scope.spawn(|| {
            let mut least = 0;
            while !done.load(Ordering::Acquire) {
                let now = count();
                assert!(now >= least, "{now} rows after {least}");
                least = now;
            }
        });
        while !done.load(Ordering::Acquire) {
            let log = crate::online::log::read_from(folder.path(), Position::START, store.layout()).unwrap();
            let history: Vec<PushedRow> = log.map(|entry| entry.unwrap().row).collect();
            let drained = Position(history.last().map_or(0, |row| row.arrival));
            store.replace_base(base_of(&project, &history, drained)).unwrap();
        }
    });
    assert_eq!(count(), 120);
}

#[test]
fn keys_are_listed_from_base_and_overlay_alike() {
    let project = shop();
    let folder = tempfile::tempdir().unwrap();
    let names = ["bob", "dan", "eve"];
    let events: Vec<Event> = names.map(|name| Event::bought(1, name, "tea", 1.0)).into();
    let store = open(&project, base_of(&project, &numbered(&events), Position::START), folder.path());
    for name in ["ann", "cid", "dan", "fay"] {
        store.append(&source("event"), vec![Event::bought(2, name, "tea", 1.0).row()]).unwrap();
    }
    let page = store.keys(&entity("customer"), Some(&EntityKey::new("ann").unwrap()), 3).unwrap();
    assert_eq!(page.keys.iter().map(EntityKey::as_str).collect::<Vec<_>>(), ["bob", "cid", "dan"]);
    assert!(page.more);
    let rest = store.keys(&entity("customer"), page.keys.last(), 3).unwrap();
    assert_eq!(rest.keys.iter().map(EntityKey::as_str).collect::<Vec<_>>(), ["eve", "fay"]);
    assert!(!rest.more);
}
