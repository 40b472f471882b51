//! Planted leaks are named, honest columns are not.

use std::sync::LazyLock;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};
use scorehouse_features::time::{DAY, Timestamp};

use super::*;
use crate::dataset::{Column, ColumnData, screen};

const ROWS: usize = 6000;

fn chance(rng: &mut ChaCha8Rng, p: f64) -> bool {
    rng.random::<f64>() < p
}

/// An honest company: strong, weak, repeated, missing and many-levelled facts.
struct Honest {
    rng: ChaCha8Rng,
    label: Vec<f64>,
    columns: Vec<Column>,
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    Normal::new(0.0, 1.0).unwrap().sample(rng)
}

fn honest() -> Honest {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let strong: Vec<f64> = (0..ROWS).map(|_| normal(&mut rng)).collect();
    let months: Vec<f64> = (0..ROWS).map(|_| (rng.random::<f64>().powi(2) * 72.0).floor()).collect();
    let label: Vec<f64> = (0..ROWS)
        .map(|i| {
            let odds = -1.2 + 1.5 * strong[i] - months[i] / 30.0;
            f64::from(u8::from(chance(&mut rng, 1.0 / (1.0 + (-odds).exp()))))
        })
        .collect();
    let amount: Vec<f64> = (0..ROWS)
        .map(|i| {
            let exact = (8.0 + strong[i] * 0.3 + normal(&mut rng)).exp();
            // People write round amounts.
            if chance(&mut rng, 0.4) { (exact / 1000.0).round() * 1000.0 } else { exact.round() }
        })
        .collect();
    let region = (0..ROWS).map(|_| rng.random_range(0..40)).collect::<Vec<u32>>();
    let names: Vec<String> = region.iter().map(|r| format!("region {r}")).collect();
    let last_30: Vec<f64> = (0..ROWS)
        .map(|_| if chance(&mut rng, 0.5) { 0.0 } else { f64::from(rng.random_range(1..5)) })
        .collect();
    let last_90: Vec<f64> =
        last_30.iter().map(|n| n + if chance(&mut rng, 0.2) { 1.0 } else { 0.0 }).collect();
    let survey: Vec<f64> = label
        .iter()
        .map(|y| if chance(&mut rng, 0.5 + 0.2 * y) { f64::NAN } else { f64::from(rng.random_range(1..6)) })
        .collect();
    let columns = vec![
        Column::float("strong", strong),
        Column::float("months", months),
        Column::float("amount", amount),
        Column::text("region", names.iter().map(|name| Some(name.as_str()))),
        Column::float("visits_30d", last_30),
        Column::float("visits_90d", last_90),
        Column::float("survey", survey),
    ];
    Honest { rng, label, columns }
}

impl Honest {
    fn data(&self) -> Dataset {
        Dataset {
            rows: ROWS,
            columns: self.columns.clone(),
            label: self.label.clone(),
            as_of: vec![Timestamp(0); ROWS],
            ..Dataset::default()
        }
    }

    /// Names the columns found after planting some.
    fn with(&self, planted: Vec<Column>) -> Vec<LeakWarning> {
        let mut data = self.data();
        data.columns.extend(planted);
        leaks(&data)
    }
}

static HONEST: LazyLock<Honest> = LazyLock::new(honest);

fn leaks(data: &Dataset) -> Vec<LeakWarning> {
    find_leaks(data, &screen(&data.columns, data.rows))
}

fn names(leaks: &[LeakWarning]) -> Vec<&str> {
    leaks.iter().map(|leak| leak.column.as_str()).collect()
}

fn each(honest: &Honest, value: impl Fn(f64, &mut ChaCha8Rng) -> f64) -> Vec<f64> {
    let mut rng = honest.rng.clone();
    honest.label.iter().map(|y| value(*y, &mut rng)).collect()
}

#[test]
fn honest_columns_are_left_alone_even_strong_ones() {
    let found = HONEST.with(Vec::new());
    assert_eq!(names(&found), [""; 0], "{found:?}");
    // An AUC of 0.8 is what a good fact has.
    let good = each(&HONEST, |y, rng| normal(rng) + 1.19 * y);
    let found = HONEST.with(vec![Column::float("good", good)]);
    assert_eq!(names(&found), [""; 0], "{found:?}");
    // Of the few who stayed away longest nearly all are gone: that settles nothing about the others.
    let away = each(&HONEST, |y, rng| {
        if y > 0.5 && chance(rng, 0.04) { 300.0 } else { (200.0 * rng.random::<f64>()).round() }
    });
    let found = HONEST.with(vec![Column::float("away", away)]);
    assert_eq!(names(&found), [""; 0], "{found:?}");
    // A better one is sure at its ends, but gets there by degrees.
    let better = each(&HONEST, |y, rng| normal(rng) + 1.9 * y);
    let found = HONEST.with(vec![Column::float("better", better)]);
    assert_eq!(names(&found), [""; 0], "{found:?}");
}

