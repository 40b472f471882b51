//! What every online store must do; each implementation's tests call [`run`].
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "assertions of a test suite")]

use crate::ids::SourceName;
use crate::online::error::OnlineError;
use crate::online::event_id::EventId;
use crate::online::fixture::{Event, column, entity, hour, key, shop, source};
use crate::online::interface::{OnlineStore, PushedRow};
use crate::online::rows::EntityRows;
use crate::time::Timestamp;
use crate::value::Value;
use crate::view::Rows;

/// Opens stores for the suite.
pub trait Harness {
    /// The store called `name`, for the project [`shop`]. Opened again after it was dropped, it holds what
    /// was acknowledged before.
    fn open(&mut self, name: &str) -> Box<dyn OnlineStore>;
}

/// Runs the whole suite.
///
/// # Panics
/// At the first thing a store does wrong.
pub fn run(harness: &mut dyn Harness) {
    a_row_is_seen_once_its_append_has_returned(harness);
    rows_stand_in_canonical_order_whatever_the_order_of_arrival(harness);
    a_row_stands_under_every_key_it_holds(harness);
    several_entities_are_shown_each_once_at_its_place(harness);
    wrong_rows_are_refused_whole(harness);
    a_repeated_id_counts_once_and_so_after_reopening(harness);
    everything_acknowledged_is_there_after_reopening(harness);
    keys_come_in_pages(harness);
    concurrent_appends_are_all_taken_in(harness);
}

fn event() -> SourceName {
    source("event")
}

/// (event time, amount) of an entity's rows, by the key in a column.
fn amounts(store: &dyn OnlineStore, by: &str, of: &str) -> Vec<(Timestamp, Value)> {
    let table = store.layout().table(&event(), &column(by)).expect("the shop has this table");
    let amount =
        store.layout().source(&event()).and_then(|s| s.column(&column("amount"))).expect("declared").0;
    let mut found = None;
    store
        .visit(table, of, &mut |rows| {
            let all = (0..rows.len()).map(|row| (rows.event_time(row), rows.value(row, amount)));
            found = Some(all.collect());
        })
        .expect("the table exists");
    found.expect("visit calls back")
}

fn row(at: i64, amount: f64) -> PushedRow {
    Event::bought(at, "ann", "tea", amount).row()
}

fn a_row_is_seen_once_its_append_has_returned(harness: &mut dyn Harness) {
    let store = harness.open("seen");
    assert_eq!(amounts(&*store, "customer", "ann"), [], "an entity never seen has no rows");
    let receipt = store.append(&event(), vec![row(1, 5.0)]).expect("a good row");
    assert_eq!((receipt.accepted, receipt.duplicates), (1, 0));
    assert_eq!(amounts(&*store, "customer", "ann"), [(hour(1), Value::Float(5.0))]);
    assert!(store.contains(&entity("customer"), &key("ann")).expect("a known entity"));
    assert!(!store.contains(&entity("customer"), &key("bob")).expect("a known entity"));
}

fn rows_stand_in_canonical_order_whatever_the_order_of_arrival(harness: &mut dyn Harness) {
    let store = harness.open("order");
    let late = Event { known: 9, ..Event::bought(3, "ann", "tea", 3.5) };
    for rows in [vec![row(5, 5.0)], vec![late.row()], vec![row(3, 3.0), row(1, 1.0)], vec![row(3, 3.1)]] {
        store.append(&event(), rows).expect("good rows");
    }
    let expected = [(1, 1.0), (3, 3.0), (3, 3.1), (3, 3.5), (5, 5.0)];
    let expected: Vec<_> = expected.map(|(at, amount)| (hour(at), Value::Float(amount))).into();
    assert_eq!(amounts(&*store, "customer", "ann"), expected);
}

fn several_entities_are_shown_each_once_at_its_place(harness: &mut dyn Harness) {
    const NAMES: [&str; 12] =
        ["ann", "bob", "cid", "dan", "eve", "fay", "gus", "hal", "ida", "jon", "kit", "liv"];
    let store = harness.open("several");
    let table = store.layout().table(&event(), &column("customer")).expect("the shop has this table");
    let shown = || {
        // All of them twice.
        let mut keys = NAMES.into_iter().cycle().take(24).enumerate();
        let mut found = vec![None; 24];
        let mut see = |place: usize, rows: &EntityRows<'_>| {
            let times: Vec<Timestamp> = (0..rows.len()).map(|row| rows.event_time(row)).collect();
            assert_eq!(found[place].replace(times), None, "each place once");
        };
        store.visit_all(table, &mut keys, &mut see).expect("the table exists");
        found
    };
    assert_eq!(shown(), vec![Some(Vec::new()); 24], "nobody has a row");
    for (at, name) in (0..).zip(NAMES).step_by(3) {
        store.append(&event(), vec![Event::bought(at, name, "tea", 1.0).row()]).expect("good rows");
    }
    for (place, times) in (0..).zip(shown()) {
        let at = place % 12;
        assert_eq!(times, Some(if at % 3 == 0 { vec![hour(at)] } else { Vec::new() }));
    }
}

