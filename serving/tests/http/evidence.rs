use std::fs::OpenOptions;
use std::path::PathBuf;

use scorehouse::score_log::folder;
use scorehouse::score_log::read::{LoggedScore, Range};
use scorehouse_features::definition::Overflow;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use serde_json::{Value as Json, json};

use crate::fixture::{Fixture, NOW, point, register, win_artifact};
use crate::kept::{logged, replay};

const WIN: &str = "/v1/models/win/score";

fn log(fixture: &Fixture) -> PathBuf {
    folder(&fixture.state.project.state)
}

#[tokio::test]
async fn rows_scored_together_are_kept_like_rows_scored_alone() {
    let fixture = Fixture::new();
    let row = json!({"key": "D-2", "features": {"request.discount": 0.5}});
    fixture.post(WIN, json!({"entity": row})).await;
    fixture.post(WIN, json!({"entities": vec![row; 12]})).await;
    fixture.state.score_log.flush().unwrap();
    let rows = logged(&fixture, "win");
    assert_eq!(rows.len(), 13);
    let told = |row: &LoggedScore| format!("{:?} {:?} {:?}", row.given, row.inputs, row.raw.to_bits());
    assert!(rows.iter().all(|row| told(row) == told(&rows[0])), "{rows:?}");
    let report = replay(&fixture);
    assert_eq!((report.rows, report.same), (13, 13), "{report:?}");
}

