use serde_json::{Value as Json, json};

use crate::fixture::{Fixture, sigmoid};

const WIN: &str = "/v1/models/win/score";

#[tokio::test]
async fn the_smallest_change_follows_through_what_is_derived_from_it() {
    let fixture = Fixture::new();
    // A pound more counts twice, once in the amount and once in what is left of it: from 4 to 5 it takes 500.
    let body = json!({"entity": "D-1", "what_if": {"threshold": sigmoid(5.0) - 1e-9}});
    let json = fixture.post(WIN, body).await.json();
    let found = &json["scores"][0]["what_if"];
    let change = json!([{"feature": "deal.amount", "from": 1000.0, "to": 1500.0}]);
    assert_eq!((&found["reached"], &found["changes"]), (&json!(true), &change), "{json}");
    assert!((found["probability"].as_f64().unwrap() - sigmoid(5.0)).abs() < 1e-9, "{json}");
    let given = json!({"entity": {"key": "D-1", "features": {"deal.amount": 1500}}});
    let again = fixture.post(WIN, given).await.json();
    assert_eq!(again["scores"][0]["probability"], found["probability"]);
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_with_what_comes_nearest() {
    let body = json!({"entities": ["D-1", "D-2"], "what_if": {"threshold": 1.0, "changes": 1}});
    let json = Fixture::new().post(WIN, body).await.json();
    for row in 0..2 {
        let found: &Json = &json["scores"][row]["what_if"];
        assert_eq!(
            (&found["reached"], &found["changes"][0]["to"]),
            (&json!(false), &json!(3000.0)),
            "{json}"
        );
    }
    // The one lever goes upwards only.
    let down = json!({"entity": "D-1", "what_if": {"threshold": 0.1}});
    let json = Fixture::new().post(WIN, down).await.json();
    assert_eq!(json["scores"][0]["what_if"]["reached"], false);
}

#[tokio::test]
async fn thresholds_that_are_none_are_refused() {
    let fixture = Fixture::new();
    let mut refusals = Vec::new();
    for wrong in
        [json!({"threshold": 1.5}), json!({"threshold": 0.5, "changes": 4}), json!({"treshold": 0.5})]
    {
        refusals.push(fixture.post(WIN, json!({"entity": "D-1", "what_if": wrong})).await.refusal());
    }
    let expected = [(); 3].map(|()| (400, "invalid_field".to_owned()));
    assert_eq!(refusals, expected);
}
