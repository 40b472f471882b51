//! What a span says.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::Open;
use crate::live_model::LiveModel;

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'r> {
    /// The route, its parameters in braces.
    pub route: &'r str,
    /// The HTTP method.
    pub method: &'r str,
    /// The HTTP status; over gRPC, the one that REST would have answered.
    pub status: u16,
    /// The request's id.
    pub id: &'r str,
    /// How long it took.
    pub took: Duration,
}

/// The span, in the words of OpenTelemetry's conventions for HTTP where they have one.
pub fn data(open: Open, ended: &Ended<'_>) -> SpanData {
    let micros = u64::try_from(open.began.0).unwrap_or(0);
    let start = SystemTime::UNIX_EPOCH + Duration::from_micros(micros);
    let mut attributes = vec![
        KeyValue::new("http.request.method", ended.method.to_owned()),
        KeyValue::new("http.route", ended.route.to_owned()),
        KeyValue::new("http.response.status_code", i64::from(ended.status)),
        KeyValue::new("scorehouse.request_id", ended.id.to_owned()),
    ];
    if let Some(model) = open.model.0.get() {
        attributes.extend(about(model));
    }
    SpanData {
        parent_span_is_remote: open.head.parent != opentelemetry::trace::SpanId::INVALID,
        span_context: open.head.context,
        parent_span_id: open.head.parent,
        span_kind: SpanKind::Server,
        name: Cow::Owned(format!("{} {}", ended.method, ended.route)),
        start_time: start,
        end_time: start + ended.took,
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        // A caller's own mistake is no error of a server.
        status: if ended.status >= 500 { Status::error("") } else { Status::Unset },
        instrumentation_scope: InstrumentationScope::builder("scorehouse").build(),
    }
}

/// Which model answered, and which features it read.
fn about(model: &LiveModel) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("scorehouse.model", model.name().to_owned()),
        KeyValue::new("scorehouse.model_version", i64::from(model.version().0)),
    ];
    if let Some(set) = &model.scoring().signature().feature_set {
        attributes.push(KeyValue::new("scorehouse.feature_set", set.name.to_string()));
        let views = model.views().iter().map(|view| StringValue::from(view.clone()));
        let views = Value::Array(Array::String(views.collect()));
        attributes.push(KeyValue::new("scorehouse.views", views));
    }
    attributes
}
