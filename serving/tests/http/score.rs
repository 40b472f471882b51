use serde_json::{Value as Json, json};

use crate::fixture::{Fixture, sigmoid};

const WIN: &str = "/v1/models/win/score";

fn raw(answer: &Json, row: usize) -> f64 {
    answer["scores"][row]["raw"].as_f64().unwrap_or_else(|| panic!("{answer}"))
}

fn near(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-9
}

#[tokio::test]
async fn a_score_reads_its_features_from_the_store_across_a_reference() {
    let answer = Fixture::new().post(WIN, json!({"entity": "D-1"})).await;
    assert_eq!(answer.status, 200);
    let json = answer.json();
    // amount 1000, net 1000, the account's revenue 100, one order line in 30 days.
    let expected = 1.0 + 1.0 + 1.0 + 1.0;
    assert!(near(raw(&json, 0), expected), "{json}");
    assert!(near(json["scores"][0]["probability"].as_f64().unwrap(), sigmoid(expected)));
    assert_eq!(
        (&json["model"], &json["version"], &json["alias"]),
        (&json!("win"), &json!(1), &json!("champion"))
    );
    assert_eq!(json["scores"][0]["key"], "D-1");
}

#[tokio::test]
async fn what_the_request_gives_takes_the_place_of_what_is_stored_and_of_what_follows_from_it() {
    let fixture = Fixture::new();
    let body = json!({"entities": [
        {"key": "D-1", "features": {"deal.amount": 2000, "request.discount": 0.5}},
        {"key": "D-1", "features": {"account.orders.revenue": null}},
        "D-1",
    ]});
    let json = fixture.post(WIN, body).await.json();
    assert!(near(raw(&json, 0), 2.0 + 1.0 + 1.0 + 1.0), "{json}");
    assert!(near(raw(&json, 1), 1.0 + 1.0 + 0.0 + 1.0), "null is missing, not what is stored: {json}");
    assert!(near(raw(&json, 2), 4.0), "one row's values do not reach the next: {json}");
}

#[tokio::test]
async fn values_for_all_rows_give_way_to_a_rows_own() {
    let body = json!({
        "features": {"deal.amount": 0},
        "entities": ["D-1", {"key": "D-1", "features": {"deal.amount": 3000}}],
    });
    let json = Fixture::new().post(WIN, body).await.json();
    assert!(near(raw(&json, 0), 2.0) && near(raw(&json, 1), 8.0), "{json}");
}

#[tokio::test]
async fn an_earlier_moment_sees_only_what_was_known_then() {
    let fixture = Fixture::new();
    let json = fixture.post(WIN, json!({"entity": "D-1", "as_of": "2024-03-15"})).await.json();
    // The order of twelve days ago has not happened yet.
    assert!(near(raw(&json, 0), 1.0 + 1.0 + 0.4 + 0.0), "{json}");
    let rows = json!({"entities": [{"key": "D-1", "as_of": "2024-03-15"}, "D-1"]});
    let json = fixture.post(WIN, rows).await.json();
    assert!(near(raw(&json, 0), 2.4) && near(raw(&json, 1), 4.0), "{json}");
}

#[tokio::test]
async fn an_entity_that_the_store_does_not_know_is_described_by_its_features_alone() {
    let body = json!({"entity": {"features": {"deal.amount": 500, "account.orders.revenue": 100}}});
    let answer = Fixture::new().post(WIN, body).await;
    assert_eq!(answer.status, 200);
    let json = answer.json();
    assert!(near(raw(&json, 0), 0.5 + 0.5 + 1.0), "{json}");
    assert!(json["scores"][0].get("key").is_none());
}

#[tokio::test]
async fn reasons_add_up_to_the_raw_score_and_speak_in_words() {
    let json = Fixture::new().post(WIN, json!({"entity": "D-1", "reasons": 2})).await.json();
    let score = &json["scores"][0];
    let reasons = score["reasons"].as_array().unwrap();
    assert_eq!(reasons.len(), 2);
    let told: f64 = reasons.iter().map(|reason| reason["contribution"].as_f64().unwrap()).sum();
    let sum = score["base"].as_f64().unwrap() + told + score["rest"].as_f64().unwrap();
    assert!(near(sum, raw(&json, 0)), "{json}");
    assert_eq!(reasons[0]["effect"], "for");
    let all = Fixture::new().post(WIN, json!({"entity": "D-1", "reasons": 100})).await.json();
    let words: Vec<_> =
        all["scores"][0]["reasons"].as_array().unwrap().iter().map(|r| r["words"].clone()).collect();
    assert!(words.iter().any(|w| w.as_str().unwrap().starts_with("the deal is worth")), "{words:?}");
}

