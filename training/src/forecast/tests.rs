//! Forecasts of a made-up company whose deals come at a steady pace.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, StringBuilder};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use scorehouse_features::definition::{FeatureSet, Project};
use scorehouse_features::ids::{ColumnName, SourceName};
use scorehouse_features::time::{DAY, Span};
use scorehouse_features::value::ValueType;

use super::*;
use crate::history::{ARRIVAL, AVAILABLE_TIME, EVENT_TIME, Snapshots};
use crate::progress::Silent;
use crate::trained::TrainRequest;

const SALES: &str = r#"
[project]
name = "sales"
seed = 3
[entity.deal]
key = "deal_id"
refers_to.rep = "deal.rep_id"
[entity.rep]
key = "rep_id"
[source.opened]
event_time = "at"
columns = { deal_id = "text", rep_id = "text", at = "time", amount = "float", fit = "float" }
[source.closed]
event_time = "at"
columns = { deal_id = "text", at = "time", outcome = "text" }
[source.plans]
event_time = "at"
columns = { rep_id = "text", at = "time", quarter = "text", target = "float", committed = "float" }
[view.deal]
kind = "latest"
entity = "deal"
source = "opened"
features = ["rep_id", "amount", "fit"]
[view.plan]
kind = "latest"
entity = "rep"
source = "plans"
features = ["quarter", "target", "committed"]
[features.close]
entity = "deal"
features = ["deal.fit"]
[model.win]
pipeline = "win"
feature_set = "close"
opened = "opened"
closed = "closed"
won = "outcome = 'won'"
at = ["5d", "15d", "25d"]
candidates = ["logistic"]
[model.win.forecast]
amount = "deal.amount"
target = "rep.plan.target"
commit = "rep.plan.committed"
period = "rep.plan.quarter"
[model.plain]
pipeline = "win"
feature_set = "close"
opened = "opened"
closed = "closed"
won = "outcome = 'won'"
"#;

/// One deal of the company.
struct Made {
    rep: &'static str,
    opened: i64,
    ended: i64,
    won: bool,
    amount: f64,
    fit: f64,
}

/// The company's history, all of it known when it happened.
struct Company(HashMap<String, Made>);

/// Deals from day 0 to `days`, two a day; a deal's fit decides, and takes one to forty days.
fn company(days: i64) -> Company {
    turning(days, days)
}

/// The same, but from day `turn` on half of the deals that would be won are not.
fn turning(days: i64, turn: i64) -> Company {
    let mut rng = ChaCha8Rng::seed_from_u64(21);
    let deal = |number: i64, rng: &mut ChaCha8Rng| {
        let opened = number * DAY / 2;
        let fit: f64 = rng.random_range(-2.0..2.0);
        let won = rng.random::<f64>() < 1.0 / (1.0 + (0.5 - 1.5 * fit).exp());
        let won = won && (opened < turn * DAY || number % 2 == 0);
        let ended = opened + (rng.random_range(1.0..40.0) * DAY as f64) as i64;
        let rep = if rng.random::<f64>() < 0.7 { "anna" } else { "ben" };
        Made { rep, opened, ended, won, amount: rng.random_range(50.0..250.0), fit }
    };
    Company((0..2 * days).map(|number| (format!("d{number:05}"), deal(number, &mut rng))).collect())
}

impl Company {
    fn sorted(&self) -> Vec<(&String, &Made)> {
        let mut deals: Vec<(&String, &Made)> = self.0.iter().collect();
        deals.sort_by_key(|(id, _)| *id);
        deals
    }

    fn won(&self, from: i64, to: i64) -> f64 {
        let counts = |deal: &&Made| deal.won && (from * DAY..to * DAY).contains(&deal.ended);
        self.0.values().filter(counts).map(|deal| deal.amount).sum()
    }
}

