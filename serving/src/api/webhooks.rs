//! What is still to be delivered to webhooks, and what was given up.

use axum::Json;
use axum::extract::State;

use super::body::{JsonBody, PathOf, QueryOf};
use crate::access::Caller;
use crate::error::ServeError;
use crate::problem::ErrorAnswer;
use crate::service::changes::{self, DeliveriesAnswer, DeliveriesAsked, RedeliverAnswer, RedeliverRequest};
use crate::state::AppState;

/// Deliveries that wait or were given up, the oldest first.
#[utoipa::path(
    get,
    path = "/v1/deliveries",
    tag = "operation",
    params(DeliveriesAsked),
    responses((status = 200, description = "The answer", body = DeliveriesAnswer), (status = "4XX", description = "The request was refused", body = ErrorAnswer), (status = "5XX", description = "The server failed", body = ErrorAnswer))
)]
pub async fn deliveries(
    State(state): State<AppState>,
    QueryOf(asked): QueryOf<DeliveriesAsked>,
) -> Result<Json<DeliveriesAnswer>, ServeError> {
    let inside = state.clone();
    state.compute.wait(move || changes::deliveries(&inside, &asked)).await?.map(Json)
}

/// Delivers again what was given up.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{webhook}/redeliver",
    tag = "operation",
    params(("webhook" = String, Path, description = "The webhook")),
    request_body = RedeliverRequest,
    responses((status = 200, description = "The answer", body = RedeliverAnswer), (status = "4XX", description = "The request was refused", body = ErrorAnswer), (status = "5XX", description = "The server failed", body = ErrorAnswer))
)]
pub async fn redeliver(
    State(state): State<AppState>,
    caller: Caller,
    PathOf(webhook): PathOf<String>,
    body: JsonBody,
) -> Result<Json<RedeliverAnswer>, ServeError> {
    let request: RedeliverRequest = body.object()?;
    let inside = state.clone();
    state.compute.wait(move || changes::redeliver(&inside, &caller, &webhook, &request)).await?.map(Json)
}