#[tokio::test]
async fn a_large_batch_scores_every_row_as_it_would_alone_and_in_order() {
    let fixture = Fixture::new();
    let keys: Vec<&str> = ["D-1", "D-2", "D-3", "D-4"].into_iter().cycle().take(3000).collect();
    let alone: Vec<f64> = {
        let json = fixture.post(WIN, json!({"entities": ["D-1", "D-2", "D-3", "D-4"]})).await.json();
        (0..4).map(|row| raw(&json, row)).collect()
    };
    let json = fixture.post(WIN, json!({"entities": keys})).await.json();
    assert_eq!(json["scores"].as_array().unwrap().len(), 3000);
    for row in 0..3000 {
        assert_eq!(raw(&json, row).to_bits(), alone[row % 4].to_bits(), "row {row}");
    }
}

#[tokio::test]
async fn with_partial_a_row_that_cannot_be_scored_carries_its_own_error() {
    let fixture = Fixture::new();
    let body = json!({"entities": ["D-1", "D-99", "D-2"], "partial": true});
    let json = fixture.post(WIN, body).await.json();
    assert_eq!(json["scores"][1]["error"]["code"], "unknown_key");
    assert!(json["scores"][0]["raw"].is_f64() && json["scores"][2]["raw"].is_f64());
    let whole = fixture.post(WIN, json!({"entities": ["D-1", "D-99"]})).await;
    assert_eq!(whole.refusal(), (404, "unknown_key".into()));
}

/// Rows of every kind, as many as are scored together.
fn mixed_rows() -> Vec<Json> {
    let kinds = [
        json!("D-1"),
        json!({"key": "D-2", "features": {"deal.amount": 2000, "request.discount": 0.5}}),
        json!({"key": "D-1", "as_of": "2024-03-15"}),
        json!({"features": {"deal.amount": 500, "account.orders.revenue": 100}}),
        json!({"key": "D-4", "features": {"account.orders.revenue": null}}),
        json!("D-3"),
    ];
    kinds.into_iter().cycle().take(40).collect()
}

#[tokio::test]
async fn rows_scored_together_are_answered_as_they_are_alone() {
    let fixture = Fixture::new();
    let rows = mixed_rows();
    let together = fixture.post(WIN, json!({"entities": rows})).await.json();
    for (at, row) in rows.iter().enumerate() {
        let alone = fixture.post(WIN, json!({"entity": row})).await.json();
        assert_eq!(together["scores"][at], alone["scores"][0], "row {at}");
    }
}

#[tokio::test]
async fn one_bad_row_among_many_is_refused_alone_or_refuses_all_as_it_would_by_itself() {
    let fixture = Fixture::new();
    for bad in [
        json!("D-99"),
        json!({"key": "D-1", "features": {"deal.amount": "much"}}),
        json!({"key": "D-1", "as_of": "9999-01-01"}),
    ] {
        let mut rows = mixed_rows();
        rows[17] = bad.clone();
        let alone = fixture.post(WIN, json!({"entity": bad})).await.refusal();
        assert_eq!(fixture.post(WIN, json!({"entities": rows})).await.refusal(), alone);
        let json = fixture.post(WIN, json!({"entities": rows, "partial": true})).await.json();
        assert_eq!(json["scores"][17]["error"]["code"], alone.1.as_str());
        let scored = json["scores"].as_array().unwrap().iter().filter(|row| row["raw"].is_f64()).count();
        assert_eq!(scored, 39, "{json}");
    }
}

#[tokio::test]
async fn plain_rows_scored_together_are_those_scored_alone() {
    let fixture = Fixture::new();
    let rows: Vec<Json> =
        (0..20).map(|n| json!({"deal.amount": n * 100, "account.orders.lines_30d": n % 3})).collect();
    let together = fixture.post(WIN, json!({"inputs": rows})).await.json();
    for (at, row) in rows.iter().enumerate() {
        let alone = fixture.post(WIN, json!({"inputs": [row]})).await.json();
        assert_eq!(together["scores"][at], alone["scores"][0], "row {at}");
    }
}

