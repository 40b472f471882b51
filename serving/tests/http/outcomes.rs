use serde_json::json;

use crate::fixture::{Fixture, register, win_artifact};

const OUTCOMES: &str = "/v1/outcomes";

#[tokio::test]
async fn an_outcome_becomes_a_row_of_the_source_that_closes_deals() {
    let fixture = Fixture::new();
    let body = json!({"model": "win", "key": "D-1", "outcome": "won", "at": "2024-03-31T10:00:00Z"});
    let answer = fixture.post(OUTCOMES, body).await;
    assert_eq!(
        answer.json(),
        json!({"accepted": 1, "duplicates": 0, "source": "deal_closed", "positive": [true]})
    );
    let board = fixture.get("/v1/models/win/board").await.json();
    assert_eq!(board["total"], 2, "D-1 is closed now: {board}");
}

#[tokio::test]
async fn outcomes_come_with_all_fields_and_in_lists() {
    let fixture = Fixture::new();
    let body = json!([
        {"model": "win", "key": "D-1", "outcome": {"outcome": "lost"}},
        {"model": "win", "key": "D-2", "outcome": {"outcome": "won", "at": "2024-03-30"}},
    ]);
    let json = fixture.post(OUTCOMES, body).await.json();
    assert_eq!((&json["accepted"], &json["positive"]), (&json!(2), &json!([false, true])));
}

#[tokio::test]
async fn a_purchase_after_a_recommendation_joins_the_interactions() {
    let fixture = Fixture::new();
    let body = json!({"model": "upsell", "key": "A-1", "outcome": {"product_id": "P-4", "quantity": 1}});
    assert_eq!(fixture.post(OUTCOMES, body).await.json()["source"], "orders");
    let asked = json!({"customer": "A-1", "n": 6, "filtered": true});
    let answer = fixture.post("/v1/models/upsell/recommend", asked).await.json();
    assert!(!answer["items"].to_string().contains("\"P-4\""), "just bought: {answer}");
}

#[tokio::test]
async fn outcomes_of_a_model_without_a_source_go_to_the_built_in_log() {
    let fixture = Fixture::new();
    register(fixture.registry.as_ref(), "other", &win_artifact(&fixture.state.project, 0.0));
    fixture.state.live.refresh().unwrap();
    let body = json!({"model": "other", "key": 7, "outcome": true, "at": "2024-03-01"});
    assert_eq!(fixture.post(OUTCOMES, body).await.json()["source"], json!(null));
    let path = fixture.state.project.state.join("outcomes").join("outcomes.jsonl");
    let line: serde_json::Value =
        serde_json::from_str(std::fs::read_to_string(path).unwrap().trim()).unwrap();
    assert_eq!((&line["model"], &line["key"], &line["outcome"]), (&json!("other"), &json!(7), &json!(true)));
    assert_eq!(line["at"], "2024-03-01T00:00:00Z");
}

#[tokio::test]
async fn bad_outcomes_are_refused_as_such_and_store_nothing() {
    let fixture = Fixture::new();
    let won = |model: &str| json!({"model": model, "key": "D-1", "outcome": "won"});
    for (body, status, code) in [
        (won("wun"), 404, "unknown_model"),
        (json!([won("win"), won("upsell")]), 400, "invalid_field"),
        (json!([]), 400, "invalid_field"),
        (json!({"model": "win", "key": "D-1"}), 400, "invalid_field"),
        (json!({"model": "win", "key": "D-1", "outcome": {"result": "won"}}), 422, "rows_rejected"),
        (json!({"model": "win", "key": "D-1", "outcome": true}), 422, "rows_rejected"),
        (
            json!({"model": "win", "key": "D-1", "outcome": {"deal_id": "D-2", "outcome": "won"}}),
            422,
            "rows_rejected",
        ),
        (json!({"model": "win", "key": "D-1", "outcome": "won", "at": "soon"}), 422, "rows_rejected"),
        (json!({"model": "upsell", "key": "A-1", "outcome": {"prodct_id": "P-4"}}), 422, "rows_rejected"),
    ] {
        let answer = fixture.post(OUTCOMES, body.clone()).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{body}");
    }
    assert_eq!(fixture.get("/v1/models/win/board").await.json()["total"], 3);
}
