use serde_json::json;

use crate::fixture::Fixture;

const FORECAST: &str = "/v1/models/win/forecast";
const DECLARED: &str = "[model.win.forecast]\namount = \"deal.amount\"\n";

#[tokio::test]
async fn what_is_won_and_what_is_open_add_up_to_a_range() {
    let fixture = Fixture::declaring(DECLARED);
    let answer =
        fixture.post(FORECAST, json!({"from": "2024-03-01", "to": "2024-07-01", "by": "deal.owner"})).await;
    let json = answer.json();
    assert_eq!(answer.status, 200, "{json}");
    let total = &json["total"];
    assert_eq!((total["won"].as_f64(), total["open_deals"].as_u64()), (Some(300.0), Some(3)), "{json}");
    assert_eq!(total["open_amount"].as_f64(), Some(1250.0));
    let at = |name: &str| total[name].as_f64().unwrap();
    assert!(at("won") <= at("p10") && at("p10") <= at("p50") && at("p50") <= at("p90"), "{json}");
    assert_eq!((json["version"].as_u64(), json["alias"].as_str()), (Some(1), Some("champion")));
    let groups: Vec<&str> =
        json["groups"].as_array().unwrap().iter().filter_map(|line| line["group"].as_str()).collect();
    assert_eq!(groups, ["ann", "bob"], "{json}");
    let again = fixture.post(FORECAST, json!({"period": "2024-Q1"})).await.json();
    assert_eq!(again["period"]["name"], "2024-Q1");
    assert_eq!(
        again,
        fixture.post(FORECAST, json!({})).await.json(),
        "the present quarter, when nothing is said"
    );
}

#[tokio::test]
async fn what_cannot_be_forecast_is_refused_with_what_to_do() {
    let plain = Fixture::new();
    let refused = plain.post(FORECAST, json!({})).await;
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("[model.win.forecast]"));
    let fixture = Fixture::declaring(DECLARED);
    for wrong in [
        json!({"period": "2024"}),
        json!({"from": "2024-03-01"}),
        json!({"from": "2024-03-01", "to": "2024-03-01"}),
        json!({"by": "deal.ownr"}),
        json!({"as_of": "2099-01-01"}),
        json!({"perod": "2024-Q1"}),
    ] {
        let refused = fixture.post(FORECAST, wrong.clone()).await;
        assert!(refused.status.is_client_error(), "{wrong}: {}", refused.json());
        refused.refusal();
    }
}

#[tokio::test]
async fn who_sees_few_deals_adds_up_only_these() {
    let narrowed =
        format!("{DECLARED}[access.role.rep]\nentities = {{ deal = \"deal.owner = caller.name\" }}\n");
    let fixture = Fixture::closed(&narrowed);
    let bob = fixture.key("bob", scorehouse::access::Role::Rep);
    let answer = fixture.ask(&bob, "POST", FORECAST, Some(json!({}))).await;
    let json = answer.json();
    assert_eq!(
        (json["total"]["open_deals"].as_u64(), json["total"]["won"].as_f64()),
        (Some(1), Some(0.0)),
        "{json}"
    );
}
