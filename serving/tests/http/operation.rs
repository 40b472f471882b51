use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use axum::routing::get;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::fixture::Fixture;

#[tokio::test]
async fn health_and_readiness_answer() {
    let fixture = Fixture::new();
    assert_eq!(fixture.get("/healthz").await.status, 200);
    let ready = fixture.get("/readyz").await.json();
    assert_eq!(ready["ready"], true);
    assert_eq!(ready["models"]["win"][0]["live"], 1);
}

#[tokio::test]
async fn requests_are_counted_by_route_and_not_by_path() {
    let fixture = Fixture::new();
    fixture.get("/v1/entities/deal/D-1").await;
    fixture.get("/v1/entities/deal/D-2").await;
    fixture.get("/some/scanner/path").await;
    let text = String::from_utf8(fixture.get("/metrics").await.bytes.to_vec()).unwrap();
    let line =
        r#"scorehouse_http_requests_total{method="GET",route="/v1/entities/{entity}/{key}",status="200"} 2"#;
    assert!(text.contains(line), "{text}");
    assert!(text.contains(r#"route="unmatched",status="404"} 1"#), "{text}");
    assert!(!text.contains("scanner"));
}

#[tokio::test]
async fn an_answer_carries_the_callers_request_id_or_one_of_its_own() {
    let fixture = Fixture::new();
    let request =
        Request::get("/healthz").header("x-request-id", "from-the-crm-7").body(Body::empty()).unwrap();
    assert_eq!(fixture.send(request).await.headers["x-request-id"], "from-the-crm-7");
    assert!(!fixture.get("/healthz").await.headers["x-request-id"].is_empty());
}

/// Every path of the document answers, and every route stands in it.
#[tokio::test]
async fn the_openapi_document_names_exactly_the_routes() {
    let fixture = Fixture::new();
    let document = fixture.get("/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let told: BTreeSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    let own = ["/", "/openapi.json", "/docs/errors"];
    let routes = scorehouse::routes::table().into_iter().map(|route| route.path);
    let routes: BTreeSet<String> =
        routes.filter(|path| !own.contains(path) && !path.starts_with("/ui/")).map(str::to_owned).collect();
    assert_eq!(told, routes);
}

#[tokio::test]
async fn every_reference_in_the_openapi_document_leads_somewhere() {
    let document = Fixture::new().get("/openapi.json").await.json();
    let text = document.to_string();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for name in text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(schemas.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let fixture = Fixture::new();
    let page = fixture.get("/").await;
    assert_eq!(page.status, 200);
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    let text = String::from_utf8(page.bytes.to_vec()).unwrap();
    for attribute in ["src=\"", "href=\""] {
        for link in text.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(link.starts_with('/'), "{link}");
            assert_eq!(fixture.get(link).await.status, 200, "{link}");
        }
    }
}

#[tokio::test]
async fn the_error_table_explains_every_code() {
    let text = String::from_utf8(Fixture::new().get("/docs/errors").await.bytes.to_vec()).unwrap();
    for row in scorehouse::problem::TABLE {
        assert!(text.contains(&format!("id={}>", row.code)), "{}", row.code);
    }
}

async fn panicking() -> &'static str {
    panic!("as planned")
}

#[tokio::test]
async fn a_panic_in_a_handler_is_a_counted_answer_and_nothing_else() {
    let fixture = Fixture::new();
    let panics: Router<scorehouse::AppState> = Router::new().route("/panics", get(panicking));
    let app = scorehouse::routes::observed(panics, &fixture.state);
    let answer = app.oneshot(Request::get("/panics").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 500);
    assert_eq!(fixture.state.metrics.panics().get(), 1);
    assert_eq!(fixture.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered_as_such() {
    let fixture = Fixture::with_timeout(Duration::from_millis(5));
    let endless: Router<scorehouse::AppState> =
        Router::new().route("/endless", get(std::future::pending::<()>));
    let app = scorehouse::routes::observed(endless, &fixture.state);
    let answer = app.oneshot(Request::get("/endless").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 503);
}

#[tokio::test]
async fn an_invented_method_makes_no_time_series_of_its_own() {
    let fixture = Fixture::new();
    let request = Request::builder().method("BREW").uri("/v1/models").body(Body::empty()).unwrap();
    assert_eq!(fixture.send(request).await.refusal(), (405, "wrong_method".into()));
    let text = String::from_utf8(fixture.get("/metrics").await.bytes.to_vec()).unwrap();
    assert!(text.contains(r#"method="other""#) && !text.contains("BREW"), "{text}");
}

#[tokio::test]
async fn every_answer_in_the_openapi_document_is_described() {
    let document = Fixture::new().get("/openapi.json").await.json();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for (status, answer) in operation["responses"].as_object().unwrap() {
                let described = answer["description"].as_str().is_some_and(|text| !text.is_empty());
                assert!(described, "{method} {path} {status}");
            }
        }
    }
}

/// Names of metrics in a Prometheus expression, without what a histogram adds to them.
fn names(expression: &str) -> Vec<&str> {
    let parts = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    parts
        .filter(|part| part.starts_with("scorehouse_"))
        .map(|name| name.trim_end_matches("_bucket"))
        .collect()
}

/// Metrics that the dashboard does without: none.
const NOT_SHOWN: [&str; 0] = [];

#[tokio::test]
async fn the_dashboard_shows_every_metric_and_asks_only_for_what_there_is() {
    let dashboard: Value =
        serde_json::from_str(include_str!("../../../docs/grafana/scorehouse.json")).unwrap();
    let known = include_str!("../../src/telemetry/metrics.rs");
    let fixture = Fixture::new();
    fixture.post("/v1/models/win/score", json!({"entity": "D-1"})).await;
    fixture.get("/v1/nowhere").await;
    let text = String::from_utf8(fixture.get("/metrics").await.bytes.to_vec()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let expressions: Vec<&str> = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default())
        .map(|target| target["expr"].as_str().unwrap().to_owned().leak() as &str)
        .collect();
    assert!(expressions.len() > 15, "{expressions:?}");
    let shown: Vec<&str> = expressions.iter().flat_map(|expression| names(expression)).collect();
    let name = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let exported = known.split('"').filter(|word| word.starts_with("scorehouse_") && name(word));
    let hidden: Vec<&str> = exported.filter(|name| !shown.contains(name)).collect();
    assert_eq!(hidden, NOT_SHOWN, "a new metric is put on the dashboard, or here with the reason");
    for expression in expressions {
        for name in names(expression) {
            assert!(known.contains(&format!("\"{name}\"")), "no metric is called {name}");
            let grouped = expression.split("by (").nth(1).and_then(|rest| rest.split(')').next());
            for label in grouped.into_iter().flat_map(|labels| labels.split(", ")) {
                let of_it = |line: &&str| line.starts_with(name) && !line.starts_with('#');
                let lines: Vec<&str> = text.lines().filter(of_it).collect();
                let has = lines.iter().any(|line| line.contains(&format!("{label}=")));
                assert!(lines.is_empty() || has, "{name} has no label {label}: {lines:?}");
            }
        }
    }
}