impl History for Company {
    fn rows(&self, source: &SourceName, columns: &[ColumnName]) -> Result<RecordBatch, TrainingError> {
        let closed = source.as_str() == "closed";
        let deals = self.sorted();
        let mut arrays: Vec<(String, ArrayRef)> = Vec::new();
        for column in columns {
            let mut texts = StringBuilder::new();
            for (id, deal) in &deals {
                texts.append_value(match column.as_str() {
                    "deal_id" => id.as_str(),
                    _ if deal.won => "won",
                    _ => "lost",
                });
            }
            arrays.push((column.to_string(), Arc::new(texts.finish())));
        }
        let at = || deals.iter().map(|(_, deal)| if closed { deal.ended } else { deal.opened });
        let moments = || -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from_iter_values(at()).with_timezone("UTC"))
        };
        arrays.push((EVENT_TIME.into(), moments()));
        arrays.push((AVAILABLE_TIME.into(), moments()));
        arrays.push((ARRIVAL.into(), Arc::new(Int64Array::from_iter_values(0..deals.len() as i64))));
        RecordBatch::try_from_iter(arrays).map_err(TrainingError::history)
    }

    fn features(&self, set: &FeatureSet, snapshots: &Snapshots) -> Result<RecordBatch, TrainingError> {
        let column = |field: &scorehouse_features::definition::FeatureField| -> (String, ArrayRef) {
            let name = field.name.to_string();
            if field.value_type == ValueType::Text {
                let mut texts = StringBuilder::new();
                for key in &snapshots.keys {
                    texts.append_value(match name.as_str() {
                        "plan.quarter" => "1971-Q1",
                        _ => self.0[key.as_str()].rep,
                    });
                }
                return (name, Arc::new(texts.finish()));
            }
            let mut numbers = Float64Builder::new();
            for key in &snapshots.keys {
                numbers.append_value(match name.as_str() {
                    "deal.amount" => self.0[key.as_str()].amount,
                    "deal.fit" => self.0[key.as_str()].fit,
                    "plan.target" if key.as_str() == "anna" => 5_000.0,
                    "plan.target" => 2_000.0,
                    _ => 1_000.0,
                });
            }
            (name, Arc::new(numbers.finish()))
        };
        RecordBatch::try_from_iter(set.features.iter().map(column)).map_err(TrainingError::history)
    }
}

fn sales() -> Project {
    Project::parse(SALES, std::path::Path::new("/nowhere")).unwrap_or_else(|found| {
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        panic!("{}", found.join("\n"))
    })
}

fn learnt(project: &Project, company: &Company, now: i64) -> Artifact {
    let request = TrainRequest {
        project,
        model: &ModelName::new("win").unwrap(),
        history: company,
        seed: 1,
        threads: 1,
        now: Timestamp(now * DAY),
        champion: None,
        progress: &Silent,
    };
    crate::train(request).unwrap().artifact
}

/// The forecast for a period from and to these days, asked for on a day.
fn told(
    (project, company, artifact): (&Project, &Company, &Artifact),
    as_of: i64,
    period: Period,
    (by, seen): (Option<&str>, &(dyn Fn(&EntityKey) -> bool + Sync)),
) -> Result<Forecast, TrainingError> {
    let by: Option<FeatureName> = by.map(|name| name.parse().unwrap());
    forecast(&ForecastRequest {
        project,
        model: &ModelName::new("win").unwrap(),
        artifact,
        history: company,
        as_of: Timestamp(as_of * DAY),
        period: &period,
        by: by.as_ref(),
        seen,
        seed: 5,
        progress: &Silent,
    })
}

fn between(from: i64, to: i64) -> Period {
    Period::between(Timestamp(from * DAY), Timestamp(to * DAY)).unwrap()
}

#[test]
fn a_forecast_adds_up_what_is_won_what_is_open_and_what_is_yet_to_come() {
    let (project, company) = (sales(), company(600));
    let artifact = learnt(&project, &company, 400);
    let parts = (&project, &company, &artifact);
    let all: &(dyn Fn(&EntityKey) -> bool + Sync) = &|_| true;
    let told_by = |by: Option<&str>| told(parts, 400, between(380, 440), (by, all)).unwrap();
    let whole = told_by(None);
    let line = &whole.total;
    assert!((line.won - company.won(380, 400)).abs() < 1e-6, "{} is won already", line.won);
    assert!((line.mean - line.won - line.from_open - line.from_new).abs() < 1e-6, "{line:?}");
    assert!(line.won < line.p10 && line.p10 < line.p50 && line.p50 < line.p90);
    let came = company.won(380, 440);
    assert!((line.p10 * 0.8..line.p90 * 1.2).contains(&came), "{came} came, {line:?}");
    assert_eq!(whole, told_by(None), "the same request gives the same answer");
    let groups = told_by(Some("deal.rep_id"));
    let names: Vec<&str> = groups.groups.iter().filter_map(|line| line.group.as_deref()).collect();
    assert_eq!(names, ["anna", "ben"], "the greatest first");
    let sum: f64 = groups.groups.iter().map(|line| line.mean).sum();
    assert!((sum - groups.total.mean).abs() < 1e-6);
    let ben = |key: &EntityKey| company.0[key.as_str()].rep == "ben";
    let own = told(parts, 400, between(380, 440), (None, &ben)).unwrap();
    assert_eq!(own.total.won, groups.groups[1].won, "who sees only Ben's deals adds up only these");
}

