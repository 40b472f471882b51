//! The standard health protocol (`grpc.health.v1.Health`), which load balancers and clients ask: it serves until it stops.

use axum::extract::{Request, State};
use axum::response::Response;
use futures::{StreamExt, stream};
use prost::Message;

use super::call::{SERVICE, streaming, unary};
use crate::error::ServeError;
use crate::server::Connected;
use crate::state::AppState;

/// It answers.
const SERVING: i32 = 1;
/// It is about to stop.
const NOT_SERVING: i32 = 2;
/// There is no such service.
const SERVICE_UNKNOWN: i32 = 3;

/// Whose health is asked for.
#[derive(Clone, PartialEq, Message)]
pub struct HealthQuestion {
    /// The service; empty for the server as a whole.
    #[prost(string, tag = "1")]
    pub service: String,
}

/// How it is.
#[derive(Clone, PartialEq, Message)]
pub struct HealthAnswer {
    /// 1: it serves, 2: it does not, 3: it is not known.
    #[prost(int32, tag = "1")]
    pub status: i32,
}

/// How a service is now.
pub async fn check(State(state): State<AppState>, request: Request) -> Response {
    let inside = state.clone();
    let answer = |asked: HealthQuestion| async move {
        match status(&inside, &asked.service) {
            SERVICE_UNKNOWN => Err(ServeError::UnknownRoute { path: asked.service }),
            status => Ok(HealthAnswer { status }),
        }
    };
    unary(&state, request, answer).await
}

/// How a service is now, and whenever that changes: until the server stops.
pub async fn watch(State(state): State<AppState>, request: Request) -> Response {
    let inside = state.clone();
    // Who watches keeps the connection, though nothing more is asked.
    let held = request.extensions().get::<Connected>().map(Connected::hold);
    let answer = |asked: HealthQuestion| {
        let now = status(&inside, &asked.service);
        let later = async move {
            let _held = held;
            inside.changes.closed().await;
            NOT_SERVING
        };
        let last = stream::once(later).filter(move |_| std::future::ready(now == SERVING));
        stream::once(std::future::ready(now)).chain(last).map(|status| HealthAnswer { status })
    };
    streaming(&state, request, answer).await
}

fn status(state: &AppState, service: &str) -> i32 {
    if !service.is_empty() && service != SERVICE.trim_matches('/') {
        return SERVICE_UNKNOWN;
    }
    if state.changes.is_closing() { NOT_SERVING } else { SERVING }
}
