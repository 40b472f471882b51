//! Whole pipelines on small made-up companies.

mod table;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, StringBuilder};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use scorehouse_features::definition::{FeatureSet, Project};
use scorehouse_features::ids::{ColumnName, ModelName, SourceName};
use scorehouse_features::time::{DAY, Timestamp};
use scorehouse_features::value::{Missing, Value};
use scorehouse_models::{Artifact, ScoringModel, Scratch};

use crate::history::{ARRIVAL, AVAILABLE_TIME, EVENT_TIME, History, NoHistory, Snapshots};
use crate::progress::Silent;
use crate::trained::{TrainRequest, Trained};
use crate::{TrainingError, train};

/// Rows of sources as texts by column, and features by a function of key and moment.
struct MemoryHistory {
    rows: HashMap<&'static str, Vec<MemoryRow>>,
    feature: fn(&MemoryHistory, &str, Timestamp, &str) -> Option<f64>,
    numbers: HashMap<String, f64>,
}

struct MemoryRow {
    at: i64,
    known: i64,
    values: Vec<(&'static str, String)>,
}

fn arrow_error(error: arrow_schema::ArrowError) -> TrainingError {
    TrainingError::history(error)
}

impl History for MemoryHistory {
    fn rows(&self, source: &SourceName, columns: &[ColumnName]) -> Result<RecordBatch, TrainingError> {
        let rows = self.rows.get(source.as_str()).map_or(&[][..], Vec::as_slice);
        let mut arrays: Vec<(String, ArrayRef)> = Vec::new();
        for column in columns {
            let mut texts = StringBuilder::new();
            for row in rows {
                texts.append_option(row.values.iter().find(|v| v.0 == column.as_str()).map(|v| v.1.as_str()));
            }
            arrays.push((column.to_string(), Arc::new(texts.finish())));
        }
        let moments = |of: fn(&MemoryRow) -> i64| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(of)).with_timezone("UTC"))
        };
        arrays.push((EVENT_TIME.into(), moments(|row| row.at)));
        arrays.push((AVAILABLE_TIME.into(), moments(|row| row.known)));
        arrays.push((ARRIVAL.into(), Arc::new(Int64Array::from_iter_values(0..rows.len() as i64))));
        RecordBatch::try_from_iter(arrays).map_err(arrow_error)
    }

    fn features(&self, set: &FeatureSet, snapshots: &Snapshots) -> Result<RecordBatch, TrainingError> {
        let column = |name: String| -> (String, ArrayRef) {
            let mut numbers = Float64Builder::new();
            for (key, as_of) in snapshots.keys.iter().zip(&snapshots.as_of) {
                numbers.append_option((self.feature)(self, key.as_str(), *as_of, &name));
            }
            (name, Arc::new(numbers.finish()))
        };
        let columns = set.features.iter().map(|field| column(field.name.to_string()));
        RecordBatch::try_from_iter(columns).map_err(arrow_error)
    }
}

const SALES: &str = r#"
[project]
name = "sales"
seed = 11
[entity.deal]
key = "deal_id"
[source.opened]
event_time = "opened_at"
columns = { deal_id = "text", opened_at = "time", amount = "float", fit = "float" }
[source.closed]
event_time = "closed_at"
columns = { deal_id = "text", closed_at = "time", outcome = "text" }
[view.deal]
kind = "latest"
entity = "deal"
source = "opened"
features = ["amount", "fit"]
[features.close]
entity = "deal"
features = ["deal.*"]
[model.win]
pipeline = "win"
feature_set = "close"
opened = "opened"
closed = "closed"
won = "outcome = 'won'"
at = ["10d", "30d"]
"#;

const SHOP: &str = r#"
[project]
name = "shop"
[entity.customer]
key = "customer_id"
[source.orders]
event_time = "ordered_at"
columns = { customer_id = "text", ordered_at = "time", kind = "text", amount = "float" }
[source.started]
event_time = "started_at"
columns = { customer_id = "text", started_at = "time" }
[source.ended]
event_time = "ended_at"
columns = { customer_id = "text", ended_at = "time", why = "text" }
[view.buys]
entity = "customer"
source = "orders"
kind = "window"
windows = ["all"]
features = { orders = "count()" , last = "days_since_last()" }
[features.health]
entity = "customer"
features = ["buys.*"]
[model.churn]
pipeline = "churn"
feature_set = "health"
activity = "orders"
where = "kind = 'sale'"
active_within = "60d"
every = "30d"
horizon = "30d"
[model.cancel]
pipeline = "churn"
feature_set = "health"
started = "started"
ended = "ended"
where = "why <> 'moved'"
every = "30d"
horizon = "30d"
"#;

fn project(text: &str) -> Project {
    Project::parse(text, Path::new("/nowhere")).unwrap_or_else(|found| {
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        panic!("{}", found.join("\n"))
    })
}

fn run(
    project: &Project,
    model: &str,
    history: &dyn History,
    now: i64,
    threads: usize,
) -> Result<Trained, TrainingError> {
    train(TrainRequest {
        project,
        model: &ModelName::new(model).unwrap(),
        history,
        seed: project.seed,
        threads,
        now: Timestamp(now * DAY),
        champion: None,
        progress: &Silent,
    })
}

