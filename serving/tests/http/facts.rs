use serde_json::json;

use crate::fixture::Fixture;

#[tokio::test]
async fn an_entity_shows_all_its_features_and_why_one_is_missing() {
    let json = Fixture::new().get("/v1/entities/deal/D-4").await.json();
    assert_eq!(json["key"], "D-4");
    assert_eq!(json["features"]["deal.amount"], json!({"value": 50.0}));
    assert_eq!(json["features"]["deal.account_id"], json!({"value": null, "missing": "null_at_source"}));
}

#[tokio::test]
async fn an_entity_is_shown_as_it_was_known() {
    let fixture = Fixture::new();
    let now = fixture.get("/v1/entities/account/A-1").await.json();
    assert_eq!(now["features"]["orders.revenue"]["value"], 100.0);
    let then = fixture.get("/v1/entities/account/A-1?as_of=2024-03-01").await.json();
    assert_eq!(then["features"]["orders.revenue"]["value"], 40.0);
}

const ONLINE: &str = "/v1/features/online";

#[tokio::test]
async fn features_of_many_entities_are_those_that_each_shows() {
    let fixture = Fixture::new();
    let body = json!({"feature_set": "deal_close", "keys": ["D-4", "D-1"], "missing": true});
    let json = fixture.post(ONLINE, body).await.json();
    assert_eq!(json["entity"], "deal");
    assert_eq!(
        json["features"],
        json!(["deal.amount", "deal_facts.net", "account.orders.revenue", "account.orders.lines_30d"])
    );
    assert_eq!(json["rows"][0]["key"], "D-4");
    assert_eq!(json["rows"][0]["values"], json!([50.0, 50.0, null, null]));
    assert_eq!(json["rows"][0]["missing"], json!([null, null, "not_linked", "not_linked"]));
    assert_eq!(json["rows"][1]["values"], json!([1000.0, 1000.0, 100.0, 1]));
}

#[tokio::test]
async fn features_may_be_spelled_out_as_of_an_earlier_moment() {
    let fixture = Fixture::new();
    let body = |as_of: &str| json!({"entity": "account", "features": ["orders.revenue"], "keys": ["A-1"], "as_of": as_of});
    let then = fixture.post(ONLINE, body("2024-03-01")).await.json();
    assert_eq!(then["rows"], json!([{"key": "A-1", "values": [40.0]}]));
    assert_eq!(fixture.post(ONLINE, body("9999-01-01")).await.status, 400);
}

#[tokio::test]
async fn keys_that_nobody_knows_refuse_the_request_or_carry_their_own_error() {
    let fixture = Fixture::new();
    let body =
        |partial: bool| json!({"feature_set": "deal_close", "keys": ["D-1", "D-99"], "partial": partial});
    assert_eq!(fixture.post(ONLINE, body(false)).await.refusal(), (404, "unknown_key".into()));
    let json = fixture.post(ONLINE, body(true)).await.json();
    assert_eq!(json["rows"][0]["values"][0], 1000.0);
    assert_eq!(json["rows"][1]["error"]["code"], "unknown_key");
}

#[tokio::test]
async fn features_of_what_is_not_declared_are_refused_by_name() {
    let fixture = Fixture::new();
    for (body, code) in [
        (json!({"feature_set": "deal_clos", "keys": []}), "unknown_feature_set"),
        (json!({"entity": "deal", "features": ["deal.amont"], "keys": []}), "unknown_feature"),
        (json!({"feature_set": "deal_close", "entity": "deal", "keys": []}), "invalid_field"),
        (json!({"keys": ["D-1"]}), "invalid_field"),
        (json!({"entity": "deal", "features": [], "keys": ["D-1"]}), "invalid_field"),
        (json!({"entity": "deal", "features": vec!["deal.amount"; 1_001], "keys": ["D-1"]}), "too_many"),
        (
            json!({"entity": "deal", "features": vec!["deal.amount"; 500], "keys": vec!["D-1"; 2_001]}),
            "too_many",
        ),
    ] {
        assert_eq!(fixture.post(ONLINE, body.clone()).await.refusal().1, code, "{body}");
    }
    let keys: Vec<String> = (0..10_001).map(|n| format!("D-{n}")).collect();
    let many = fixture.post(ONLINE, json!({"feature_set": "deal_close", "keys": keys})).await;
    assert_eq!(many.refusal().1, "too_many");
}

#[tokio::test]
async fn keys_come_in_pages_without_gaps_or_repeats() {
    let fixture = Fixture::new();
    let (mut keys, mut after) = (Vec::new(), String::new());
    loop {
        let page = fixture.get(&format!("/v1/entities/product?limit=4{after}")).await.json();
        keys.extend(page["keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(keys, ["P-1", "P-2", "P-3", "P-4", "P-5", "P-6"]);
}

#[tokio::test]
async fn an_unknown_key_is_answered_with_a_known_one_like_it() {
    let answer = Fixture::new().get("/v1/entities/product/P-44").await;
    assert_eq!(answer.refusal(), (404, "unknown_key".into()));
    assert_eq!(answer.json()["error"]["nearest"], "P-4");
}

#[tokio::test]
async fn the_board_lists_what_is_open_with_trend_and_reasons() {
    let json = Fixture::new().get("/v1/models/win/board").await.json();
    let keys: Vec<_> =
        json["scores"].as_array().unwrap().iter().map(|s| s["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["D-1", "D-2", "D-4"], "D-3 is closed: {json}");
    assert_eq!(json["total"], 3);
    assert_eq!(json["scores"][0]["facts"]["amount"], 1000.0);
    assert!(json["scores"][0]["trend"].is_f64());
    assert!(!json["scores"][0]["reasons"].as_array().unwrap().is_empty());
    let before = Fixture::new().get("/v1/models/win/board?as_of=2024-03-25").await.json();
    assert_eq!(before["total"], 4, "D-3 was still open: {before}");
}

#[tokio::test]
async fn a_model_of_another_kind_has_no_board() {
    let answer = Fixture::new().get("/v1/models/upsell/board").await;
    assert_eq!(answer.refusal(), (409, "not_suited".into()));
}
