//! Recommendations.

use axum::extract::State;
use axum::response::Response;

use super::body::{JsonBody, PathOf};
use super::score::{ensure, json};
use crate::error::ServeError;
use crate::problem::ErrorAnswer;
use crate::score_log::Asker;
use crate::server::has_one_connection;
use crate::service::recommend::{self, RecommendAnswer, RecommendRequest};
use crate::state::AppState;

/// Recommends products for a customer, a basket or a stranger.
///
/// The model's rules are evaluated for every product at the moment of the request: none is shown that breaks
/// one, or that the customer has just bought.
#[utoipa::path(
    post,
    path = "/v1/models/{model}/recommend",
    tag = "scores",
    params(("model" = String, Path, description = "The model")),
    request_body = RecommendRequest,
    responses((status = 200, description = "The answer", body = RecommendAnswer), (status = "4XX", description = "The request was refused", body = ErrorAnswer), (status = "5XX", description = "The server failed", body = ErrorAnswer))
)]
pub async fn recommend(
    State(state): State<AppState>,
    PathOf(model): PathOf<String>,
    asker: Asker,
    body: JsonBody,
) -> Result<Response, ServeError> {
    let version = body.object::<RecommendRequest<'_>>()?.version;
    state.score_log.room().await?;
    ensure(&state, &model, version).await?;
    if has_one_connection() {
        return recommend::recommend(&state, asker, &model, &body.object()?).map(json);
    }
    let inside = state.clone();
    state.compute.work(move || recommend::recommend(&inside, asker, &model, &body.object()?)).await?.map(json)
}