fn a_row_stands_under_every_key_it_holds(harness: &mut dyn Harness) {
    let store = harness.open("tables");
    let stranger = Event { customer: None, ..Event::bought(2, "", "tea", 2.0) };
    store.append(&event(), vec![row(1, 1.0), stranger.row()]).expect("good rows");
    assert_eq!(amounts(&*store, "customer", "ann").len(), 1);
    assert_eq!(amounts(&*store, "product", "tea").len(), 2, "a row without a customer is still a sale");
}

fn wrong_rows_are_refused_whole(harness: &mut dyn Harness) {
    let store = harness.open("wrong");
    let refused = store.append(&source("nonsense"), vec![row(1, 1.0)]);
    assert!(matches!(refused, Err(OnlineError::UnknownSource(_))), "{refused:?}");
    let mut short = row(1, 1.0);
    short.values.pop();
    let mut mistyped = row(1, 1.0);
    mistyped.values[4] = Value::Int(1);
    let mut not_a_number = row(1, 1.0);
    not_a_number.values[4] = Value::Float(f64::NAN);
    for wrong in [short, mistyped, not_a_number] {
        let refused = store.append(&event(), vec![row(1, 1.0), wrong]);
        assert!(matches!(refused, Err(OnlineError::WrongRow { row: 1, .. })), "{refused:?}");
    }
    assert_eq!(amounts(&*store, "customer", "ann"), []);
}

fn a_repeated_id_counts_once_and_so_after_reopening(harness: &mut dyn Harness) {
    let named = |id: &str, amount| PushedRow { id: EventId::new(id), ..row(1, amount) };
    let store = harness.open("ids");
    store.append(&event(), vec![named("a", 1.0), named("b", 2.0)]).expect("good rows");
    let receipt =
        store.append(&event(), vec![named("b", 2.0), named("c", 3.0), named("c", 3.0)]).expect("good");
    assert_eq!((receipt.accepted, receipt.duplicates), (1, 2));
    drop(store);
    let store = harness.open("ids");
    let receipt = store.append(&event(), vec![named("a", 1.0)]).expect("a repeated row is no error");
    assert_eq!((receipt.accepted, receipt.duplicates), (0, 1));
    assert_eq!(amounts(&*store, "customer", "ann").len(), 3);
}

fn everything_acknowledged_is_there_after_reopening(harness: &mut dyn Harness) {
    let store = harness.open("durable");
    store.append(&event(), vec![row(1, 1.0), row(2, 2.0)]).expect("good rows");
    drop(store);
    let store = harness.open("durable");
    store.append(&event(), vec![row(3, 3.0)]).expect("good rows");
    drop(store);
    assert_eq!(amounts(&*harness.open("durable"), "customer", "ann").len(), 3);
}

fn keys_come_in_pages(harness: &mut dyn Harness) {
    let store = harness.open("keys");
    for name in ["eve", "bob", "dan", "ann", "cid", "bob"] {
        store.append(&event(), vec![Event::bought(1, name, "tea", 1.0).row()]).expect("a good row");
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.keys(&entity("customer"), after.as_ref(), 2).expect("a known entity");
        assert!(page.keys.len() <= 2);
        seen.extend(page.keys.iter().map(ToString::to_string));
        after = page.keys.last().cloned();
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, ["ann", "bob", "cid", "dan", "eve"]);
    let unknown = store.keys(&entity("nobody"), None, 2);
    assert!(matches!(unknown, Err(OnlineError::UnknownEntity(_))), "{unknown:?}");
}

fn concurrent_appends_are_all_taken_in(harness: &mut dyn Harness) {
    let store = harness.open("concurrent");
    std::thread::scope(|scope| {
        for writer in 0..8_i64 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..25 {
                    let id = EventId::new(&format!("{writer}/{number}"));
                    let row = PushedRow { id, ..row(writer * 100 + number, 1.0) };
                    // The same row twice, as a sender does that heard no answer.
                    for expected in [1, 0] {
                        let receipt = store.append(&event(), vec![row.clone()]).unwrap();
                        assert_eq!(receipt.accepted, expected);
                        assert!(
                            amounts(&**store, "customer", "ann").iter().any(|(at, _)| *at == row.event_time)
                        );
                    }
                }
            });
        }
    });
    let found = amounts(&*store, "customer", "ann");
    assert_eq!(found.len(), 200);
    assert!(found.is_sorted_by_key(|(at, _)| *at));
}

/// The shop, for stores that open it themselves.
#[must_use]
pub fn project() -> crate::definition::Project {
    shop()
}
