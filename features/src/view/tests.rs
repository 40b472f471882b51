//! The kernel against a reading of the rules that is as plain as can be.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::definition::{Aggregate, Project, ViewKind, WindowFeature, WindowView};
use crate::ids::FeatureName;
use crate::online::fixture::{Event, entity, feature, hour, key, shop, source};
use crate::online::{EmbeddedStore, OnlineStore, PushedRow};
use crate::time::Timestamp;
use crate::value::{Missing, Value};
use crate::view::layout::aggregate_column;
use crate::view::{FeaturePlan, Layout, Read, RequestFields, Scratch};

/// Features of a customer straight from the rules, over rows in order of arrival.
struct Plain<'a> {
    project: &'a Project,
    rows: &'a [PushedRow],
    as_of: Timestamp,
}

impl Plain<'_> {
    fn value(&self, customer: &str, name: &FeatureName) -> Value {
        let view = &self.project.views[&name.view];
        let key = match &name.through {
            None => customer.to_owned(),
            Some(reference) => {
                let reference = &self.project.entities[&entity("customer")].references[reference];
                match self.value(customer, &reference.key) {
                    Value::Text(text) => text.to_string(),
                    _ => return Value::Missing(Missing::NotLinked),
                }
            }
        };
        let number = view.features.iter().position(|f| f.name == name.name).unwrap();
        match &view.kind {
            ViewKind::Derived(features) => {
                let derived = &features[number];
                let input = |input: &FeatureName| {
                    if input.is_request() {
                        Value::Missing(Missing::NotGiven)
                    } else {
                        self.value(&key, input)
                    }
                };
                let inputs: Vec<Value> = derived.inputs.iter().map(input).collect();
                derived.expression.evaluate(&inputs, self.as_of)
            }
            ViewKind::Latest(latest) => {
                let known = self.known(latest.key.as_str(), &key, latest.filter.as_ref());
                let Some(row) = known.last() else { return Value::Missing(Missing::NeverSeen) };
                if latest.ttl.is_some_and(|ttl| self.as_of.0 - row.event_time.0 > ttl.0) {
                    return Value::Missing(Missing::Expired);
                }
                row.values[self.column(latest.columns[number].as_str())].clone()
            }
            ViewKind::Window(window) => self.window(window, &window.features[number], &key),
        }
    }

    fn column(&self, name: &str) -> usize {
        let source = &self.project.sources[&source("event")];
        source.columns.iter().position(|column| column.name.as_str() == name).unwrap()
    }

    fn known(&self, by: &str, key: &str, filter: Option<&crate::expression::Expression>) -> Vec<&PushedRow> {
        let by = self.column(by);
        let seen = |row: &&PushedRow| {
            row.values[by] == Value::Text(key.into())
                && row.event_time <= self.as_of
                && row.available <= self.as_of
                && filter.is_none_or(|filter| filter.is_true(&row.values, row.event_time))
        };
        let mut known: Vec<&PushedRow> = self.rows.iter().filter(seen).collect();
        known.sort_by_key(|row| (row.event_time, row.available, row.arrival));
        known
    }

    fn window(&self, view: &WindowView, feature: &WindowFeature, key: &str) -> Value {
        let known = self.known(view.key.as_str(), key, view.filter.as_ref());
        let inside = |row: &&&PushedRow| {
            feature.window.is_none_or(|window| row.event_time.0 > self.as_of.0 - window.0)
                && feature.filter.as_ref().is_none_or(|filter| filter.is_true(&row.values, row.event_time))
        };
        let newest_first: Vec<&PushedRow> = known.iter().filter(inside).rev().copied().collect();
        let column = aggregate_column(&feature.aggregate).map(|name| self.column(name.as_str()));
        let values: Vec<&Value> = column.map_or_else(Vec::new, |column| {
            newest_first.iter().map(|row| &row.values[column]).filter(|value| !value.is_missing()).collect()
        });
        let numbers = || values.iter().map(|value| as_number(value));
        let days = |row: &PushedRow| Value::Float(self.as_of.days_since(row.event_time));
        let found = match &feature.aggregate {
            Aggregate::Count => Some(Value::Int(newest_first.len() as i64)),
            Aggregate::Sum(name) if name.as_str() == "quantity" => {
                Some(Value::Int(numbers().map(|n| n as i64).sum()))
            }
            Aggregate::Sum(_) => Some(Value::Float(numbers().fold(0.0, |sum, n| sum + n))),
            Aggregate::Distinct(_) => {
                let set: BTreeSet<String> = values.iter().map(|value| format!("{value:?}")).collect();
                Some(Value::Int(set.len() as i64))
            }
            Aggregate::Mean(_) if !values.is_empty() => {
                Some(Value::Float(numbers().fold(0.0, |sum, n| sum + n) / values.len() as f64))
            }
            Aggregate::Stddev(_) if values.len() == 1 => Some(Value::Missing(Missing::Undefined)),
            Aggregate::Stddev(_) if !values.is_empty() => {
                let mean = numbers().sum::<f64>() / values.len() as f64;
                let squares: f64 = numbers().map(|n| (n - mean) * (n - mean)).sum();
                Some(Value::Float((squares / (values.len() - 1) as f64).sqrt()))
            }
            Aggregate::Min(_) => {
                values.iter().min_by(|a, b| as_number(a).total_cmp(&as_number(b))).map(|v| (*v).clone())
            }
            Aggregate::Max(_) => {
                values.iter().max_by(|a, b| as_number(a).total_cmp(&as_number(b))).map(|v| (*v).clone())
            }
            Aggregate::Last(_, k) => values.get(*k as usize - 1).map(|value| (*value).clone()),
            Aggregate::DaysSinceLast => newest_first.first().map(|row| days(row)),
            Aggregate::DaysSinceFirst => newest_first.last().map(|row| days(row)),
            _ => None,
        };
        found.unwrap_or({
            Value::Missing(if column.is_some() && !newest_first.is_empty() && values.is_empty() {
                Missing::NullAtSource
            } else if feature.window.is_some() && !known.is_empty() {
                Missing::Expired
            } else {
                Missing::NeverSeen
            })
        })
    }
}

