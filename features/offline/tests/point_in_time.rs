//! Features as of many moments: equal to a naive join, blind to what was not yet known, the same bits as online.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod workspace;

use std::sync::Arc;

use arrow_array::{Array, Int64Array, StringArray};
use proptest::prelude::*;
use scorehouse_features::ids::FeatureName;
use scorehouse_features::online::{EmbeddedStore, StoreOptions};
use scorehouse_features::time::{FixedClock, Timestamp};
use scorehouse_features::value::{Missing, Value};
use scorehouse_features::view::{Column, FeaturePlan, Read, RequestFields, Scratch};
use scorehouse_offline::EntityRows;
use workspace::{ParseMoment, Workspace, name};

const PROJECT: &str = r#"
[project]
name = "test"

[limits]
memory = "2GiB"
threads = 2

[entity.customer]
key = "customer_id"
refers_to = { region = "profile.region" }

[entity.region]
key = "region"

[source.orders]
path = "orders*.csv"
event_time = "at"
available_time = "known"
columns = { customer_id = "text", amount = "float", quantity = "int", product = "text", region = "text", at = "time", known = "time" }

[view.profile]
entity = "customer"
kind = "latest"
source = "orders"
ttl = "4d"
features = ["amount", "product", "region"]

[view.large]
entity = "customer"
kind = "latest"
source = "orders"
where = "quantity > 5"
features = ["quantity"]

[view.orders]
entity = "customer"
kind = "window"
source = "orders"
windows = ["2d", "all"]
[view.orders.features]
count = "count()"
revenue = "sum(amount)"
pieces = "sum(quantity)"
products = "distinct(product)"
top = "max(amount)"
recent = "last(product, 2)"
large = { aggregate = "count()", where = "quantity > 5" }

[view.region]
entity = "region"
kind = "window"
source = "orders"
windows = ["2d"]
features = { count = "count()" }

[view.facts]
entity = "customer"
kind = "derived"
features = { share = "orders.revenue_2d / orders.revenue" }
"#;

const FEATURES: [&str; 12] = [
    "profile.amount",
    "profile.product",
    "large.quantity",
    "orders.count_2d",
    "orders.count",
    "orders.revenue",
    "orders.pieces_2d",
    "orders.products",
    "orders.top_2d",
    "orders.recent_2",
    "region.region.count_2d",
    "facts.share",
];

#[derive(Debug, Clone)]
struct Row {
    customer: u8,
    amount: Option<f64>,
    quantity: Option<i64>,
    product: Option<u8>,
    /// Hours since the beginning.
    at: i64,
    known: i64,
}

fn moment(hours: i64) -> Timestamp {
    Timestamp("2024-01-01".parse_moment().0 + hours * 3_600_000_000)
}

fn row() -> impl Strategy<Value = Row> {
    // Few distinct moments, so that ties happen; often known late, now and then before it happened.
    let amount = proptest::option::weighted(0.9, (-400_i32..400).prop_map(|v| f64::from(v) / 8.0));
    let late = prop_oneof![3 => Just(0_i64), 2 => 0_i64..100, 1 => -20_i64..0];
    (
        0_u8..5,
        amount,
        proptest::option::weighted(0.9, 0_i64..10),
        proptest::option::of(0_u8..4),
        0_i64..40,
        late,
    )
        .prop_map(|(customer, amount, quantity, product, at, late)| Row {
            customer,
            amount,
            quantity,
            product,
            at: at * 6,
            known: at * 6 + late,
        })
}