fn row(at: i64, known: i64, values: &[(&'static str, &str)]) -> MemoryRow {
    let values = values.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    MemoryRow { at: at * DAY, known: known * DAY, values }
}

/// Deals whose chance to be won rises with their fit, and which take up to 60 days; every tenth stays open.
fn deals(count: usize) -> MemoryHistory {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (mut opened, mut closed, mut numbers) = (Vec::new(), Vec::new(), HashMap::new());
    for i in 0..count {
        let id = format!("d{i}");
        let start = i as i64 / 2;
        let fit: f64 = rng.random_range(-2.0..2.0);
        let won = rng.random::<f64>() < 1.0 / (1.0 + (-1.5 * fit).exp());
        opened.push(row(start, start, &[("deal_id", &id)]));
        if i % 10 != 0 {
            let end = start + rng.random_range(1..60);
            let outcome = if won { "won" } else { "lost" };
            closed.push(row(end, end + 2, &[("deal_id", &id), ("outcome", outcome)]));
        }
        numbers.insert(format!("{id}/deal.fit"), fit);
        numbers.insert(format!("{id}/deal.amount"), rng.random_range(100.0..10_000.0));
    }
    let feature = |history: &MemoryHistory, key: &str, _: Timestamp, name: &str| {
        history.numbers.get(&format!("{key}/{name}")).copied()
    };
    MemoryHistory { rows: [("opened", opened), ("closed", closed)].into(), feature, numbers }
}

fn digest(artifact: &Artifact) -> String {
    Artifact::verify(&artifact.to_bytes().unwrap()).unwrap().to_string()
}

#[test]
fn a_win_model_learns_what_decides_a_deal_and_says_what_it_learnt_from() {
    let (project, history) = (project(SALES), deals(1200));
    let trained = run(&project, "win", &history, 2000, 2).unwrap();
    let auc = trained.metrics.value("auc").unwrap();
    assert!(auc > 0.78, "{auc}");
    assert!(trained.gate.passed, "{:?}", trained.gate);
    let window = &trained.window;
    assert!(window.rows > 1500 && window.holdout_rows > 300 && window.holdout_from > window.from);
    let model = ScoringModel::load(&trained.artifact).unwrap();
    let at = |fit: f64| {
        let values = [Value::Float(500.0), Value::Float(fit)];
        model.score(&values, Timestamp(0), 2, &mut Scratch::default()).unwrap()
    };
    assert!(at(1.5).output > 0.75 && at(-1.5).output < 0.25, "{} {}", at(1.5).output, at(-1.5).output);
    assert_eq!(at(1.5).reasons()[0].feature, "deal.fit");
    let page = trained.report_html.unwrap();
    assert!(page.contains("deal.fit"));
}

#[test]
fn a_win_model_knows_when_deals_end_and_agrees_with_its_own_probability() {
    let (project, mut history) = (project(SALES), deals(1200));
    // Deals worth more take longer: twenty days, and as many more as the amount has hundreds.
    let amount = |id: &str| history.numbers[&format!("{id}/deal.amount")];
    let slow: HashMap<String, i64> = history.rows["opened"]
        .iter()
        .map(|row| row.values[0].1.clone())
        .map(|id| (id.clone(), if amount(&id) > 5_000.0 { 40 } else { 5 }))
        .collect();
    let opened: HashMap<String, i64> =
        history.rows["opened"].iter().map(|row| (row.values[0].1.clone(), row.at)).collect();
    for row in history.rows.get_mut("closed").unwrap() {
        let id = row.values[0].1.clone();
        row.at = opened[&id] + slow[&id] * DAY + row.at % (10 * DAY);
        row.known = row.at;
    }
    let trained = run(&project, "win", &history, 2000, 2).unwrap();
    let model = ScoringModel::load(&trained.artifact).unwrap();
    let curve = |amount: f64| {
        let values = [Value::Float(amount), Value::Float(0.5)];
        let score = model.score(&values, Timestamp(0), 0, &mut Scratch::default()).unwrap();
        let curve = model.curve(&values, Timestamp(0), score.output).unwrap().unwrap();
        assert!((curve.won_by(1e6) - score.output).abs() < 1e-6);
        curve
    };
    let (quick, slow) = (curve(1_000.0), curve(9_000.0));
    assert!(quick.days_if_won(0.5) < 15.0, "{}", quick.days_if_won(0.5));
    assert!(slow.days_if_won(0.5) > 20.0, "{}", slow.days_if_won(0.5));
    assert!(quick.won_by(20.0) > 1.5 * slow.won_by(20.0), "{} {}", quick.won_by(20.0), slow.won_by(20.0));
    assert!(trained.params["timing"]["days"].as_array().is_some_and(|days| days.len() > 3));
}

#[test]
fn the_same_data_and_seed_give_the_same_artifact_whatever_the_threads() {
    let (project, history) = (project(SALES), deals(700));
    let one = run(&project, "win", &history, 2000, 1).unwrap();
    let two = run(&project, "win", &history, 2000, 2).unwrap();
    assert_eq!(digest(&one.artifact), digest(&two.artifact));
    assert_eq!(one.data_digest, two.data_digest);
    assert_eq!(one.report_html, two.report_html);
    assert_eq!(one.metrics, two.metrics);
}

#[test]
fn rows_in_another_order_give_the_same_artifact() {
    let (project, history) = (project(SALES), deals(300));
    let mut turned = deals(300);
    turned.rows.values_mut().for_each(|rows| rows.reverse());
    let (a, b) = (run(&project, "win", &history, 2000, 2), run(&project, "win", &turned, 2000, 2));
    assert_eq!(digest(&a.unwrap().artifact), digest(&b.unwrap().artifact));
}

#[test]
fn from_no_deal_to_two_hundred_there_is_always_an_honest_model() {
    let project = project(SALES);
    for count in [0, 1, 2, 3, 8, 20, 60, 200] {
        let trained = run(&project, "win", &deals(count), 2000, 2).unwrap();
        let model = ScoringModel::load(&trained.artifact).unwrap();
        let values = [Value::Float(500.0), Value::Float(0.1)];
        let p = model.score(&values, Timestamp(0), 0, &mut Scratch::default()).unwrap().output;
        assert!((0.05..=0.95).contains(&p), "{count} deals: {p}");
        assert!(count > 8 || trained.gate.chosen == "prior");
    }
}

#[test]
fn what_is_known_only_later_is_not_used() {
    let (project, history) = (project(SALES), deals(400));
    let early = run(&project, "win", &history, 100, 2).unwrap();
    // Until day 100 about 200 deals have opened, and fewer have closed and become known.
    assert!(early.window.rows < 450, "{}", early.window.rows);
    assert!(early.window.to.unwrap() <= Timestamp(100 * DAY));
}

#[test]
fn many_deals_that_all_ended_alike_are_a_mistake_in_the_definition() {
    let project = project(&SALES.replace("outcome = 'won'", "outcome = 'sold'"));
    let refused = run(&project, "win", &deals(400), 2000, 2).unwrap_err();
    assert!(matches!(refused, TrainingError::OneClass { .. }), "{refused}");
    assert!(refused.to_string().contains("outcome = 'sold'"));
}

#[test]
fn an_unknown_model_is_told_with_those_there_are() {
    let refused = run(&project(SALES), "loss", &NoHistory, 0, 1).unwrap_err();
    assert_eq!(refused.to_string(), "the project declares no model loss; it declares win");
}

/// Customers that buy every so many days; half of them stop after a while.
fn shoppers(count: usize) -> MemoryHistory {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (mut orders, mut started, mut ended) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..count {
        let id = format!("c{i}");
        let step = rng.random_range(4..25);
        let stop = if i % 2 == 0 { 400 } else { rng.random_range(60..400) };
        let mut day = rng.random_range(0..20);
        started.push(row(day, day, &[("customer_id", &id)]));
        while day < stop {
            orders.push(row(day, day, &[("customer_id", &id), ("kind", "sale")]));
            day += step;
        }
        if stop < 400 {
            let why = if i % 3 == 0 { "moved" } else { "dear" };
            ended.push(row(stop, stop, &[("customer_id", &id), ("why", why)]));
        }
        orders.push(row(390, 390, &[("customer_id", &id), ("kind", "return")]));
    }
    let feature = |history: &MemoryHistory, key: &str, as_of: Timestamp, name: &str| {
        let rows = history.rows["orders"].iter().filter(|row| row.values[0].1 == key && row.at <= as_of.0);
        match name {
            "buys.orders" => Some(rows.count() as f64),
            _ => rows.map(|row| row.at).max().map(|at| (as_of.0 - at) as f64 / DAY as f64),
        }
    };
    let rows = [("orders", orders), ("started", started), ("ended", ended)].into();
    MemoryHistory { rows, feature, numbers: HashMap::new() }
}

#[test]
fn a_churn_model_learns_from_looks_whose_horizon_is_observed() {
    let (project, history) = (project(SHOP), shoppers(200));
    let trained = run(&project, "churn", &history, 10_000, 2).unwrap();
    let latest = trained.window.to.unwrap();
    assert!(latest.after(scorehouse_features::time::Span(30 * DAY)) <= Timestamp(400 * DAY));
    assert!(trained.metrics.value("auc").unwrap() > 0.8, "{:?}", trained.metrics.value("auc"));
}

#[test]
fn a_contract_that_ends_for_another_reason_is_not_churn() {
    let (project, history) = (project(SHOP), shoppers(300));
    let trained = run(&project, "cancel", &history, 10_000, 2).unwrap();
    let positives: usize = trained.candidates[0].metrics.positives.unwrap();
    assert!(positives > 0 && trained.window.rows > 1000);
    let everyone =
        run(&self::project(&SHOP.replace("why <> 'moved'", "TRUE")), "cancel", &history, 10_000, 2);
    assert!(everyone.unwrap().candidates[0].metrics.positives.unwrap() > positives);
}