#[test]
fn open_deals_are_told_by_how_those_of_late_came_out() {
    let (project, company) = (sales(), turning(900, 400));
    let artifact = learnt(&project, &company, 400);
    let all: &(dyn Fn(&EntityKey) -> bool + Sync) = &|_| true;
    let at =
        |day: i64| told((&project, &company, &artifact), day, between(day, day + 30), (None, all)).unwrap();
    let (before, after) = (at(400), at(700));
    assert!((0.85..1.15).contains(&before.level), "{}", before.level);
    assert!((0.4..0.75).contains(&after.level), "{}", after.level);
    let each = |told: &Forecast| told.total.from_open / told.total.open_amount;
    assert!((0.4..0.8).contains(&(each(&after) / each(&before))), "{after:?}");
    let came = company.won(700, 730);
    assert!((after.total.p10 * 0.9..after.total.p90 * 1.1).contains(&came), "{came} came, {after:?}");
}

#[test]
fn what_became_known_later_changes_no_forecast() {
    let (project, mut company) = (sales(), company(600));
    let artifact = learnt(&project, &company, 400);
    let all: &(dyn Fn(&EntityKey) -> bool + Sync) = &|_| true;
    let ask = |company: &Company| {
        told((&project, company, &artifact), 450, between(440, 500), (Some("deal.rep_id"), all)).unwrap()
    };
    let before = ask(&company);
    company.0.retain(|_, deal| deal.opened <= 450 * DAY);
    for deal in company.0.values_mut().filter(|deal| deal.ended > 450 * DAY) {
        (deal.won, deal.ended) = (!deal.won, deal.ended + DAY);
    }
    assert_eq!(ask(&company), before);
}

#[test]
fn a_quarter_is_held_against_the_targets_of_that_quarter_and_no_other() {
    let (project, company) = (sales(), company(440));
    let artifact = learnt(&project, &company, 380);
    let parts = (&project, &company, &artifact);
    let all: &(dyn Fn(&EntityKey) -> bool + Sync) = &|_| true;
    let quarter = Period::named("1971-Q1").unwrap();
    let by_rep = told(parts, 380, quarter.clone(), (Some("deal.rep_id"), all)).unwrap();
    assert_eq!((by_rep.total.target, by_rep.total.commit), (Some(7_000.0), Some(2_000.0)));
    assert_eq!(by_rep.groups[0].target, Some(5_000.0));
    assert!(by_rep.total.reaches_commit.unwrap() > by_rep.total.reaches_target.unwrap() - 1e-9);
    let by_quarter = told(parts, 380, quarter, (Some("rep.plan.quarter"), all)).unwrap();
    assert_eq!(by_quarter.total.target, Some(7_000.0));
    let other = told(parts, 380, between(380, 400), (None, all)).unwrap();
    assert_eq!((other.total.target, other.total.reaches_target), (None, None));
}

#[test]
fn past_forecasts_hold_what_came_about_as_often_as_they_say() {
    let (project, company) = (sales(), company(900));
    let by = ["deal.rep_id".parse().unwrap()];
    let request = BacktestRequest {
        project: &project,
        model: &ModelName::new("win").unwrap(),
        history: &company,
        now: Timestamp(900 * DAY),
        from: None,
        length: Span(30 * DAY),
        every: Span(20 * DAY),
        refit: Span(300 * DAY),
        by: &by,
        seed: 2,
        threads: 1,
        progress: &Silent,
    };
    let test = backtest(&request).unwrap();
    let Summary { forecasts, coverage, level, open, new } = test.total;
    assert!(forecasts > 25 && (0.6..=1.0).contains(&coverage), "{:?}", test.total);
    assert!([level, open, new].iter().all(|level| (0.9..1.1).contains(level)), "{:?}", test.total);
    let reps = test.groups["deal.rep_id"];
    assert!(reps.forecasts == 2 * forecasts && (0.65..0.95).contains(&reps.coverage), "{reps:?}");
}

#[test]
fn a_model_that_says_nothing_of_amounts_is_told_what_to_add() {
    let project = sales();
    let refused = specs(&project, &ModelName::new("plain").unwrap()).unwrap_err();
    assert!(refused.to_string().contains("[model.plain.forecast]"), "{refused}");
    assert!(matches!(
        specs(&project, &ModelName::new("no").unwrap()),
        Err(TrainingError::UnknownModel { .. })
    ));
}
