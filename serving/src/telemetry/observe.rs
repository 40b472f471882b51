//! What happens around every request: its id, its time limit, its count, and the net under a panic.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use futures::FutureExt;
use prometheus::IntGauge;

use super::trace::{Answering, Ended};
use crate::error::ServeError;
use crate::inference::grpc::call::deadline;
use crate::inference::refusal::shaped;
use crate::problem::{AnsweredAs, FailureTold};
use crate::server::give_way;
use crate::state::AppState;

/// The header that carries a request's id in both directions.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request's id and, where a span is made of it, where its model is left, for whoever handles it.
#[derive(Debug, Clone)]
pub struct RequestId(pub HeaderValue, pub Option<Answering>);

static NEXT: AtomicU64 = AtomicU64::new(1);

/// Keeps a caller's own id when it is short and printable, else counts.
fn request_id(request: &Request) -> HeaderValue {
    let given = request.headers().get(&REQUEST_ID);
    let fit = |id: &&HeaderValue| id.len() <= 100 && !id.is_empty() && id.to_str().is_ok();
    given.filter(fit).cloned().unwrap_or_else(|| HeaderValue::from(NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Wraps a handler: id, time limit, count, and a panic turned into an answer.
pub async fn observe(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request_id(&request);
    let span = state.traces.as_ref().and_then(|traces| traces.begin(&request));
    request.extensions_mut().insert(RequestId(id.clone(), span.as_ref().map(|span| span.model.clone())));
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let under_way = UnderWay::begin(state.metrics.in_flight());
    let mut answer = match has_room(&state, route) {
        true => guarded(&state, request, next).await,
        false => shaped(request.uri().path(), ServeError::Overloaded { retry_after: 1 }),
    };
    drop(under_way);
    give_way();
    let took = began.elapsed();
    let status = answer.extensions().get::<AnsweredAs>().map_or(answer.status().as_u16(), |told| told.0);
    state.metrics.request(route, known_method(method.as_str()), status, took);
    let shown = id.to_str().unwrap_or_default();
    if let Some(FailureTold(error)) = answer.extensions_mut().remove::<FailureTold>() {
        match status {
            500 => {
                tracing::error!(id = shown, %method, route, %error, "a request failed by a fault of the server")
            }
            _ => tracing::warn!(id = shown, %method, route, status, %error, "a request failed"),
        }
    }
    if let (Some(traces), Some(span)) = (&state.traces, span) {
        traces.end(span, &Ended { route, method: known_method(method.as_str()), status, id: shown, took });
    }
    tracing::debug!(id = shown, %method, route, status, micros = took.as_micros() as u64, "answered");
    answer.headers_mut().insert(REQUEST_ID, id);
    answer
}

/// Counts a request as under way until it is answered or its caller has gone away: then the handler is dropped
/// where it waits, and nothing after it runs.
struct UnderWay<'a>(&'a IntGauge);

impl<'a> UnderWay<'a> {
    fn begin(gauge: &'a IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// False when more requests are under way than the project allows. Probes always find room, or a busy server
/// would be taken for a dead one.
fn has_room(state: &AppState, route: &str) -> bool {
    let most = i64::try_from(state.project.settings.requests).unwrap_or(i64::MAX);
    state.metrics.in_flight().get() <= most
        || matches!(
            route,
            "/healthz"
                | "/readyz"
                | "/v2/health/live"
                | "/v2/health/ready"
                | "/inference.GRPCInferenceService/ServerLive"
                | "/inference.GRPCInferenceService/ServerReady"
                | "/grpc.health.v1.Health/Check"
                | "/grpc.health.v1.Health/Watch"
        )
}

/// The method as a label: an invented one must not make a new time series.
fn known_method(method: &str) -> &str {
    match method {
        "GET" | "POST" | "PUT" | "DELETE" | "HEAD" | "OPTIONS" | "PATCH" => method,
        _ => "other",
    }
}

async fn guarded(state: &AppState, request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    let given = match deadline(&request) {
        Ok(given) => given.filter(|given| *given < state.timeout),
        Err(error) => return shaped(uri.path(), error),
    };
    let limit = given.unwrap_or(state.timeout);
    let passed = || match given {
        Some(limit) => ServeError::DeadlinePassed { limit },
        None => ServeError::TimedOut { seconds: limit.as_secs() },
    };
    if limit.is_zero() {
        return shaped(uri.path(), passed());
    }
    let run = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(limit, run).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_panic)) => {
            state.metrics.panics().inc();
            shaped(uri.path(), ServeError::Bug { message: "a handler panicked".into() })
        }
        Err(_) => shaped(uri.path(), passed()),
    }
}
