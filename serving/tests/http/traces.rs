use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use prost::Message;
use serde_json::json;

use crate::fixture::{Answer, Fixture};
use crate::peer::Peer;

/// The part of OTLP that a collector must read to know a span.
#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start: u64,
    #[prost(fixed64, tag = "8")]
    end: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
    #[prost(int64, optional, tag = "3")]
    int: Option<i64>,
    #[prost(message, optional, tag = "5")]
    list: Option<List>,
}

#[derive(Clone, PartialEq, Message)]
struct List {
    #[prost(message, repeated, tag = "1")]
    values: Vec<AnyValue>,
}

impl AnyValue {
    fn shown(&self) -> String {
        match (&self.text, self.int, &self.list) {
            (Some(text), ..) => text.clone(),
            (_, Some(int), _) => int.to_string(),
            (.., Some(list)) => list.values.iter().map(Self::shown).collect::<Vec<_>>().join(" "),
            _ => String::new(),
        }
    }
}

fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    attributes.iter().find(|found| found.key == key)?.value.as_ref().map(AnyValue::shown)
}

fn telemetry(address: SocketAddr, more: &str) -> String {
    format!("[telemetry]\notlp = \"http://{address}\"\n{more}")
}

/// Every span that was sent until the server closed its side.
fn spans(fixture: &Fixture, collector: &Peer) -> Vec<Span> {
    fixture.state.traces.as_ref().unwrap().close(Duration::from_secs(10));
    let mut spans = Vec::new();
    for heard in collector.heard.try_iter() {
        assert_eq!(heard.path, "/v1/traces");
        for resource in Export::decode(&heard.body[..]).unwrap().resource_spans {
            let about = resource.resource.unwrap().attributes;
            assert_eq!(attribute(&about, "service.name").as_deref(), Some("scorehouse"));
            spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
    spans
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

async fn score(fixture: &Fixture, traceparent: &str) -> Answer {
    let request = Request::post("/v1/models/win/score")
        .header("content-type", "application/json")
        .header("x-request-id", "page-view-1")
        .header("traceparent", HeaderValue::from_str(traceparent).unwrap());
    fixture.send(request.body(Body::from(json!({"entity": "D-1"}).to_string())).unwrap()).await
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_request_is_a_span_of_its_callers_trace_with_model_version_and_views() {
    let collector = Peer::plain(200, "");
    let fixture = Fixture::declaring(&telemetry(collector.address, "sampling = 0\n"));
    assert_eq!(score(&fixture, &format!("00-{TRACE}-{CALLER}-01")).await.status, 200);
    assert_eq!(score(&fixture, &format!("00-{TRACE}-{CALLER}-00")).await.status, 200);
    assert_eq!(score(&fixture, "nonsense").await.status, 200);
    let spans = spans(&fixture, &collector);
    let [span] = &spans[..] else { panic!("the caller decides, and of others none is taken: {spans:?}") };
    assert_eq!((hex(&span.trace_id).as_str(), hex(&span.parent_span_id).as_str()), (TRACE, CALLER));
    assert_eq!((span.name.as_str(), span.kind), ("POST /v1/models/{model}/score", 2));
    assert!(span.span_id.len() == 8 && hex(&span.span_id) != CALLER && span.end >= span.start);
    let said = |key: &str| attribute(&span.attributes, key).unwrap_or_default();
    assert_eq!(said("http.route"), "/v1/models/{model}/score");
    assert_eq!(
        (said("http.request.method"), said("http.response.status_code")),
        ("POST".into(), "200".into())
    );
    assert_eq!((said("scorehouse.model"), said("scorehouse.model_version")), ("win".into(), "1".into()));
    assert_eq!(said("scorehouse.feature_set"), "deal_close");
    assert_eq!(said("scorehouse.request_id"), "page-view-1");
    let views = said("scorehouse.views");
    for view in ["deal@", "deal_facts@", "orders@"] {
        assert!(views.split(' ').any(|one| one.starts_with(view) && one.len() == view.len() + 12), "{views}");
    }
    let text = fixture.state.metrics.text().unwrap();
    assert!(text.contains("scorehouse_spans_total{result=\"sent\"} 1"), "{text}");
}

#[tokio::test]
async fn without_a_caller_that_decides_every_request_begins_a_trace() {
    let collector = Peer::plain(200, "");
    let fixture = Fixture::declaring(&telemetry(collector.address, ""));
    assert_eq!(fixture.get("/v1/models/nothing").await.status, 404);
    let keys = json!({"parameters": {"entity_key": "D-1"}});
    assert_eq!(fixture.post("/v2/models/win/infer", keys).await.status, 200);
    assert_eq!(fixture.post("/v1/models/upsell/recommend", json!({"customer": "A-1"})).await.status, 200);
    let spans = spans(&fixture, &collector);
    let told: Vec<(String, Option<String>)> = spans
        .iter()
        .map(|span| (span.name.clone(), attribute(&span.attributes, "scorehouse.model")))
        .collect();
    let told: Vec<(&str, Option<&str>)> =
        told.iter().map(|(name, model)| (&**name, model.as_deref())).collect();
    assert_eq!(
        told,
        [
            ("GET /v1/models/{model}", None),
            ("POST /v2/models/{model}/infer", Some("win")),
            ("POST /v1/models/{model}/recommend", Some("upsell")),
        ]
    );
    assert!(spans.iter().all(|span| span.parent_span_id.is_empty() && span.trace_id.len() == 16));
    assert!(spans.iter().all(|span| span.status.as_ref().is_none_or(|status| status.code == 0)), "{spans:?}");
    assert_ne!(spans[0].trace_id, spans[1].trace_id);
}

#[tokio::test]
async fn a_collector_that_is_away_costs_its_spans_and_no_answer() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let fixture = Fixture::declaring(&telemetry(closed, ""));
    for _ in 0..3 {
        assert_eq!(fixture.get("/healthz").await.status, 200);
    }
    fixture.state.traces.as_ref().unwrap().close(Duration::from_secs(10));
    let text = fixture.state.metrics.text().unwrap();
    assert!(text.contains("scorehouse_spans_total{result=\"lost\"} 3"), "{text}");
    assert!(Fixture::new().state.traces.is_none(), "no collector, no spans");
}
