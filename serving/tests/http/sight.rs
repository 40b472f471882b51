use scorehouse::access::Role;
use scorehouse::access::store::NewKey;
use serde_json::{Value, json};

use crate::fixture::Fixture;

const WIN: &str = "/v1/models/win/score";

/// Ann owns D-1, D-2 and D-3 (closed), bob owns D-4.
const OWN_DEALS: &str = r#"
[access]
attributes = ["country"]
[access.role.rep]
entities = { deal = "deal.owner = caller.name", account = true }
[access.role.service]
models = ["win"]
sources = ["orders"]
entities = { product = "product.country = caller.country" }
"#;

async fn asked(fixture: &Fixture, key: &str, path: &str) -> (u16, Value) {
    let answer = fixture.ask(key, "GET", path, None).await;
    (answer.status.as_u16(), answer.json())
}

#[tokio::test]
async fn a_rep_sees_the_own_deals_and_others_are_as_if_they_were_not_there() {
    let fixture = Fixture::closed(OWN_DEALS);
    let (ann, bob) = (fixture.key("ann", Role::Rep), fixture.key("bob", Role::Rep));
    let keys = |json: &Value| json["keys"].as_array().unwrap().len();
    assert_eq!(keys(&asked(&fixture, &ann, "/v1/entities/deal").await.1), 3);
    assert_eq!(keys(&asked(&fixture, &bob, "/v1/entities/deal").await.1), 1);
    assert_eq!(asked(&fixture, &ann, "/v1/entities/deal/D-1").await.0, 200);
    let features = |key: &str| {
        let body = json!({"feature_set": "deal_close", "keys": ["D-1"]});
        let (fixture, key) = (&fixture, key.to_owned());
        async move { fixture.ask(&key, "POST", "/v1/features/online", Some(body)).await.status.as_u16() }
    };
    assert_eq!((features(&ann).await, features(&bob).await), (200, 404));
    let (status, hidden) = asked(&fixture, &bob, "/v1/entities/deal/D-1").await;
    let (_, absent) = asked(&fixture, &bob, "/v1/entities/deal/D-9").await;
    assert_eq!((status, &hidden["error"]["code"]), (404, &json!("unknown_key")));
    let told = |json: &Value| json["error"].to_string().replace("D-1", "D-9");
    assert_eq!(told(&hidden), told(&absent), "nothing tells a hidden key from an absent one");
}

#[tokio::test]
async fn a_rep_has_the_own_deals_scored_and_no_other() {
    let fixture = Fixture::closed(OWN_DEALS);
    let (ann, bob) = (fixture.key("ann", Role::Rep), fixture.key("bob", Role::Rep));
    let score = |key: &str, body: Value| {
        let (fixture, key) = (&fixture, key.to_owned());
        async move { fixture.ask(&key, "POST", WIN, Some(body)).await }
    };
    assert_eq!(score(&ann, json!({"entities": ["D-1", "D-2"]})).await.status, 200);
    assert_eq!(score(&bob, json!({"entities": ["D-4", "D-1"]})).await.refusal(), (404, "unknown_key".into()));
    let partial = score(&bob, json!({"entities": ["D-4", "D-1"], "partial": true})).await.json();
    assert!(partial["scores"][0]["probability"].is_number(), "{partial}");
    assert_eq!(partial["scores"][1]["error"]["code"], "unknown_key", "{partial}");
    // Neither the moment nor the values of a request decide whose deal it is.
    for tried in [
        json!({"entity": "D-1", "as_of": "2024-01-01"}),
        json!({"entity": {"key": "D-1", "features": {"deal.amount": 1}}}),
    ] {
        assert_eq!(score(&bob, tried).await.refusal(), (404, "unknown_key".into()));
    }
}

#[tokio::test]
async fn a_rep_cannot_reach_others_through_a_reference_of_its_own_making() {
    let fixture = Fixture::closed(OWN_DEALS);
    let bob = fixture.key("bob", Role::Rep);
    for tried in [
        json!({"entity": {"key": "D-4", "features": {"deal.account_id": "A-1"}}}),
        json!({"entity": "D-4", "features": {"deal.account_id": "A-1"}}),
        json!({"entity": {"features": {"deal.account_id": "A-1"}}}),
    ] {
        let answer = fixture.ask(&bob, "POST", WIN, Some(tried.clone())).await;
        assert_eq!(answer.refusal(), (403, "forbidden".into()), "{tried}");
    }
    let described = json!({"entity": {"features": {"deal.amount": 500}}});
    assert_eq!(
        fixture.ask(&bob, "POST", WIN, Some(described)).await.status,
        200,
        "a deal of one's own making"
    );
}

