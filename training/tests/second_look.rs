//! The second look of a recommender: adopted where what is known of products tells what is bought, and never from what
//! came later.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::sync::{Arc, Mutex};

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use scorehouse_features::definition::{FeatureSet, Project};
use scorehouse_features::ids::{ColumnName, ModelName, SourceName};
use scorehouse_features::time::{DAY, Timestamp};
use scorehouse_models::Artifact;
use scorehouse_models::predictor::Predictor;
use scorehouse_models::predictor::recommender::Recommender;
use scorehouse_training::{History, Silent, Snapshots, TrainRequest, Trained, TrainingError, train};

const ROWS: i64 = 8_000;
const CUSTOMERS: usize = 400;
const PRODUCTS: usize = 60;
const NOW: Timestamp = Timestamp(500 * DAY);
/// Row from which offers draw; the rows held back begin later.
const OFFERED: i64 = 7_195;

/// As good as random, and the same every time.
fn draw(seed: usize, below: usize) -> usize {
    let mut x = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bf0_3635;
    x = (x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((x ^ (x >> 32)) % below as u64) as usize
}

fn time_of(row: i64) -> Timestamp {
    Timestamp(row * (400 * DAY / ROWS))
}

/// Customers buy of their own kind; once there are `offers`, most of them buy one of those.
fn bought(row: i64, offers: bool) -> (usize, usize) {
    let at = row as usize;
    let customer = draw(at * 3, CUSTOMERS);
    if offers && row >= OFFERED && draw(at * 3 + 1, 10) < 7 {
        return (customer, draw(at * 3 + 2, PRODUCTS / 6) * 6);
    }
    (customer, customer % 4 + draw(at * 3 + 2, PRODUCTS / 4) * 4)
}

/// Orders and facts; keeps the moments that facts were asked of.
#[derive(Default)]
struct Shop {
    asked: Mutex<Vec<Timestamp>>,
    /// True when there are no offers, and what is said of products tells nothing.
    mute: bool,
}

impl History for Shop {
    fn rows(&self, _source: &SourceName, columns: &[ColumnName]) -> Result<RecordBatch, TrainingError> {
        let column = |name: &str| -> ArrayRef {
            match name {
                "customer" => Arc::new(StringArray::from_iter_values(
                    (0..ROWS).map(|row| format!("c{}", bought(row, !self.mute).0)),
                )),
                "code" => Arc::new(StringArray::from_iter_values(
                    (0..ROWS).map(|row| format!("p{}", bought(row, !self.mute).1)),
                )),
                other => panic!("column {other} was not needed"),
            }
        };
        let times = || {
            let times = TimestampMicrosecondArray::from_iter_values((0..ROWS).map(|row| time_of(row).0));
            Arc::new(times.with_timezone("UTC")) as ArrayRef
        };
        let mut fields: Vec<(&str, ArrayRef)> =
            columns.iter().map(|name| (name.as_str(), column(name.as_str()))).collect();
        fields.push(("__event_time", times()));
        fields.push(("__available_time", times()));
        fields.push(("__arrival", Arc::new(Int64Array::from_iter_values(0..ROWS))));
        RecordBatch::try_from_iter(fields).map_err(TrainingError::history)
    }

    fn features(&self, set: &FeatureSet, snapshots: &Snapshots) -> Result<RecordBatch, TrainingError> {
        self.asked.lock().unwrap().extend(&snapshots.as_of);
        let number = |key: &str| key[1..].parse::<usize>().unwrap();
        let column = |name: &str| -> ArrayRef {
            let rows = snapshots.keys.iter().zip(&snapshots.as_of);
            match name {
                "offer.on" => Arc::new(BooleanArray::from_iter(rows.map(|(key, as_of)| {
                    let on = number(key.as_str()) % 6 == 0 && *as_of >= time_of(OFFERED);
                    Some(if self.mute { draw(number(key.as_str()), 2) == 0 } else { on })
                }))),
                "offer.price" => Arc::new(Float64Array::from_iter(rows.map(|(key, _)| {
                    (number(key.as_str()) % 7 != 3).then(|| draw(number(key.as_str()), 1000) as f64)
                }))),
                "person.region" => Arc::new(StringArray::from_iter(
                    rows.map(|(key, _)| Some(format!("region {}", draw(number(key.as_str()), 3)))),
                )),
                other => panic!("feature {other} was not declared"),
            }
        };
        let fields = set.features.iter().map(|field| field.name.to_string());
        let fields: Vec<(String, ArrayRef)> = fields.map(|name| (name.clone(), column(&name))).collect();
        RecordBatch::try_from_iter(fields).map_err(TrainingError::history)
    }
}

const SHOP: &str = r#"
[project]
name = "shop"
[entity.customer]
key = "customer"
[entity.product]
key = "code"
[source.orders]
event_time = "at"
columns = { at = "time", customer = "text", code = "text" }
[source.offers]
event_time = "at"
columns = { at = "time", code = "text", on = "bool", price = "float" }
[source.people]
event_time = "at"
columns = { at = "time", customer = "text", region = "text" }
[view.offer]
entity = "product"
kind = "latest"
source = "offers"
features = ["on", "price"]
[view.person]
entity = "customer"
kind = "latest"
source = "people"
features = ["region"]
[model.next]
pipeline = "upsell"
source = "orders"
user_entity = "customer"
item_entity = "product"
"#;
const RERANK: &str = "rerank = [\"product.offer.*\", \"customer.person.*\"]\n";

fn trained(shop: &Shop, more: &str, threads: usize) -> (Project, Trained) {
    let folder = tempfile::tempdir().unwrap();
    let project =
        Project::parse(&format!("{SHOP}{more}"), folder.path()).unwrap_or_else(|found| panic!("{found:?}"));
    let model = ModelName::new("next").unwrap();
    let trained = train(TrainRequest {
        project: &project,
        model: &model,
        history: shop,
        seed: 7,
        threads,
        now: NOW,
        champion: None,
        progress: &Silent,
    });
    (project.clone(), trained.unwrap())
}

fn recommender(artifact: &Artifact) -> &Recommender {
    match &artifact.predictor {
        Predictor::Recommender(recommender) => recommender,
        other => panic!("a {} model", other.kind()),
    }
}

fn check(trained: &Trained) -> (bool, &str) {
    let check = trained.gate.checks.iter().find(|check| check.name.contains("second look")).unwrap();
    assert!(!check.decisive);
    (check.passed, &check.detail)
}

#[test]
fn facts_that_tell_what_is_bought_reorder_the_lists_of_users_not_learnt_from() {
    let shop = Shop::default();
    let (_, trained) = trained(&shop, RERANK, 2);
    let (adopted, detail) = check(&trained);
    assert!(adopted && trained.gate.passed, "{detail}");
    let figure = |name: &str| {
        let result = trained.candidates.iter().find(|result| result.name == name).unwrap();
        result.metrics.value("ndcg@20").unwrap()
    };
    assert!(figure("second_look") > 1.03 * figure("blend"), "{:?}", trained.candidates);
    assert!(trained.candidates[0].chosen && trained.candidates[0].name == "second_look");
    assert_eq!(trained.metrics.value("ndcg@20"), Some(figure("second_look")));
    let reranker = recommender(&trained.artifact).parts().reranker.clone().unwrap();
    assert_eq!((reranker.product.features.len(), reranker.customer.features.len()), (2, 1));
    let read_back = Artifact::from_bytes(&trained.artifact.to_bytes().unwrap()).unwrap();
    assert_eq!(recommender(&read_back).parts().reranker.as_ref(), Some(&reranker));
}

#[test]
fn facts_are_read_before_anything_that_was_held_back() {
    let shop = Shop::default();
    let (_, trained) = trained(&shop, RERANK, 2);
    let held_from = trained.window.holdout_from.unwrap();
    let asked = shop.asked.lock().unwrap();
    assert!(!asked.is_empty());
    assert!(asked.iter().all(|as_of| *as_of < held_from), "{held_from}");
    assert!(held_from > time_of(OFFERED), "offers had begun before");
}

#[test]
fn facts_that_tell_nothing_are_left_out_and_the_gate_says_so() {
    let mute = || Shop { mute: true, ..Shop::default() };
    let (_, with) = trained(&mute(), RERANK, 2);
    let (_, without) = trained(&mute(), "", 2);
    let parts = |trained: &Trained| recommender(&trained.artifact).parts().clone();
    let (adopted, detail) = check(&with);
    assert!(!adopted && detail.starts_with("left out"), "{detail}");
    assert_eq!(parts(&with), parts(&without));
    assert_eq!(with.metrics, without.metrics);
    assert!(with.gate.passed && without.gate.checks.len() == 1);
}

#[test]
fn the_number_of_threads_changes_no_byte_of_a_second_look() {
    let bytes = |threads| trained(&Shop::default(), RERANK, threads).1.artifact.to_bytes().unwrap();
    assert!(bytes(1) == bytes(3));
}
