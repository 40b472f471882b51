//! Scores.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use scorehouse_features::ids::ModelName;
use scorehouse_models::ModelVersion;

use super::body::{JsonBody, PathOf};
use crate::error::ServeError;
use crate::problem::ErrorAnswer;
use crate::score_log::Asker;
use crate::service::score::{self, ScoreAnswer, ScoreRequest};
use crate::state::AppState;

/// Scores one entity or many, or rows of plain values.
///
/// Features come from the store as of `as_of`; any of them, and request fields, may be given instead. With
/// `reasons` each score says what moved it most, in words. One version answers all rows of a request, save
/// where a challenger has a share of the answers.
#[utoipa::path(
    post,
    path = "/v1/models/{model}/score",
    tag = "scores",
    params(("model" = String, Path, description = "The model")),
    request_body = ScoreRequest,
    responses((status = 200, description = "The answer", body = ScoreAnswer), (status = "4XX", description = "The request was refused", body = ErrorAnswer), (status = "5XX", description = "The server failed", body = ErrorAnswer))
)]
pub async fn score(
    State(state): State<AppState>,
    PathOf(model): PathOf<String>,
    asker: Asker,
    body: JsonBody,
) -> Result<Response, ServeError> {
    let request: ScoreRequest<'_> = body.object()?;
    state.score_log.room().await?;
    ensure(&state, &model, request.version).await?;
    if score::is_small(&request) {
        return score::score(&state, asker, &model, &request).map(json);
    }
    drop(request);
    let inside = state.clone();
    state.compute.spread(move || score::score(&inside, asker, &model, &body.object()?)).await?.map(json)
}

/// Loads a version that a request names by number, if it is not loaded yet.
///
/// # Errors
/// [`ServeError::Unknown`] and [`ServeError::VersionRefused`].
pub async fn ensure(state: &AppState, model: &str, version: Option<u32>) -> Result<(), ServeError> {
    let Some(version) = version.filter(|version| !state.live.has(model, *version)) else { return Ok(()) };
    let Ok(model) = ModelName::new(model) else { return Ok(()) };
    let inside = state.clone();
    let load = move || inside.live.ensure(&model, ModelVersion(version));
    state.compute.wait(load).await?.map(drop)
}

/// JSON that is already written.
pub fn json(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], bytes).into_response()
}
