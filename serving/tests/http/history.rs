use axum::body::Body;
use axum::http::{Request, header};
use serde_json::json;

use crate::fixture::{Answer, Fixture};

const HISTORY: &str = "/v1/features/history";

async fn csv(fixture: &Fixture, query: &str, rows: &str) -> Answer {
    let request = Request::post(format!("{HISTORY}?{query}")).header(header::CONTENT_TYPE, "text/csv");
    fixture.send(request.body(Body::from(rows.to_owned())).unwrap()).await
}

#[tokio::test]
async fn every_row_comes_back_in_its_place_with_what_was_known_at_its_own_moment() {
    let body = json!({"feature_set": "deal_close", "rows": [
        {"key": "D-1", "as_of": "2024-03-31", "label": 1},
        {"key": "D-1", "as_of": "2024-03-15", "label": 0},
        {"key": "D-99", "as_of": "2024-03-15", "label": 0},
        {"key": "D-1", "as_of": "2024-03-31", "label": 1},
    ]});
    let answer = Fixture::new().post(HISTORY, body).await;
    assert_eq!(answer.status, 200, "{:?}", String::from_utf8_lossy(&answer.bytes));
    let columns = answer.json()["columns"].clone();
    assert_eq!(columns["deal_id"], json!(["D-1", "D-1", "D-99", "D-1"]));
    assert_eq!(columns["label"], json!([1, 0, 0, 1]));
    assert_eq!(columns["account.orders.revenue"], json!([100.0, 40.0, null, 100.0]));
    assert_eq!(columns["deal.amount"], json!([1000.0, 1000.0, null, 1000.0]));
}

#[tokio::test]
async fn request_fields_count_for_what_is_derived_from_them() {
    let body = json!({"entity": "deal", "features": ["deal_facts.net"], "rows": [
        {"key": "D-1", "request.discount": 0.25},
        {"key": "D-1"},
    ]});
    let columns = Fixture::new().post(HISTORY, body).await.json()["columns"].clone();
    assert_eq!(columns["deal_facts.net"], json!([750.0, 1000.0]), "{columns}");
}

#[tokio::test]
async fn rows_may_come_and_go_as_csv() {
    let rows = "deal_id,as_of,owner,note\nD-2,2024-03-30,007,\"a, b\"\nD-4,2024-03-30,008,\n";
    let answer = csv(&Fixture::new(), "feature_set=deal_close&format=csv&missing=true", rows).await;
    assert_eq!(answer.headers[header::CONTENT_TYPE], "text/csv; charset=utf-8");
    let text = String::from_utf8(answer.bytes.to_vec()).unwrap();
    let mut lines = text.lines();
    let head = lines.next().unwrap();
    assert!(head.starts_with("deal_id,as_of,owner,note,deal.amount,deal.amount__missing,"), "{head}");
    assert!(lines.next().unwrap().starts_with("D-2,2024-03-30T00:00:00Z,007,\"a, b\",200.0,,"), "{text}");
    assert!(lines.next().unwrap().contains("not_linked"), "{text}");
}

#[tokio::test]
async fn an_accept_header_asks_for_an_arrow_stream() {
    let request = Request::post(HISTORY)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/vnd.apache.arrow.stream")
        .body(Body::from(json!({"feature_set": "deal_close", "rows": [{"key": "D-1"}]}).to_string()));
    let answer = Fixture::new().send(request.unwrap()).await;
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/vnd.apache.arrow.stream");
    assert!(
        answer.bytes.starts_with(&[0xff, 0xff, 0xff, 0xff]),
        "an IPC stream begins with its continuation mark"
    );
}

#[tokio::test]
async fn training_and_serving_read_the_same_values_at_the_same_moment() {
    let fixture = Fixture::new();
    fixture.post("/v1/events/orders", json!({"account_id": "A-1", "amount": 0.1, "quantity": 1})).await;
    fixture.post("/v1/events/orders", json!({"account_id": "A-1", "amount": 0.2, "quantity": 1})).await;
    let names = ["orders.lines", "orders.lines_30d", "orders.revenue", "orders.revenue_30d"];
    for as_of in ["2024-01-01", "2024-03-01", "2024-03-25", "2024-03-31T12:00:00Z"] {
        let live = fixture.get(&format!("/v1/entities/account/A-1?as_of={as_of}")).await.json();
        let body = json!({"entity": "account", "features": names, "rows": [{"key": "A-1", "as_of": as_of}]});
        let history = fixture.post(HISTORY, body).await.json();
        for name in names {
            assert_eq!(history["columns"][name][0], live["features"][name]["value"], "{name} as of {as_of}");
        }
    }
}

#[tokio::test]
async fn bad_requests_for_a_training_set_are_refused_as_such() {
    let fixture = Fixture::new();
    let row = json!([{"key": "D-1"}]);
    for (body, status, code) in [
        (json!({"feature_set": "deal_clse", "rows": row}), 400, "unknown_feature_set"),
        (json!({"rows": row}), 400, "invalid_field"),
        (json!({"feature_set": "deal_close"}), 400, "invalid_field"),
        (json!({"entity": "del", "features": ["deal.amount"], "rows": row}), 404, "unknown_entity"),
        (json!({"entity": "deal", "features": ["deal.amont"], "rows": row}), 400, "unknown_feature"),
        (json!({"entity": "deal", "features": ["amount"], "rows": row}), 400, "invalid_field"),
        (json!({"feature_set": "deal_close", "rows": [{"as_of": "2024-01-01"}]}), 400, "invalid_field"),
        (json!({"feature_set": "deal_close", "rows": [{"key": 1.5}]}), 400, "invalid_field"),
        (
            json!({"feature_set": "deal_close", "rows": [{"key": "D-1", "as_of": "2030-01-01"}]}),
            400,
            "future_as_of",
        ),
        (json!({"feature_set": "deal_close", "rows": [{"key": "D-1", "as_of": 3}]}), 400, "wrong_type"),
        (
            json!({"feature_set": "deal_close", "rows": [{"key": "D-1", "request.discont": 1}]}),
            400,
            "unknown_feature",
        ),
        (
            json!({"feature_set": "deal_close", "rows": [{"key": "D-1", "request.discount": "x"}]}),
            400,
            "wrong_type",
        ),
    ] {
        let answer = fixture.post(HISTORY, body.clone()).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{body}");
    }
    let ragged = csv(&fixture, "feature_set=deal_close", "deal_id,as_of\nD-1\n").await;
    assert_eq!(ragged.refusal(), (400, "invalid_field".into()));
    let format = csv(&fixture, "feature_set=deal_close&format=xml", "deal_id\nD-1\n").await;
    assert_eq!(format.refusal(), (400, "invalid_parameter".into()));
}