#[tokio::test]
async fn plain_rows_are_scored_by_input_name_without_the_store() {
    let body = json!({"inputs": [{"deal.amount": 1000, "account.orders.lines_30d": 2}, {}]});
    let json = Fixture::new().post(WIN, body).await.json();
    assert!(near(raw(&json, 0), 3.0) && near(raw(&json, 1), 0.0), "{json}");
}

#[tokio::test]
async fn the_same_request_gives_the_same_bytes() {
    let fixture = Fixture::new();
    let body = json!({"entities": ["D-1", "D-2"], "reasons": 3});
    let first = fixture.post(WIN, body.clone()).await;
    let second = fixture.post(WIN, body).await;
    assert_eq!(first.bytes, second.bytes);
}

#[tokio::test]
async fn scores_are_counted_by_model() {
    let fixture = Fixture::new();
    fixture.post(WIN, json!({"entities": ["D-1", "D-2", "D-3"]})).await;
    let text = String::from_utf8(fixture.get("/metrics").await.bytes.to_vec()).unwrap();
    assert!(text.contains(r#"scorehouse_scores_total{model="win"} 3"#), "{text}");
}

#[tokio::test]
async fn a_deals_likely_end_stands_beside_its_score_and_tends_to_it() {
    let fixture = Fixture::new();
    let body = json!({"entity": "D-1", "timing": {"dates": ["2024-05-01", "2099-01-01"]}});
    let json = fixture.post(WIN, body).await.json();
    let score = &json["scores"][0];
    let by = |at: usize| score["timing"]["won_by"][at]["probability"].as_f64().unwrap();
    assert!(by(0) < by(1) && near(by(1), score["probability"].as_f64().unwrap()), "{json}");
    let close = |name: &str| score["timing"][name].as_str().unwrap().to_owned();
    assert!(close("earliest_close") < close("likely_close") && close("likely_close") < close("latest_close"));
    let json = fixture.post(WIN, json!({"entity": "D-1", "timing": true})).await.json();
    assert_eq!(json["scores"][0]["timing"]["won_by"].as_array().unwrap().len(), 3);
    let plain = fixture.post(WIN, json!({"entity": "D-1", "timing": false})).await.json();
    assert!(plain["scores"][0].get("timing").is_none());
}

#[tokio::test]
async fn dates_that_are_none_and_models_without_time_are_refused() {
    let fixture = Fixture::new();
    let refused = fixture.post(WIN, json!({"entity": "D-1", "timing": {"dates": ["soon"]}})).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["error"]["code"]), (400, &json!("wrong_type")));
    let refused = fixture.post(WIN, json!({"entity": "D-1", "timing": "soon"})).await;
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("`dates`"), "{}", refused.json());
}

#[tokio::test]
async fn a_customer_who_may_leave_carries_what_is_at_stake() {
    let churn = "[features.health]\nentity = \"deal\"\nfeatures = [\"deal.amount\", \"deal_facts.net\", \"account.orders.revenue\", \"account.orders.lines_30d\"]\n\
                 [model.lapse]\npipeline = \"churn\"\nfeature_set = \"health\"\nactivity = \"deal_opened\"\nmargin = \"0.5 * deal.amount\"\n";
    let fixture = Fixture::declaring(churn);
    let mut artifact = crate::fixture::win_artifact(&fixture.state.project, 0.0);
    let set = &fixture.state.project.feature_sets["health"];
    artifact.signature = scorehouse_models::Signature::of_feature_set(set);
    let version = crate::fixture::register(fixture.registry.as_ref(), "lapse", &artifact);
    crate::fixture::point(fixture.registry.as_ref(), "lapse", "champion", version);
    fixture.state.live.refresh().unwrap();
    let json = fixture.post("/v1/models/lapse/score", json!({"entity": "D-1"})).await.json();
    let score = &json["scores"][0];
    assert!(
        near(score["value_at_stake"].as_f64().unwrap(), 500.0 * score["probability"].as_f64().unwrap()),
        "{json}"
    );
    let win = fixture.post(WIN, json!({"entity": "D-1"})).await.json();
    assert!(win["scores"][0].get("value_at_stake").is_none());
}