#[test]
fn a_score_that_was_made_from_the_outcome_is_too_good() {
    let score = each(&HONEST, |y, rng| (50.0 + 40.0 * y + 10.0 * normal(rng)).round());
    let found = HONEST.with(vec![Column::float("risk", score)]);
    assert_eq!(names(&found), ["risk"]);
    assert!(matches!(found[0].signs[0], LeakSign::TooGood { .. }), "{found:?}");
    assert!(found[0].auc_alone > 0.98);
}

#[test]
fn what_is_filled_only_for_one_outcome_is_named() {
    let mut rng = HONEST.rng.clone();
    let reasons = ["price", "competitor", "moved"];
    let reason: Vec<Option<&str>> = HONEST
        .label
        .iter()
        .map(|y| (*y > 0.5 && chance(&mut rng, 0.6)).then(|| reasons[rng.random_range(0..3)]))
        .collect();
    let fee =
        each(
            &HONEST,
            |y, rng| if y > 0.5 && chance(rng, 0.2) { 25.0 + rng.random_range(0..9) as f64 } else { 0.0 },
        );
    let refund = each(&HONEST, |y, rng| {
        if y > 0.5 && chance(rng, 0.4) { 1.0 + rng.random::<f64>() } else { -rng.random::<f64>() }
    });
    let found = HONEST.with(vec![
        Column::text("reason", reason),
        Column::float("fee", fee),
        Column::float("refund", refund),
    ]);
    let mut named = names(&found);
    named.sort_unstable();
    assert_eq!(named, ["fee", "reason", "refund"]);
    let signs = |name: &str| &found.iter().find(|leak| leak.column == name).unwrap().signs;
    assert!(signs("reason").iter().any(|sign| matches!(sign, LeakSign::Filled { .. })), "{found:?}");
    let side = signs("refund")[0].detail();
    assert!(side.starts_with("where it is at least 1."), "{side}");
    assert!(signs("fee").iter().any(|sign| matches!(sign, LeakSign::Decides { .. })), "{found:?}");
}

#[test]
fn columns_that_come_apart_when_the_deal_is_won_are_named() {
    let mut rng = HONEST.rng.clone();
    let booked: Vec<f64> = (0..ROWS).map(|_| f64::from(rng.random_range(1..60))).collect();
    let changed = |y: f64, rng: &mut ChaCha8Rng| chance(rng, if y > 0.5 { 0.35 } else { 0.01 });
    let given: Vec<f64> = booked
        .iter()
        .zip(&HONEST.label)
        .map(|(b, y)| if changed(*y, &mut rng) { b + f64::from(rng.random_range(1..9)) } else { *b })
        .collect();
    let rooms = ["a", "b", "c", "d", "e"];
    let room: Vec<usize> = (0..ROWS).map(|_| rng.random_range(0..5)).collect();
    let moved: Vec<usize> = room
        .iter()
        .zip(&HONEST.label)
        .map(|(room, y)| if changed(*y, &mut rng) { (room + 1) % 5 } else { *room })
        .collect();
    let texts = |rows: &[usize]| rows.iter().map(|room| Some(rooms[*room])).collect::<Vec<_>>();
    let found = HONEST.with(vec![
        Column::float("days_before", booked),
        Column::float("days", given),
        Column::text("room_booked", texts(&room)),
        Column::text("room", texts(&moved)),
    ]);
    let mut named = names(&found);
    named.sort_unstable();
    assert_eq!(named, ["days", "days_before", "room", "room_booked"], "{found:?}");
}

#[test]
fn shares_and_sums_that_stop_adding_up_are_named() {
    let mut rng = HONEST.rng.clone();
    let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
    let (mut part, mut rest, mut total) = (Vec::new(), Vec::new(), Vec::new());
    for y in &HONEST.label {
        let (x, z) = (rng.random::<f64>(), rng.random::<f64>());
        let left = if chance(&mut rng, if *y > 0.5 { 0.4 } else { 0.01 }) { 0.7 } else { 1.0 };
        a.push(x * z * left);
        b.push(x * (1.0 - z) * left);
        c.push((1.0 - x) * left);
        let (p, r) = (f64::from(rng.random_range(1..90)), f64::from(rng.random_range(1..90)));
        part.push(p);
        rest.push(r);
        total.push(p + r + if chance(&mut rng, if *y > 0.5 { 0.4 } else { 0.01 }) { 7.0 } else { 0.0 });
    }
    // Shares reach from none to all.
    (a[0], b[0], c[0]) = (1.0, 0.0, 0.0);
    (a[1], b[1], c[1]) = (0.0, 1.0, 0.0);
    (a[2], b[2], c[2]) = (0.0, 0.0, 1.0);
    let columns = [("a", a), ("b", b), ("c", c), ("part", part), ("rest", rest), ("total", total)];
    let found = HONEST.with(columns.map(|(name, values)| Column::float(name, values)).into());
    let mut named = names(&found);
    named.sort_unstable();
    assert_eq!(named, ["a", "b", "c", "part", "rest", "total"], "{found:?}");
}