#[tokio::test]
async fn a_board_shows_the_own_deals_and_counts_no_others() {
    let fixture = Fixture::closed(OWN_DEALS);
    let lines = |json: &Value| {
        let scores = json["scores"].as_array().unwrap().iter();
        let mut keys: Vec<String> = scores.map(|s| s["key"].as_str().unwrap().to_owned()).collect();
        keys.sort();
        (json["total"].as_u64().unwrap(), keys.join(" "))
    };
    let board = "/v1/models/win/board";
    let (ann, all) = (fixture.key("ann", Role::Rep), fixture.key("boss", Role::Operator));
    assert_eq!(lines(&asked(&fixture, &ann, board).await.1), (2, "D-1 D-2".into()));
    assert_eq!(lines(&asked(&fixture, &all, board).await.1), (3, "D-1 D-2 D-4".into()));
}

#[tokio::test]
async fn a_role_reaches_the_models_sources_and_entities_it_names() {
    let fixture = Fixture::closed(OWN_DEALS);
    let attributes = vec![("country".to_owned(), "FR".to_owned())];
    let new = NewKey { name: "desk".into(), role: Role::Service, attributes, expires: None };
    let desk = fixture.make(&new).0;
    let refused = |method: &'static str, path: &'static str, body: Option<Value>| {
        let (fixture, desk) = (&fixture, desk.clone());
        async move { fixture.ask(&desk, method, path, body).await.status.as_u16() }
    };
    assert_eq!(refused("POST", "/v1/models/upsell/recommend", Some(json!({}))).await, 403);
    assert_eq!(refused("GET", "/v1/models/upsell", None).await, 403);
    assert_eq!(refused("POST", "/v1/events/catalogue", Some(json!({}))).await, 403);
    assert_eq!(
        refused("POST", "/v1/outcomes", Some(json!({"model": "upsell", "key": "A-1", "outcome": 1}))).await,
        403
    );
    assert_eq!(refused("GET", "/v1/entities/deal", None).await, 403);
    assert_eq!(refused("GET", "/v1/entities/deal/D-1", None).await, 403);
    assert_ne!(refused("POST", "/v1/events/orders", Some(json!({}))).await, 403);
    let models = asked(&fixture, &desk, "/v1/models").await.1;
    assert_eq!(
        (models["models"].as_array().unwrap().len(), &models["models"][0]["name"]),
        (1, &json!("win"))
    );
    // P-6 is the one product of France; the key's attribute decides.
    assert_eq!(asked(&fixture, &desk, "/v1/entities/product").await.1["keys"], json!(["P-6"]));
}

#[tokio::test]
async fn a_condition_over_an_attribute_that_a_key_lacks_shows_nothing() {
    let fixture = Fixture::closed(OWN_DEALS);
    let desk = fixture.key("desk", Role::Service);
    assert_eq!(asked(&fixture, &desk, "/v1/entities/product").await.1["keys"], json!([]));
}

#[tokio::test]
async fn a_customer_who_may_not_be_seen_is_answered_as_a_stranger() {
    let fixture = Fixture::closed("[access.role.storefront]\nentities = { product = true }\n");
    let shop = fixture.key("shop", Role::Storefront);
    let ask = |body: Value| fixture.ask(&shop, "POST", "/v1/models/upsell/recommend", Some(body));
    let (hidden, stranger) = (ask(json!({"customer": "A-1"})).await.json(), ask(json!({})).await.json());
    assert_eq!((&hidden["items"], &hidden["known"]), (&stranger["items"], &json!(false)), "{hidden}");
}

#[tokio::test]
async fn a_training_set_is_for_those_who_see_all_of_its_entities() {
    let fixture = Fixture::closed("[access.role.scientist]\nentities = { account = true }\n");
    let (scientist, operator) = (fixture.key("lab", Role::Scientist), fixture.key("boss", Role::Operator));
    let rows = json!({"feature_set": "deal_close", "rows": [{"key": "D-1"}]});
    let ask = |key: String| {
        let (fixture, rows) = (&fixture, rows.clone());
        async move { fixture.ask(&key, "POST", "/v1/features/history", Some(rows)).await.status.as_u16() }
    };
    assert_eq!((ask(scientist).await, ask(operator).await), (403, 200));
}
