//! Is it alive, is it ready, what has it done?

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ServeError;
use crate::live_model::AliasShown;
use crate::state::AppState;

/// Alive: the process answers.
#[utoipa::path(get, path = "/healthz", tag = "operation", responses((status = 200, description = "The answer", body = String)))]
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the server answers, and with what.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReadyAnswer {
    /// True once the stores are open and every alias was followed.
    ready: bool,
    /// Per model its aliases, and what answers for each.
    models: BTreeMap<String, Vec<AliasShown>>,
}

/// Ready: the stores are open, and every version that an alias points to was loaded or refused.
///
/// A refused version does not make the server unready: the others answer, and the version before goes on.
#[utoipa::path(get, path = "/readyz", tag = "operation", responses((status = 200, description = "The answer", body = ReadyAnswer)))]
pub async fn readyz(State(state): State<AppState>) -> Json<ReadyAnswer> {
    Json(ReadyAnswer { ready: true, models: state.live.all().into_iter().collect() })
}

/// Counters and timings in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "operation", responses((status = 200, description = "The answer", body = String)))]
pub async fn metrics(State(state): State<AppState>) -> Result<impl IntoResponse, ServeError> {
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.metrics.text()?))
}
