use serde_json::{Value as Json, json};

use crate::fixture::Fixture;

const UPSELL: &str = "/v1/models/upsell/recommend";

fn items(answer: &Json) -> Vec<&str> {
    let items = answer["items"].as_array().unwrap_or_else(|| panic!("{answer}"));
    items.iter().map(|item| item["item"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn no_product_is_shown_that_breaks_a_rule_or_was_just_bought() {
    let body = json!({"customer": "A-1", "n": 6, "filtered": true});
    let json = Fixture::new().post(UPSELL, body).await.json();
    // P-5 is out of stock, P-6 is sold in France, P-2 was bought twelve days ago.
    let shown = items(&json);
    assert_eq!(shown[0], "P-4", "{json}");
    assert!(!shown.iter().any(|item| ["P-2", "P-5", "P-6"].contains(item)), "{json}");
    assert_eq!(json["filtered"], json!({"rules": {"in_stock": 1, "sold_here": 1}, "just_bought": 1}));
    assert_eq!(json["known"], true);
}

#[tokio::test]
async fn a_customers_own_past_says_why() {
    let json = Fixture::new().post(UPSELL, json!({"customer": "A-1", "n": 1})).await.json();
    assert_eq!(json["items"][0]["because"][0]["item"], "P-1", "{json}");
}

#[tokio::test]
async fn what_the_request_brings_counts_for_the_rules() {
    let body = json!({"customer": "A-1", "request": {"country": "FR"}});
    let json = Fixture::new().post(UPSELL, body).await.json();
    assert_eq!(items(&json), ["P-6"], "{json}");
}

#[tokio::test]
async fn a_stranger_and_an_unknown_customer_get_what_is_popular() {
    let fixture = Fixture::new();
    let stranger = fixture.post(UPSELL, json!({"n": 2})).await.json();
    assert_eq!(items(&stranger), ["P-2", "P-3"], "{stranger}");
    assert!(stranger.get("known").is_none());
    let unknown = fixture.post(UPSELL, json!({"customer": "A-77", "n": 2})).await.json();
    assert_eq!(items(&unknown), ["P-2", "P-3"]);
    assert_eq!(unknown["known"], false);
}

#[tokio::test]
async fn a_basket_speaks_and_is_not_suggested_again() {
    let json =
        Fixture::new().post(UPSELL, json!({"basket": ["P-1", "no such product"], "n": 3})).await.json();
    let shown = items(&json);
    assert_eq!(shown[0], "P-4", "{json}");
    assert!(!shown.contains(&"P-1"));
}

#[tokio::test]
async fn an_earlier_moment_forgets_later_purchases() {
    let body = json!({"customer": "A-1", "as_of": "2024-03-01", "filtered": true});
    let json = Fixture::new().post(UPSELL, body).await.json();
    assert_eq!(json["filtered"]["just_bought"], 0, "{json}");
    assert!(items(&json).contains(&"P-2"));
}

#[tokio::test]
async fn recommending_and_scoring_are_told_apart() {
    let fixture = Fixture::new();
    let score = fixture.post("/v1/models/upsell/score", json!({"inputs": [{}]})).await;
    assert_eq!(score.refusal(), (409, "not_suited".into()));
    let recommend = fixture.post("/v1/models/win/recommend", json!({})).await;
    assert_eq!(recommend.refusal(), (409, "not_suited".into()));
}
