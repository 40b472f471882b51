use axum::body::Body;
use axum::http::{Method, Request, header};
use scorehouse::compute::Doors;
use serde_json::json;

use crate::fixture::Fixture;

const WIN: &str = "/v1/models/win/score";

/// What is posted to the score route, and the status and code it must get.
#[tokio::test]
async fn every_bad_body_gets_its_own_code_and_never_a_server_error() {
    let fixture = Fixture::new();
    let deep = format!("{{\"entity\": {}", "[".repeat(50_000));
    let many = json!({"entities": vec!["D-1"; 10_001]}).to_string();
    let long_key = json!({"entity": "x".repeat(300)}).to_string();
    let cases: Vec<(&[u8], u16, &str)> = vec![
        (b"", 400, "invalid_json"),
        (b"{", 400, "invalid_json"),
        (b"[]", 400, "invalid_field"),
        (b"null", 400, "invalid_field"),
        (b"\"D-1\"", 400, "invalid_field"),
        (b"{}", 400, "invalid_field"),
        (deep.as_bytes(), 400, "invalid_field"),
        (b"{\"entity\": \"D-1\xc3", 400, "invalid_utf8"),
        (b"{\"entity\": \"D-1\", \"features\": {\"deal.amount\": NaN}}", 400, "invalid_json"),
        (b"{\"entity\": \"D-1\", \"features\": {\"deal.amount\": 1e999}}", 400, "invalid_json"),
        (b"{\"entity\": \"D-1\", \"features\": {\"deal.amount\": \"NaN\"}}", 400, "wrong_type"),
        (b"{\"entity\": \"D-1\", \"features\": {\"deal.amount\": \"a lot\"}}", 400, "wrong_type"),
        (b"{\"entity\": \"D-1\", \"features\": {\"deal.amount\": [1]}}", 400, "invalid_field"),
        (b"{\"entity\": \"D-1\", \"features\": {\"deal.amont\": 1}}", 400, "unknown_feature"),
        (b"{\"entity\": \"D-1\", \"feature\": {}}", 400, "invalid_field"),
        (b"{\"entity\": \"D-99\"}", 404, "unknown_key"),
        (b"{\"entity\": \"\"}", 400, "invalid_field"),
        (b"{\"entity\": \"a\\u0000b\"}", 400, "invalid_field"),
        (b"{\"entity\": true}", 400, "invalid_field"),
        (b"{\"entity\": {\"id\": \"D-1\"}}", 400, "invalid_field"),
        (b"{\"entities\": \"D-1\"}", 400, "invalid_field"),
        (b"{\"entity\": \"D-1\", \"entities\": [\"D-1\"]}", 400, "invalid_field"),
        (b"{\"entity\": \"D-1\", \"as_of\": \"2030-01-01\"}", 400, "future_as_of"),
        (b"{\"entity\": {\"key\": \"D-1\", \"as_of\": \"2030-01-01\"}}", 400, "future_as_of"),
        (b"{\"entity\": \"D-1\", \"as_of\": \"yesterday\"}", 400, "wrong_type"),
        (b"{\"entity\": \"D-1\", \"as_of\": 7}", 400, "invalid_field"),
        (b"{\"entity\": \"D-1\", \"reasons\": -1}", 400, "invalid_field"),
        (b"{\"entity\": \"D-1\", \"reasons\": 101}", 400, "invalid_field"),
        (b"{\"entity\": \"D-1\", \"reasons\": 99999999999}", 400, "invalid_field"),
        (b"{\"entity\": \"D-1\", \"alias\": \"champion\", \"version\": 1}", 400, "invalid_field"),
        (b"{\"inputs\": [{\"deal.amount\": true}]}", 400, "wrong_type"),
        (b"{\"inputs\": [{\"amount\": 1}]}", 400, "unknown_feature"),
        (b"{\"inputs\": 3}", 400, "invalid_field"),
        (many.as_bytes(), 400, "too_many"),
        (long_key.as_bytes(), 400, "invalid_field"),
    ];
    for (body, status, code) in cases {
        let answer = fixture.post_text(WIN, body.to_vec()).await;
        let shown: String = String::from_utf8_lossy(body).chars().take(80).collect();
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{shown}");
    }
}