fn as_number(value: &Value) -> f64 {
    match value {
        Value::Int(n) => *n as f64,
        Value::Float(n) => *n,
        Value::Time(t) => t.0 as f64,
        other => panic!("{other:?} is no number"),
    }
}

/// Every feature of the shop's customers, and one of their favourite product.
pub(crate) fn all_features(project: &Project) -> Vec<FeatureName> {
    let customer = entity("customer");
    let views = project.views.values().filter(|view| view.entity == customer);
    let own =
        views.flat_map(|view| view.features.iter().map(|f| feature(&format!("{}.{}", view.name, f.name))));
    let own = own.filter(|name| name.view.as_str() != "remark");
    own.chain([feature("favourite.sales.lines_6d"), feature("favourite.sales.total_6d")]).collect()
}

/// Equal to the bit; standard deviations, which [`Plain`] computes another way, nearly.
fn agree(name: &FeatureName, plain: &Value, kernel: &Value) -> bool {
    match (plain, kernel) {
        (Value::Float(a), Value::Float(b)) if name.name.as_str().starts_with("spread") => {
            (a - b).abs() <= 1e-9 * (1.0 + a.abs())
        }
        _ => identical(plain, kernel),
    }
}

pub(crate) fn identical(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}

pub(crate) fn read_all(
    store: &dyn OnlineStore,
    plan: &FeaturePlan,
    customer: &str,
    as_of: Timestamp,
) -> Vec<Value> {
    let mut out = Vec::new();
    let question = Read { key: &key(customer), as_of, request: &RequestFields::new(), overrides: &[] };
    plan.read(store, &question, &mut Scratch::default(), &mut out).unwrap();
    out
}

prop_compose! {
    pub(crate) fn any_event()(
        at in 0_i64..240,
        late in prop_oneof![3 => Just(0_i64), 1 => 0_i64..120],
        customer in prop_oneof![Just(Some("ann")), Just(Some("bob")), Just(None)],
        product in prop_oneof![Just(Some("tea")), Just(Some("cup")), Just(Some("pot")), Just(None)],
        amount in prop_oneof![4 => (-50_i32..50).prop_map(|n| Some(f64::from(n) * 0.1)), 1 => Just(None)],
        quantity in prop_oneof![4 => (-3_i64..6).prop_map(Some), 1 => Just(None)],
        gift in any::<Option<bool>>(),
    ) -> Event {
        Event { at, known: at + late, customer, product, amount, quantity, gift }
    }
}