#[test]
fn days_up_to_a_batch_of_closings_are_stamps_and_codes_are_not() {
    let mut rng = HONEST.rng.clone();
    // Every fifth day of the last 60 lost deals were cleared away.
    let days: Vec<f64> = HONEST
        .label
        .iter()
        .map(|y| {
            let day = rng.random_range(0..60);
            f64::from(if *y < 0.5 && chance(&mut rng, 0.5) { day / 7 * 7 } else { day })
        })
        .collect();
    // Shops with numbers and rates of their own, some with many customers, most with few.
    let shop: Vec<f64> = HONEST
        .label
        .iter()
        .map(|y| {
            let size = (-8.0 * (1.0 - rng.random::<f64>()).ln()).floor().min(49.0);
            let size = if *y > 0.5 && chance(&mut rng, 0.4) { size - size % 4.0 } else { size };
            (size * 31.0) % 50.0
        })
        .collect();
    let found = HONEST.with(vec![Column::float("days", days), Column::float("shop", shop)]);
    assert_eq!(names(&found), ["days"], "{found:?}");
    assert!(matches!(found[0].signs[0], LeakSign::Stamped { .. }));
}

#[test]
fn a_recorded_moment_after_the_row_is_named_and_a_planned_one_is_not() {
    let mut rng = HONEST.rng.clone();
    let end = Timestamp(ROWS as i64 * DAY / 20);
    let as_of: Vec<Timestamp> = (0..ROWS as i64).map(|row| Timestamp(row * DAY / 20)).collect();
    let after = |as_of: &Timestamp, rng: &mut ChaCha8Rng| Timestamp(as_of.0 + rng.random_range(1..30) * DAY);
    let planned: Vec<_> = as_of.iter().map(|t| Some(after(t, &mut rng))).collect();
    let recorded: Vec<_> = as_of.iter().map(|t| Some(after(t, &mut rng)).filter(|t| *t <= end)).collect();
    let time = |name: &str, values| Column { name: name.into(), words: None, data: ColumnData::Time(values) };
    let mut data = HONEST.data();
    data.columns.extend([time("renewal", planned), time("answered", recorded)]);
    (data.as_of, data.known_at) = (as_of.clone(), Some(as_of));
    let found = leaks(&data);
    assert_eq!(names(&found), ["answered"], "{found:?}");
}

#[test]
fn what_told_nothing_one_look_before_the_end_is_sudden() {
    let mut rng = HONEST.rng.clone();
    // Two looks at each of 3,000 deals; the second knows.
    let entities = ROWS / 2;
    let label: Vec<f64> = (0..ROWS).map(|row| HONEST.label[row % entities]).collect();
    let grown: Vec<f64> =
        (0..ROWS).map(|row| label[row] * if row < entities { 0.6 } else { 1.2 } + normal(&mut rng)).collect();
    let written: Vec<f64> =
        (0..ROWS).map(|row| if row < entities { 0.0 } else { 1.7 * label[row] } + normal(&mut rng)).collect();
    let data = Dataset {
        rows: ROWS,
        columns: vec![Column::float("grown", grown), Column::float("written", written)],
        label,
        as_of: (0..ROWS).map(|row| Timestamp((row / entities) as i64 * DAY)).collect(),
        known_at: Some(vec![Timestamp(9 * DAY); ROWS]),
        group: Some((0..ROWS as u32).map(|row| row % entities as u32).collect()),
        ..Dataset::default()
    };
    let found = leaks(&data);
    assert_eq!(names(&found), ["written"], "{found:?}");
    assert!(matches!(found[0].signs[0], LeakSign::Sudden { .. }));
}

#[test]
fn few_outcomes_raise_no_suspicion() {
    let mut data = HONEST.data();
    data.columns.push(Column::float("copy", data.label.clone()));
    data.label.iter_mut().skip(60).for_each(|label| *label = 0.0);
    assert_eq!(names(&leaks(&data)), [""; 0]);
}