#[tokio::test]
async fn an_unknown_name_comes_with_the_nearest_known_one() {
    let fixture = Fixture::new();
    let near = |json: serde_json::Value| json["error"]["nearest"].as_str().map(str::to_owned);
    let model = fixture.post("/v1/models/wun/score", json!({"entity": "D-1"})).await;
    assert_eq!((model.refusal().0, near(model.json()).as_deref()), (404, Some("win")));
    let feature = fixture.post(WIN, json!({"entity": "D-1", "features": {"deal.amont": 1}})).await;
    assert_eq!(near(feature.json()).as_deref(), Some("deal.amount"));
    let field = fixture.post(WIN, json!({"entity": "D-1", "reason": 3})).await;
    assert_eq!(near(field.json()).as_deref(), Some("reasons"));
    let entity = fixture.get("/v1/entities/acount/A-1").await;
    assert_eq!(
        (entity.refusal(), near(entity.json()).as_deref()),
        ((404, "unknown_entity".into()), Some("account"))
    );
    let request = fixture.post("/v1/models/upsell/recommend", json!({"request": {"contry": "GB"}})).await;
    assert_eq!(
        (request.refusal().1.as_str(), near(request.json()).as_deref()),
        ("unknown_feature", Some("country"))
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_as_too_large() {
    let fixture = Fixture::new();
    let limit = fixture.state.project.settings.body_limit;
    let answer = fixture.post_text(WIN, vec![b' '; limit + 1]).await;
    assert_eq!(answer.refusal(), (413, "body_too_large".into()));
}

#[tokio::test]
async fn another_content_type_or_none_is_refused() {
    let fixture = Fixture::new();
    for content_type in
        ["text/plain", "application/x-www-form-urlencoded", "application/x-ndjson", "nonsense"]
    {
        let request = Request::post(WIN).header(header::CONTENT_TYPE, content_type);
        let answer = fixture.send(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(answer.refusal(), (415, "wrong_content_type".into()), "{content_type}");
    }
    let answer = fixture.send(Request::post(WIN).body(Body::from("{}")).unwrap()).await;
    assert_eq!(answer.refusal(), (415, "wrong_content_type".into()));
}

#[tokio::test]
async fn a_wrong_method_names_the_right_one() {
    let fixture = Fixture::new();
    for (method, path, allowed) in [
        (Method::GET, WIN, "POST"),
        (Method::DELETE, "/v1/models", "GET,HEAD"),
        (Method::POST, "/v1/models/win/aliases/champion", "PUT"),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let answer = fixture.send(request).await;
        assert_eq!(answer.refusal(), (405, "wrong_method".into()), "{path}");
        assert_eq!(answer.headers[header::ALLOW], allowed, "{path}");
    }
}

#[tokio::test]
async fn bad_paths_and_queries_are_refused_as_such() {
    let fixture = Fixture::new();
    for (path, status, code) in [
        ("/nowhere", 404, "unknown_route"),
        ("/v1", 404, "unknown_route"),
        ("/v1/models/nope", 404, "unknown_model"),
        ("/v1/models/NOPE%20", 404, "unknown_model"),
        ("/v1/entities/deal/%ff", 400, "invalid_parameter"),
        ("/v1/entities/deal/%00", 400, "invalid_field"),
        ("/v1/entities/deal?limit=0", 400, "invalid_parameter"),
        ("/v1/entities/deal?limit=many", 400, "invalid_parameter"),
        ("/v1/entities/deal?lmit=3", 400, "invalid_parameter"),
        ("/v1/entities/deal/D-1?as_of=2030-01-01", 400, "future_as_of"),
        ("/v1/entities/deal/D-1?as_of=soon", 400, "wrong_type"),
        ("/v1/models/win/board?limit=100000", 400, "invalid_parameter"),
    ] {
        assert_eq!(fixture.get(path).await.refusal(), (status, code.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn bad_moves_of_an_alias_are_refused_and_move_nothing() {
    let fixture = Fixture::new();
    for (path, body, status, code) in [
        ("/v1/models/win/aliases/champion", json!({"version": 9}), 404, "unknown_version"),
        ("/v1/models/wun/aliases/champion", json!({"version": 1}), 404, "unknown_model"),
        ("/v1/models/win/aliases/Latest", json!({"version": 1}), 400, "invalid_field"),
        ("/v1/models/win/aliases/champion", json!({}), 400, "invalid_field"),
        ("/v1/models/win/aliases/champion", json!({"version": "1"}), 400, "invalid_field"),
        ("/v1/models/win/aliases/champion", json!([null, null]), 400, "invalid_field"),
    ] {
        let answer = fixture.put(path, body).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{path}");
    }
    assert_eq!(fixture.get("/v1/models/win").await.json()["aliases"][0]["version"], 1);
}

#[tokio::test]
async fn without_room_for_a_batch_the_caller_is_told_when_to_come_back() {
    let fixture = Fixture::with(Doors { work: 0, ..Doors::default() });
    let answer = fixture.post(WIN, json!({"entities": vec!["D-1"; 500]})).await;
    assert_eq!(answer.refusal(), (429, "overloaded".into()));
    assert_eq!(answer.headers[header::RETRY_AFTER], "1");
    let small = fixture.post(WIN, json!({"entity": "D-1"})).await;
    assert_eq!(small.status, 200, "a small request needs no permit");
}
