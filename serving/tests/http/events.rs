use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value as Json, json};

use crate::fixture::{Answer, Fixture};

const ORDERS: &str = "/v1/events/orders";

fn order(account: &str, amount: f64) -> Json {
    json!({"account_id": account, "product_id": "P-9", "quantity": 1, "amount": amount, "at": "2024-03-31T11:00:00Z"})
}

async fn revenue(fixture: &Fixture, account: &str) -> Json {
    fixture.get(&format!("/v1/entities/account/{account}")).await.json()["features"]["orders.revenue"]["value"].clone()
}

async fn lines(fixture: &Fixture, text: &str) -> Answer {
    let request = Request::post(ORDERS).header(header::CONTENT_TYPE, "application/x-ndjson");
    fixture.send(request.body(Body::from(text.to_owned())).unwrap()).await
}

async fn keyed(fixture: &Fixture, key: &str, body: &Json) -> Answer {
    let request = Request::post(ORDERS)
        .header(header::CONTENT_TYPE, "application/json")
        .header("idempotency-key", key)
        .body(Body::from(body.to_string()));
    fixture.send(request.unwrap()).await
}

#[tokio::test]
async fn an_event_counts_in_the_next_read_and_the_next_score() {
    let fixture = Fixture::new();
    let stored = fixture.post(ORDERS, order("A-1", 50.0)).await;
    assert_eq!(stored.json(), json!({"accepted": 1, "duplicates": 0, "filtered": 0}));
    assert_eq!(revenue(&fixture, "A-1").await, 150.0);
    let score = fixture.post("/v1/models/win/score", json!({"entity": "D-1"})).await.json();
    assert_eq!(score["scores"][0]["raw"], 1.0 + 1.0 + 1.5 + 2.0);
}

#[tokio::test]
async fn events_come_as_a_list_or_one_a_line() {
    let fixture = Fixture::new();
    let list = fixture.post(ORDERS, json!([order("A-3", 1.0), order("A-3", 2.0)])).await;
    assert_eq!(list.json()["accepted"], 2);
    let text = format!("{}\n\n{}\r\n", order("A-3", 4.0), order("A-3", 8.0));
    assert_eq!(lines(&fixture, &text).await.json()["accepted"], 2);
    assert_eq!(revenue(&fixture, "A-3").await, 15.0);
}

#[tokio::test]
async fn one_bad_row_refuses_all_and_says_which_and_why() {
    let fixture = Fixture::new();
    let body = json!([
        order("A-4", 1.0),
        {"acount_id": "A-4", "at": "2024-03-01"},
        {"account_id": "A-4", "amount": "much"},
        {"product_id": "P-1"},
    ]);
    let answer = fixture.post(ORDERS, body).await;
    assert_eq!(answer.refusal(), (422, "rows_rejected".into()));
    let detail = answer.json()["error"]["detail"].clone();
    assert_eq!((&detail["rejected"], &detail["total"]), (&json!(3), &json!(4)));
    let rows = detail["rows"].as_array().unwrap().clone();
    assert_eq!((&rows[0]["row"], &rows[0]["nearest"]), (&json!(1), &json!("account_id")));
    assert_eq!((&rows[1]["row"], &rows[1]["field"]), (&json!(2), &json!("amount")));
    assert_eq!((&rows[2]["row"], &rows[2]["field"]), (&json!(3), &json!("account_id")));
    assert_eq!(fixture.get("/v1/entities/account/A-4").await.refusal().1, "unknown_key", "none was stored");
}

