//! Models, versions and aliases.

use axum::Json;
use axum::extract::State;

use super::body::{JsonBody, PathOf, QueryOf};
use crate::access::{Caller, Via};
use crate::error::ServeError;
use crate::problem::ErrorAnswer;
use crate::service::board::{self, BoardAnswer, BoardAsked};
use crate::service::models::{self, AliasAnswer, AliasRequest, ModelAnswer, ModelsAnswer};
use crate::state::AppState;

/// All models that the project declares or the registry knows, with their aliases.
#[utoipa::path(
    get,
    path = "/v1/models",
    tag = "models",
    responses((status = 200, description = "The answer", body = ModelsAnswer), (status = "5XX", description = "The server failed", body = ErrorAnswer))
)]
pub async fn list(State(state): State<AppState>, caller: Caller) -> Result<Json<ModelsAnswer>, ServeError> {
    let inside = state.clone();
    let mut all = state.compute.wait(move || models::list(&inside)).await??;
    all.models.retain(|model| caller.may_use(&model.name));
    Ok(Json(all))
}

/// One model with its versions and every change to it.
#[utoipa::path(
    get,
    path = "/v1/models/{model}",
    tag = "models",
    params(("model" = String, Path, description = "The model")),
    responses((status = 200, description = "The answer", body = ModelAnswer), (status = "4XX", description = "The request was refused", body = ErrorAnswer), (status = "5XX", description = "The server failed", body = ErrorAnswer))
)]
pub async fn show(
    State(state): State<AppState>,
    PathOf(model): PathOf<String>,
) -> Result<Json<ModelAnswer>, ServeError> {
    let inside = state.clone();
    state.compute.wait(move || models::show(&inside, &model)).await?.map(Json)
}

/// Points an alias to a version.
///
/// The version is loaded and tried on its golden samples before anything moves; requests under way end with
/// the version they began with. Other servers on the same registry follow within a second.
#[utoipa::path(
    put,
    path = "/v1/models/{model}/aliases/{alias}",
    tag = "models",
    params(
        ("model" = String, Path, description = "The model"),
        ("alias" = String, Path, description = "The alias, such as champion"),
    ),
    request_body = AliasRequest,
    responses((status = 200, description = "The answer", body = AliasAnswer), (status = "4XX", description = "The request was refused", body = ErrorAnswer), (status = "5XX", description = "The server failed", body = ErrorAnswer))
)]
pub async fn move_alias(
    State(state): State<AppState>,
    caller: Caller,
    PathOf((model, alias)): PathOf<(String, String)>,
    body: JsonBody,
) -> Result<Json<AliasAnswer>, ServeError> {
    let mut request: AliasRequest = body.object()?;
    if caller.via() != Via::Open {
        // Whoever proved a name is written down under it.
        request.who = Some(caller.name().to_owned());
    }
    let inside = state.clone();
    state.compute.wait(move || models::move_alias(&inside, &model, &alias, &request)).await?.map(Json)
}

/// What is open now, the most probable first, with trend and reasons; for models of pipeline `win`.
#[utoipa::path(
    get,
    path = "/v1/models/{model}/board",
    tag = "scores",
    params(("model" = String, Path, description = "The model"), BoardAsked),
    responses((status = 200, description = "The answer", body = BoardAnswer), (status = "4XX", description = "The request was refused", body = ErrorAnswer), (status = "5XX", description = "The server failed", body = ErrorAnswer))
)]
pub async fn board(
    State(state): State<AppState>,
    caller: Caller,
    PathOf(model): PathOf<String>,
    QueryOf(asked): QueryOf<BoardAsked>,
) -> Result<Json<BoardAnswer>, ServeError> {
    let inside = state.clone();
    state.compute.work(move || board::board(&inside, &caller, &model, &asked)).await?.map(Json)
}
