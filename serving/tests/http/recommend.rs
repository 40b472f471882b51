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

/// What each product earns: nothing is known of P-2, and P-5, the dearest, is out of stock.
const MARGIN: &str = "CASE WHEN item = 'P-5' THEN 500.0 WHEN item = 'P-4' THEN 50.0 WHEN item = 'P-1' THEN 20.0 \
                      WHEN item = 'P-3' THEN 10.0 END";

async fn arranged(weights: &str, body: Json) -> Json {
    Fixture::declaring(weights).post(UPSELL, body).await.json()
}

fn margin(weight: f64) -> String {
    format!("[model.upsell.margin]\nvalue = \"{MARGIN}\"\nweight = {weight}\n")
}

fn diversity(weight: f64) -> String {
    let by = "CASE WHEN item IN ('P-2', 'P-3') THEN 'mugs' ELSE 'plates' END";
    format!("[model.upsell.diversity]\nby = \"{by}\"\nweight = {weight}\n")
}

#[tokio::test]
async fn without_declared_weights_an_answer_says_nothing_of_places_and_margins() {
    let json = Fixture::new().post(UPSELL, json!({"n": 2})).await.json();
    let keys: Vec<&String> = json["items"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["item", "score", "because"], "{json}");
}

#[tokio::test]
async fn a_weight_of_nothing_leaves_items_and_scores_as_they_are() {
    let body = json!({"customer": "A-1", "basket": ["P-1"], "n": 3});
    let plain = Fixture::new().post(UPSELL, body.clone()).await.json();
    let json = arranged(&format!("{}{}", margin(0.0), diversity(0.0)), body).await;
    assert_eq!(items(&json), items(&plain), "{json}");
    for (at, item) in json["items"].as_array().unwrap().iter().enumerate() {
        assert_eq!(
            (&item["score"], &item["place"]),
            (&plain["items"][at]["score"], &json!(at + 1)),
            "{json}"
        );
    }
}

#[tokio::test]
async fn a_margin_brings_forward_what_earns_more_and_breaks_no_rule() {
    // By relevance: P-2, P-3, P-4, P-1.
    let stranger = json!({"n": 6, "filtered": true});
    let json = arranged(&margin(1.0), stranger.clone()).await;
    assert_eq!(items(&json), ["P-4", "P-2", "P-1", "P-3"], "{json}");
    let told: Vec<_> =
        json["items"].as_array().unwrap().iter().map(|i| (&i["place"], &i["margin"])).collect();
    let expected = [(3, json!(50.0)), (1, Json::Null), (4, json!(20.0)), (2, json!(10.0))];
    for ((place, margin), (expected, earns)) in told.into_iter().zip(&expected) {
        assert_eq!((place, margin), (&json!(expected), earns), "{json}");
    }
    assert_eq!(json["filtered"]["rules"], json!({"in_stock": 1, "sold_here": 1}));
    let earned = |json: &Json| -> f64 {
        json["items"].as_array().unwrap().iter().map(|i| i["margin"].as_f64().unwrap_or(20.0)).sum()
    };
    let mut last = 0.0;
    for weight in [0.0, 0.2, 0.5, 1.0] {
        let sum = earned(&arranged(&margin(weight), json!({"n": 2})).await);
        assert!(sum >= last, "{weight}: {sum} after {last}");
        last = sum;
    }
    assert!(last > 30.0, "{last}");
}

#[tokio::test]
async fn diversity_brings_other_kinds_into_an_answer() {
    let json = arranged(&diversity(0.5), json!({"n": 2})).await;
    // P-2 and P-3 are both mugs; P-4 is the best plate.
    assert_eq!(items(&json), ["P-2", "P-4"], "{json}");
    assert_eq!(json["items"][1]["place"], 3);
    assert!(json["items"][0].get("margin").is_none(), "{json}");
}