fn entries(folder: PathBuf) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn every_score_is_kept_with_its_inputs_and_the_very_bits_of_its_answer() {
    let fixture = Fixture::new();
    let body =
        json!({"entities": ["D-1", {"key": "D-2", "features": {"request.discount": 0.5}}], "reasons": 2});
    let answer = fixture.post(WIN, body).await.json();
    fixture.post("/v2/models/win/infer", json!({"parameters": {"entity_key": "D-4"}})).await;
    fixture.state.score_log.flush().unwrap();
    let rows = logged(&fixture, "win");
    let keys: Vec<_> = rows.iter().map(|row| row.head.key.as_deref().unwrap()).collect();
    assert_eq!(keys, ["D-1", "D-2", "D-4"]);
    for (row, shown) in rows.iter().zip(answer["scores"].as_array().unwrap()) {
        assert_eq!(row.raw.to_bits(), shown["raw"].as_f64().unwrap().to_bits());
        assert_eq!(row.output.to_bits(), shown["probability"].as_f64().unwrap().to_bits());
        assert_eq!((row.head.at, row.head.version, row.stored), (Timestamp::parse(NOW).unwrap(), 1, true));
    }
    assert_eq!(rows[0].inputs[0], ("deal.amount".into(), Value::Float(1000.0)));
    assert_eq!(rows[0].inputs[3], ("account.orders.lines_30d".into(), Value::Int(1)));
    assert_eq!(rows[0].given, None);
    assert_eq!(rows[1].given.as_deref(), Some(r#"{"request.discount":0.5}"#));
    assert!(rows[2].inputs[2].1.is_missing(), "a deal without an account has no revenue: {:?}", rows[2]);
}

#[tokio::test]
async fn a_closed_log_is_parquet_and_a_torn_segment_gives_what_was_whole() {
    let fixture = Fixture::new();
    for _ in 0..2 {
        fixture.post(WIN, json!({"entity": "D-1"})).await;
        fixture.state.score_log.flush().unwrap();
    }
    let segments = entries(log(&fixture).join("open"));
    assert_eq!(segments.len(), 1);
    let file = OpenOptions::new().write(true).open(&segments[0]).unwrap();
    file.set_len(file.metadata().unwrap().len() - 10).unwrap();
    assert_eq!(logged(&fixture, "win").len(), 1, "the second batch is torn, the first is not");
    fixture.state.score_log.close();
    assert_eq!(entries(log(&fixture).join("open")), Vec::<PathBuf>::new());
    let days = entries(log(&fixture).join("win"));
    assert_eq!(days.len(), 1);
    assert!(days[0].ends_with("2024-03-31"), "{days:?}");
    assert_eq!(logged(&fixture, "win").len(), 1);
}

#[tokio::test]
async fn a_log_without_room_drops_and_counts_or_holds_requests_back_as_declared() {
    let drops = Fixture::changed(|project| {
        project.score_log.memory = 0;
        project.score_log.overflow = Overflow::Drop;
    });
    assert_eq!(drops.post(WIN, json!({"entities": ["D-1", "D-2", "D-4"]})).await.status, 200);
    let text = String::from_utf8(drops.get("/metrics").await.bytes.to_vec()).unwrap();
    assert!(text.contains(r#"scorehouse_score_log_rows_total{result="dropped"} 3"#), "{text}");
    let waits = Fixture::changed(|project| project.score_log.memory = 0);
    assert_eq!(waits.post(WIN, json!({"entity": "D-1"})).await.refusal(), (429, "overloaded".into()));
    let off = Fixture::changed(|project| project.score_log.enabled = false);
    assert_eq!(off.post(WIN, json!({"entity": "D-1"})).await.status, 200);
    assert!(!log(&off).exists());
}

#[tokio::test]
async fn recommendations_are_kept_with_what_was_asked() {
    let fixture = Fixture::new();
    let body = json!({"customer": "A-1", "basket": ["P-1"], "n": 2, "request": {"country": "GB"}});
    let answer = fixture.post("/v1/models/upsell/recommend", body).await.json();
    fixture.state.score_log.close();
    let mut seen = Vec::new();
    scorehouse::score_log::read::batches(&log(&fixture), "upsell", Range::ALL, &mut |batch| {
        seen.push(batch.clone());
        Ok(())
    })
    .unwrap();
    let shown = arrow_cast::pretty::pretty_format_batches(&seen).unwrap().to_string();
    for part in
        ["A-1", r#""basket":["P-1"]"#, r#""country":"GB""#, answer["items"][0]["item"].as_str().unwrap()]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[tokio::test]
async fn a_replay_gives_every_served_score_again_to_the_last_bit() {
    let fixture = Fixture::new();
    let rows = json!({"entities": [
        "D-1", "D-2", "D-4",
        {"key": "D-1", "as_of": "2024-03-15"},
        {"key": "D-1", "features": {"request.discount": 0.125}},
        {"key": "D-1", "features": {"deal.amount": 77.5, "request.discount": 0.1}},
        {"features": {"deal.amount": 3}},
    ]});
    assert_eq!(fixture.post(WIN, rows).await.status, 200);
    let plain = json!({"inputs": [{"deal.amount": 0.1, "account.orders.lines_30d": 2}, {}]});
    assert_eq!(fixture.post(WIN, plain).await.status, 200);
    let second = register(fixture.registry.as_ref(), "win", &win_artifact(&fixture.state.project, 0.5));
    point(fixture.registry.as_ref(), "win", "champion", second);
    fixture.state.live.refresh().unwrap();
    assert_eq!(fixture.post(WIN, json!({"entity": "D-2"})).await.json()["version"], 2);
    let report = replay(&fixture);
    assert_eq!((report.rows, report.same, report.different), (10, 10, 0), "{report:?}");
    assert!(report.skipped.is_empty() && report.features.is_empty(), "{report:?}");
}

#[tokio::test]
async fn a_replay_names_the_features_that_came_out_otherwise() {
    let fixture = Fixture::new();
    fixture.post(WIN, json!({"entities": ["D-1", "D-2"]})).await;
    fixture.state.score_log.flush().unwrap();
    // A row that comes in afterwards and says that it was known before.
    let late =
        json!({"account_id": "A-1", "product_id": "P-9", "quantity": 1, "amount": 8.0, "at": "2024-03-30"});
    assert_eq!(fixture.post("/v1/events/orders", late).await.status, 200);
    let report = replay(&fixture);
    assert_eq!((report.rows, report.same, report.different), (2, 1, 1), "{report:?}");
    let names: Vec<_> = report.features.iter().map(|skew| (skew.feature.as_str(), skew.rows)).collect();
    assert_eq!(names, [("account.orders.lines_30d", 1), ("account.orders.revenue", 1)]);
    let example = &report.features[1].examples[0];
    assert_eq!(
        (example.key.as_deref(), &example.served, &example.now),
        (Some("D-1"), &json!(100.0), &json!(108.0))
    );
    assert!((report.scores[0].largest - difference()).abs() < 1e-12, "{report:?}");
    let as_json: Json = serde_json::to_value(&report).unwrap();
    assert_eq!(as_json["different"], 1);
}

#[tokio::test]
async fn a_replay_gives_every_list_again_for_customers_baskets_and_strangers() {
    let fixture = Fixture::new();
    for body in [
        json!({"customer": "A-1", "basket": ["P-1"], "n": 3, "request": {"country": "FR"}}),
        json!({"customer": "A-2", "as_of": "2024-03-20"}),
        json!({"customer": "nobody"}),
        json!({"basket": ["P-1", "P-9"]}),
        json!({}),
    ] {
        assert_eq!(fixture.post("/v1/models/upsell/recommend", body).await.status, 200);
    }
    let tensor = json!({"name": "customer", "datatype": "BYTES", "shape": [2], "data": ["A-1", "A-2"]});
    let answer = fixture.post("/v2/models/upsell/infer", json!({ "inputs": [tensor] })).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    fixture.state.score_log.flush().unwrap();
    let report = replay(&fixture);
    assert_eq!((report.rows, report.same, report.different), (7, 7, 0), "{report:?}");
    assert!(report.skipped.is_empty(), "{report:?}");
}

/// Leans to what lies in stock, and to products of different countries.
const ARRANGED: &str = "[model.upsell.margin]\nvalue = \"product.product.stock\"\nweight = 0.7\n\
                        [model.upsell.diversity]\nby = \"product.product.country\"\nweight = 0.4\n";

#[tokio::test]
async fn a_replay_arranges_every_list_again_and_names_what_moved_it() {
    let fixture = Fixture::declaring(ARRANGED);
    for body in [json!({"customer": "A-1", "n": 3}), json!({"n": 2}), json!({"basket": ["P-1"]})] {
        assert_eq!(fixture.post("/v1/models/upsell/recommend", body).await.status, 200);
    }
    fixture.state.score_log.flush().unwrap();
    let report = replay(&fixture);
    assert_eq!((report.rows, report.same, report.different), (3, 3, 0), "{report:?}");
    // More of P-3 than was known when the lists were made.
    let more = json!({"product_id": "P-3", "stock": 900, "country": "GB", "at": "2024-03-30"});
    assert_eq!(fixture.post("/v1/events/catalogue", more).await.status, 200);
    let report = replay(&fixture);
    assert_eq!((report.rows, report.same), (3, 0), "{report:?}");
    assert!(report.features.iter().any(|skew| skew.feature == "arranged"), "{report:?}");
}

#[tokio::test]
async fn a_list_that_comes_out_otherwise_is_told_with_its_cause() {
    let fixture = Fixture::new();
    let body = json!({"customer": "A-1", "basket": ["P-1"], "n": 2});
    let served = fixture.post("/v1/models/upsell/recommend", body).await.json();
    fixture.state.score_log.flush().unwrap();
    let first = served["items"][0]["item"].as_str().unwrap();
    // Rows that come in afterwards and say that they were known before: it was sold out, and bought again.
    let gone = json!({"product_id": first, "stock": 0, "country": "GB", "at": "2024-03-30"});
    assert_eq!(fixture.post("/v1/events/catalogue", gone).await.status, 200);
    let late =
        json!({"account_id": "A-1", "product_id": "P-3", "quantity": 1, "amount": 8.0, "at": "2024-03-30"});
    assert_eq!(fixture.post("/v1/events/orders", late).await.status, 200);
    let report = replay(&fixture);
    assert_eq!((report.rows, report.different), (1, 1), "{report:?}");
    let told = |what: &str| {
        let found = report.features.iter().find(|skew| skew.feature == what);
        found.map(|skew| (skew.examples[0].served.clone(), skew.examples[0].now.clone()))
    };
    let (before, now) = told("past").unwrap();
    assert_eq!((&before["rows"], &now["rows"]), (&json!(2), &json!(3)));
    let (before, now) = told("items").unwrap();
    assert!(before.to_string().contains(first) && !now.to_string().contains(first), "{before} {now}");
    assert!(told("kept back by in_stock").is_some(), "{report:?}");
    assert_eq!((told("rules"), told("kept back by sold_here")), (None, None), "{report:?}");
}

#[tokio::test]
async fn a_customer_that_the_caller_may_not_see_is_replayed_as_the_stranger_it_was_answered_as() {
    let fixture = Fixture::closed("[access.role.storefront]\nentities = { product = true }\n");
    let shop = fixture.key("shop", scorehouse::access::Role::Storefront);
    let body = json!({"customer": "A-1", "n": 3});
    let answer = fixture.ask(&shop, "POST", "/v1/models/upsell/recommend", Some(body)).await;
    assert_eq!(answer.json()["known"], json!(false));
    fixture.state.score_log.flush().unwrap();
    let report = replay(&fixture);
    assert_eq!((report.rows, report.same), (1, 1), "{report:?}");
}

/// What eight more in revenue and one more line do to the answer for D-1: log-odds 4 become 5.08.
fn difference() -> f64 {
    crate::fixture::sigmoid(5.08) - crate::fixture::sigmoid(4.0)
}