fn text<T: std::fmt::Display>(value: &Option<T>) -> String {
    value.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn csv(rows: &[Row]) -> String {
    let mut out = "customer_id,amount,quantity,product,region,at,known\n".to_owned();
    for row in rows {
        let product = row.product.map(|p| format!("p{p}"));
        let line = format!(
            "c{},{},{},{},r{},{},{}\n",
            row.customer,
            text(&row.amount),
            text(&row.quantity),
            text(&product),
            row.customer % 2,
            moment(row.at),
            moment(row.known)
        );
        out.push_str(&line);
    }
    out
}

fn names() -> Vec<FeatureName> {
    FEATURES.map(name).to_vec()
}

/// The features of (customer number, hours) questions; none asks about nobody.
fn history(space: &Workspace, questions: &[(Option<u8>, i64)]) -> Vec<Vec<Value>> {
    let rows = EntityRows {
        keys: questions
            .iter()
            .map(|(customer, _)| customer.map(|c| format!("c{c}")))
            .collect::<StringArray>(),
        as_of: questions.iter().map(|(_, hours)| Some(moment(*hours).0)).collect::<Int64Array>(),
        request: Vec::new(),
    };
    let store = space.store();
    let columns = store.history(space.project(), &name("customer"), &names(), &rows).unwrap();
    let plan = FeaturePlan::compile(space.project(), &name("customer"), &names()).unwrap();
    let typed: Vec<Column> =
        columns.iter().zip(plan.types()).map(|(c, t)| Column::from_arrow(&c.values, t).unwrap()).collect();
    assert!(columns.iter().all(|c| c.values.len() == questions.len()));
    (0..questions.len())
        .map(|row| columns.iter().zip(&typed).map(|(column, typed)| column.value(typed, row)).collect())
        .collect()
}

/// The same by looking at every row for every question.
fn naive(rows: &[Row], customer: Option<u8>, as_of: i64) -> Vec<Value> {
    let Some(customer) = customer else {
        let mut nobody = vec![Value::Missing(Missing::NotLinked); FEATURES.len()];
        nobody[FEATURES.len() - 1] = Value::Missing(Missing::Undefined);
        return nobody;
    };
    // Rows known at the moment, newest first: event time, availability time, place in the file.
    let mut seen: Vec<(usize, &Row)> =
        rows.iter().enumerate().filter(|(_, r)| r.at <= as_of && r.known <= as_of).collect();
    seen.sort_by_key(|(place, r)| std::cmp::Reverse((r.at, r.known, *place)));
    let seen: Vec<&Row> = seen.into_iter().map(|(_, r)| r).collect();
    let own: Vec<&Row> = seen.iter().copied().filter(|r| r.customer == customer).collect();
    let recent: Vec<&Row> = own.iter().copied().filter(|r| r.at > as_of - 48).collect();
    let or_null = |value: Option<Value>| value.unwrap_or(Value::Missing(Missing::NullAtSource));
    let product = |r: &Row| r.product.map(|p| Value::Text(format!("p{p}").into()));
    let profile = |pick: &dyn Fn(&Row) -> Option<Value>| match own.first() {
        None => Value::Missing(Missing::NeverSeen),
        Some(newest) if newest.at < as_of - 96 => Value::Missing(Missing::Expired),
        Some(newest) => or_null(pick(newest)),
    };
    let large = own.iter().find(|r| r.quantity.is_some_and(|q| q > 5));
    let large = large.map_or(Value::Missing(Missing::NeverSeen), |r| or_null(r.quantity.map(Value::Int)));
    let revenue = |rows: &[&Row]| rows.iter().filter_map(|r| r.amount).sum::<f64>();
    let distinct: std::collections::BTreeSet<u8> = own.iter().filter_map(|r| r.product).collect();
    let top = recent.iter().filter_map(|r| r.amount).reduce(f64::max);
    let none = |rows: &[&Row]| match (rows.is_empty(), own.is_empty()) {
        (false, _) => Missing::NullAtSource,
        (true, false) => Missing::Expired,
        (true, true) => Missing::NeverSeen,
    };
    let second: Vec<Value> = own.iter().filter_map(|r| product(r)).collect();
    let second_missing = match (second.is_empty(), own.is_empty()) {
        (true, false) => Missing::NullAtSource,
        _ => Missing::NeverSeen,
    };
    let share = revenue(&recent) / revenue(&own);
    let region = match profile(&|_| Some(Value::Int(i64::from(customer % 2)))) {
        Value::Int(region) => {
            let rows = seen.iter().filter(|r| i64::from(r.customer % 2) == region && r.at > as_of - 48);
            Value::Int(rows.count() as i64)
        }
        _ => Value::Missing(Missing::NotLinked),
    };
    vec![
        profile(&|r| r.amount.map(Value::Float)),
        profile(&product),
        large,
        Value::Int(recent.len() as i64),
        Value::Int(own.len() as i64),
        Value::Float(revenue(&own)),
        Value::Int(recent.iter().filter_map(|r| r.quantity).sum()),
        Value::Int(distinct.len() as i64),
        top.map_or(Value::Missing(none(&recent)), Value::Float),
        second.get(1).cloned().unwrap_or(Value::Missing(second_missing)),
        region,
        if share.is_finite() { Value::Float(share) } else { Value::Missing(Missing::Undefined) },
    ]
}

fn space(rows: &[Row]) -> Workspace {
    let space = Workspace::new(PROJECT);
    space.write("orders.csv", &csv(rows));
    space.ingest(false).unwrap();
    space
}

fn online(space: &Workspace, customer: u8, as_of: i64) -> Vec<Value> {
    let base = space.store().materialize(space.project()).unwrap();
    let log = space.path().join("state/online/log");
    let clock = Arc::new(FixedClock(Timestamp(0)));
    let store = EmbeddedStore::open(space.project(), base, &log, StoreOptions::default(), clock).unwrap();
    let plan = FeaturePlan::compile(space.project(), &name("customer"), &names()).unwrap();
    let (key, request) = (name(&format!("c{customer}")), RequestFields::default());
    let read = Read { key: &key, as_of: moment(as_of), request: &request, overrides: &[] };
    let mut out = Vec::new();
    plan.read(&store, &read, &mut Scratch::default(), &mut out).unwrap();
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_join_equals_a_naive_join(
        rows in proptest::collection::vec(row(), 1..60),
        questions in proptest::collection::vec((proptest::option::weighted(0.95, 0_u8..6), 0_i64..260), 1..25),
    ) {
        let space = space(&rows);
        let found = history(&space, &questions);
        for (question, found) in questions.iter().zip(found) {
            prop_assert_eq!(&found, &naive(&rows, question.0, question.1), "{:?}", question);
        }
    }

    #[test]
    fn the_join_and_the_online_store_give_the_same_bits(
        rows in proptest::collection::vec(row(), 1..60),
        question in (0_u8..6, 0_i64..260),
    ) {
        let space = space(&rows);
        let offline = history(&space, &[(Some(question.0), question.1)]).remove(0);
        let online = online(&space, question.0, question.1);
        for ((a, b), feature) in offline.iter().zip(&online).zip(FEATURES) {
            match (a, b) {
                (Value::Float(a), Value::Float(b)) => prop_assert_eq!(a.to_bits(), b.to_bits(), "{}", feature),
                _ => prop_assert_eq!(a, b, "{}", feature),
            }
        }
    }
}

#[test]
fn late_backfill_is_invisible_to_training() {
    let rows = [Row { customer: 1, amount: Some(5.0), quantity: Some(1), product: None, at: 12, known: 12 }];
    let space = space(&rows);
    let questions = [(Some(1), 24), (Some(1), 100)];
    let before = history(&space, &questions);
    // Found out four days later: an order of the first day.
    let late = Row { at: 6, known: 96, amount: Some(7.0), ..rows[0].clone() };
    space.write("orders_late.csv", &csv(&[late]));
    space.ingest(false).unwrap();
    let after = history(&space, &questions);
    assert_eq!(after[0], before[0]);
    assert_eq!((&before[1][5], &after[1][5]), (&Value::Float(5.0), &Value::Float(12.0)));
}

#[test]
fn rows_asked_about_twice_are_answered_twice_in_their_order() {
    let row = |customer, at| Row {
        customer,
        amount: Some(f64::from(customer)),
        quantity: None,
        product: None,
        at,
        known: at,
    };
    let space = space(&[row(1, 0), row(2, 0), row(3, 0)]);
    let questions: Vec<(Option<u8>, i64)> =
        (0..50_000).map(|i| (Some((i * 7 % 3 + 1) as u8), i % 5)).collect();
    let found = history(&space, &questions);
    assert_eq!(found.len(), 50_000);
    for ((customer, _), values) in questions.iter().zip(&found) {
        assert_eq!(values[0], Value::Float(f64::from(customer.unwrap())));
    }
}

#[test]
fn a_history_without_rows_gives_missing_values() {
    let space = Workspace::new(PROJECT);
    let found = history(&space, &[(Some(1), 5)]);
    assert_eq!(found[0][0], Value::Missing(Missing::NeverSeen));
    assert_eq!(found[0][4], Value::Int(0));
}

#[test]
fn a_join_that_must_spill_gives_what_one_in_memory_gives() {
    // Rows for 24 MB or so, some customers with many more than others, in no order.
    let mut text = "customer_id,amount,quantity,product,region,at,known\n".to_owned();
    let mut state = 1_u64;
    for _ in 0..260_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let draw = state >> 33;
        let customer = (draw % 1000) * (draw / 1000 % 1000) / 1000;
        let hours = (draw / 7 % 2000) as i64;
        text.push_str(&format!(
            "c{customer},{},{},p{},r{},{},{}\n",
            draw % 977,
            draw % 11,
            draw % 13,
            customer % 2,
            moment(hours),
            moment(hours + (draw % 50) as i64)
        ));
    }
    let roomy = Workspace::new(PROJECT);
    roomy.write("orders.csv", &text);
    roomy.ingest(false).unwrap();
    let tight = roomy.with(&PROJECT.replace("2GiB", "48MiB"));
    let questions: Vec<(Option<u8>, i64)> = (0..400).map(|i| (Some((i % 250) as u8), i * 5)).collect();
    assert_eq!(history(&tight, &questions), history(&roomy, &questions));
}