fn pushed(events: &[Event]) -> Vec<PushedRow> {
    let row = |(number, event): (usize, &Event)| PushedRow { arrival: number as i64 + 1, ..event.row() };
    events.iter().enumerate().map(row).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_kernel_follows_the_rules_of_time(
        events in prop::collection::vec(any_event(), 0..40),
        moments in prop::collection::vec(-5_i64..380, 1..5),
    ) {
        let project = shop();
        let rows = pushed(&events);
        let features = all_features(&project);
        let plan = FeaturePlan::compile(&project, &entity("customer"), &features).unwrap();
        let store = crate::online::tests::store_over(&project, &rows);
        for as_of in moments.into_iter().map(hour) {
            for customer in ["ann", "bob", "nobody"] {
                let plain = Plain { project: &project, rows: &rows, as_of };
                let values = read_all(&store, &plan, customer, as_of);
                for (name, value) in features.iter().zip(&values) {
                    let expected = plain.value(customer, name);
                    prop_assert!(
                        agree(name, &expected, value),
                        "{name} of {customer} at {as_of}: {value:?}, by the rules {expected:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn rows_that_came_later_never_change_an_earlier_value(
        events in prop::collection::vec(any_event(), 0..40),
        moment in 0_i64..300,
    ) {
        let project = shop();
        let rows = pushed(&events);
        let as_of = hour(moment);
        let earlier: Vec<PushedRow> =
            rows.iter().filter(|row| row.event_time <= as_of && row.available <= as_of).cloned().collect();
        let plan = FeaturePlan::compile(&project, &entity("customer"), &all_features(&project)).unwrap();
        let with_later = crate::online::tests::store_over(&project, &rows);
        let without = crate::online::tests::store_over(&project, &earlier);
        for customer in ["ann", "bob"] {
            let (a, b) = (read_all(&with_later, &plan, customer, as_of), read_all(&without, &plan, customer, as_of));
            prop_assert!(a.iter().zip(&b).all(|(a, b)| identical(a, b)), "{a:?}\n{b:?}");
        }
    }
}

/// Features of every type and kind: latest, windows, derived, of another entity.
fn questions_to_ask() -> Vec<Vec<FeatureName>> {
    let project = shop();
    let all = all_features(&project);
    let repeated = [all[0].clone(), all[3].clone(), all[0].clone()];
    let latest: Vec<FeatureName> = ["product", "amount", "quantity", "gift", "due"]
        .map(|name| feature(&format!("profile.{name}")))
        .into();
    let backwards = all.iter().rev().cloned().collect();
    vec![all, latest, backwards, repeated.into()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn questions_asked_together_get_the_answers_of_each_alone(
        events in prop::collection::vec(any_event(), 0..40),
        asked in prop::collection::vec(
            (prop::sample::select(vec!["ann", "bob", "nobody"]), -5_i64..380, any::<Option<bool>>()), 0..30),
    ) {
        let (project, store) = store_of(&events);
        let fields: RequestFields = [("discount".parse().unwrap(), Value::Float(0.5))].into_iter().collect();
        for names in questions_to_ask() {
            let plan = FeaturePlan::compile(&project, &entity("customer"), &names).unwrap();
            let given = |given: Option<bool>| match (given, plan.slot(&feature("profile.product"))) {
                (Some(true), Some(slot)) => vec![(slot, Value::Text("cup".into()))],
                (Some(false), Some(slot)) => vec![(slot, Value::Missing(Missing::NotGiven))],
                _ => Vec::new(),
            };
            let keys: Vec<_> = asked.iter().map(|(customer, ..)| key(customer)).collect();
            let given: Vec<_> = asked.iter().map(|(.., overridden)| given(*overridden)).collect();
            let reads: Vec<Read<'_>> = asked
                .iter()
                .zip(&keys)
                .zip(&given)
                .map(|(((_, at, _), key), overrides)| Read { key, as_of: hour(*at), request: &fields, overrides })
                .collect();
            // Memory of earlier questions must leave no trace.
            let (mut scratch, mut together) = (Scratch::default(), vec![Value::Bool(true); 3]);
            for _ in 0..2 {
                plan.read_all(&store, &reads, &mut scratch, &mut together).unwrap();
            }
            prop_assert_eq!(together.len(), reads.len() * names.len());
            for (number, read) in reads.iter().enumerate() {
                let (mut fresh, mut alone) = (Scratch::default(), Vec::new());
                plan.read(&store, read, &mut fresh, &mut alone).unwrap();
                let found = &together[number * names.len()..(number + 1) * names.len()];
                prop_assert!(alone.iter().zip(found).all(|(a, b)| identical(a, b)), "{alone:?}\n{found:?}");
                prop_assert_eq!(fresh.met(0), scratch.met(number));
            }
        }
    }
}

fn store_of(events: &[Event]) -> (Project, EmbeddedStore) {
    let project = shop();
    let store = crate::online::tests::store_over(&project, &pushed(events));
    (project, store)
}

fn values(events: &[Event], names: &[&str], at: i64) -> Vec<Value> {
    let (project, store) = store_of(events);
    let names: Vec<FeatureName> = names.iter().map(|name| feature(name)).collect();
    let plan = FeaturePlan::compile(&project, &entity("customer"), &names).unwrap();
    read_all(&store, &plan, "ann", hour(at))
}

#[test]
fn a_window_is_open_at_its_far_end_and_closed_at_its_near_end() {
    let events = [Event::bought(0, "ann", "tea", 1.0), Event::bought(48, "ann", "tea", 2.0)];
    assert_eq!(
        values(&events, &["activity.lines_2d", "activity.total_2d"], 48),
        [Value::Int(1), Value::Float(2.0)]
    );
    assert_eq!(values(&events, &["activity.lines_2d"], 47), [Value::Int(1)]);
}

#[test]
fn a_missing_value_says_why() {
    let unpriced = Event { amount: None, ..Event::bought(10, "ann", "tea", 0.0) };
    let names =
        ["profile.amount", "activity.mean_2d", "activity.quiet_6d", "favourite.sales.lines_6d", "ratio.net"];
    let reasons = |events: &[Event], at| -> Vec<Missing> {
        let missing = |value: &Value| match value {
            Value::Missing(reason) => *reason,
            other => panic!("{other:?}"),
        };
        values(events, &names, at).iter().map(missing).collect()
    };
    use Missing::{Expired, NeverSeen, NotLinked, NullAtSource, Undefined};
    assert_eq!(reasons(&[], 20), [NeverSeen, NeverSeen, NeverSeen, NotLinked, Undefined]);
    assert_eq!(
        values(std::slice::from_ref(&unpriced), &names[..2], 20),
        [NullAtSource, NullAtSource].map(Value::Missing)
    );
    assert_eq!(reasons(&[unpriced], 10 + 24 * 9), [Expired, Expired, Expired, NotLinked, Undefined]);
}

#[test]
fn ties_go_to_the_row_known_last_then_to_the_one_that_arrived_last() {
    let at_once = |amount| Event::bought(5, "ann", "tea", amount);
    let late = Event { known: 6, ..at_once(3.0) };
    assert_eq!(
        values(&[late.clone(), at_once(1.0), at_once(2.0)], &["profile.amount"], 5),
        [Value::Float(2.0)]
    );
    assert_eq!(values(&[late, at_once(1.0), at_once(2.0)], &["profile.amount"], 6), [Value::Float(3.0)]);
}

#[test]
fn an_override_is_seen_by_what_is_derived_from_it() {
    let (project, store) = store_of(&[Event::bought(5, "ann", "tea", 10.0)]);
    let names = [feature("ratio.net"), feature("profile.amount"), feature("ratio.recent_share")];
    let plan = FeaturePlan::compile(&project, &entity("customer"), &names).unwrap();
    let slot = plan.slot(&feature("profile.amount")).unwrap();
    let fields: RequestFields = [("discount".parse().unwrap(), Value::Float(0.5))].into_iter().collect();
    let read = |overrides: &[(usize, Value)]| {
        let mut out = Vec::new();
        let question = Read { key: &key("ann"), as_of: hour(6), request: &fields, overrides };
        plan.read(&store, &question, &mut Scratch::default(), &mut out).unwrap();
        out
    };
    assert_eq!(read(&[]), [5.0, 10.0, 1.0].map(Value::Float));
    assert_eq!(read(&[(slot, Value::Float(100.0))]), [50.0, 100.0, 1.0].map(Value::Float));
    let derived = plan.slot(&names[0]).unwrap();
    assert_eq!(read(&[(derived, Value::Float(7.0))])[0], Value::Float(7.0));
}

#[test]
fn a_plan_reads_each_table_once() {
    let project = shop();
    let plan = FeaturePlan::compile(&project, &entity("customer"), &all_features(&project)).unwrap();
    let gathers = plan.steps().iter().filter(|step| matches!(step, crate::view::Step::Gather(_)));
    assert_eq!(gathers.count(), 2, "the customer's events and the favourite product's");
}

#[test]
fn unknown_names_are_refused_with_what_there_is() {
    let project = shop();
    let refused = |name: &str| {
        FeaturePlan::compile(&project, &entity("customer"), &[feature(name)]).unwrap_err().to_string()
    };
    assert!(refused("profil.amount").contains("did you mean `profile`"), "{}", refused("profil.amount"));
    assert!(refused("profile.amuont").contains("profile.amount"));
    assert!(refused("sales.lines_6d").contains("unknown view"), "another entity's view");
    assert!(refused("favorite.sales.lines_6d").contains("favourite"));
    assert!(refused("request.coupon").contains("discount"));
    assert!(FeaturePlan::compile(&project, &entity("custmer"), &[]).is_err());
}

#[test]
fn a_layout_holds_only_what_is_read() {
    let layout = Layout::of(&shop()).unwrap();
    let note = layout.tables().iter().find(|table| table.source.as_str() == "note").unwrap();
    assert_eq!(note.needed, [2], "the words, and neither time nor key");
    let event = layout.source(&source("event")).unwrap();
    assert_eq!(event.filters.len(), 3, "each filter once: quantity, gift, amount");
}