#[tokio::test]
async fn a_key_that_nobody_could_ask_for_is_refused_and_one_of_any_other_form_is_found() {
    let fixture = Fixture::new();
    for key in ["K".repeat(257).as_str(), "\n", "a\0b"] {
        let answer = fixture.post(ORDERS, json!([order("A-5", 1.0), order(key, 1.0)])).await;
        let rows = answer.json()["error"]["detail"]["rows"].clone();
        assert_eq!(
            (rows[0]["row"].clone(), rows[0]["field"].clone()),
            (json!(1), json!("account_id")),
            "{rows}"
        );
        assert!(rows[0]["message"].as_str().unwrap().contains("1 to 256 bytes"), "{rows}");
    }
    let long = "é".repeat(128);
    for key in [long.as_str(), "twenty-three bytes long", "a key of twenty-four byt"] {
        let stored = fixture.post(ORDERS, order(key, 7.0)).await;
        assert_eq!(stored.json()["accepted"], 1);
        let read = fixture.post(
            "/v1/features/online",
            json!({"entity": "account", "keys": [key], "features": ["orders.revenue"]}),
        );
        let read = read.await.json();
        assert!(read.to_string().contains("7.0"), "{read}");
    }
}

#[tokio::test]
async fn a_line_that_is_not_json_is_a_refused_row() {
    let fixture = Fixture::new();
    let answer = lines(&fixture, &format!("{}\n{{\"account_id\": \n", order("A-5", 1.0))).await;
    assert_eq!(answer.refusal(), (422, "rows_rejected".into()));
    assert_eq!(answer.json()["error"]["detail"]["rows"][0]["row"], 1);
}

#[tokio::test]
async fn an_event_without_a_time_happens_now() {
    let fixture = Fixture::new();
    fixture.post(ORDERS, json!({"account_id": "A-6", "amount": 3.0})).await;
    let facts = fixture.get("/v1/entities/account/A-6").await.json();
    assert_eq!(facts["features"]["orders.revenue_30d"]["value"], 3.0, "{facts}");
}

#[tokio::test]
async fn a_request_sent_again_under_its_key_is_stored_once() {
    let fixture = Fixture::new();
    let body = json!([order("A-7", 1.0), order("A-7", 2.0)]);
    assert_eq!(keyed(&fixture, "push-1", &body).await.json()["accepted"], 2);
    let again = keyed(&fixture, "push-1", &body).await;
    assert_eq!(
        (again.status.as_u16(), again.json()),
        (200, json!({"accepted": 0, "duplicates": 2, "filtered": 0}))
    );
    assert_eq!(keyed(&fixture, "push-2", &body).await.json()["accepted"], 2);
    assert_eq!(revenue(&fixture, "A-7").await, 6.0);
    let text = String::from_utf8(fixture.get("/metrics").await.bytes.to_vec()).unwrap();
    assert!(text.contains(r#"scorehouse_event_rows_total{result="stored",source="orders"} 4"#), "{text}");
    assert!(text.contains(r#"scorehouse_event_rows_total{result="repeated",source="orders"} 2"#), "{text}");
}

#[tokio::test]
async fn bad_pushes_are_refused_as_such() {
    let fixture = Fixture::new();
    let unknown = fixture.post("/v1/events/order", order("A-1", 1.0)).await;
    assert_eq!(unknown.refusal(), (404, "unknown_source".into()));
    assert_eq!(unknown.json()["error"]["nearest"], "orders");
    for (body, status, code) in [
        ("", 400, "invalid_json"),
        ("{\"account_id\": NaN}", 400, "invalid_json"),
        ("3", 422, "rows_rejected"),
        ("[[]]", 422, "rows_rejected"),
        ("{\"account_id\": \"A-1\", \"amount\": 1e999}", 400, "invalid_json"),
        ("{\"account_id\": \"A-1\", \"at\": \"someday\"}", 422, "rows_rejected"),
    ] {
        assert_eq!(fixture.post_text(ORDERS, body).await.refusal(), (status, code.to_owned()), "{body}");
    }
    let long = keyed(&fixture, &"k".repeat(201), &order("A-1", 1.0)).await;
    assert_eq!(long.refusal(), (400, "invalid_parameter".into()));
    assert_eq!(fixture.post_text(ORDERS, "[]").await.json()["accepted"], 0, "an empty list is no mistake");
}
