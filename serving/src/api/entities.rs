//! What is known of an entity.

use axum::Json;
use axum::extract::State;

use super::body::{PathOf, QueryOf};
use crate::access::Caller;
use crate::error::ServeError;
use crate::problem::ErrorAnswer;
use crate::service::entities::{self, EntityAnswer, KeysAnswer, MomentAsked, PageAsked};
use crate::state::AppState;

/// The keys of an entity, page by page.
#[utoipa::path(
    get,
    path = "/v1/entities/{entity}",
    tag = "facts",
    params(("entity" = String, Path, description = "The kind of entity, such as customer"), PageAsked),
    responses((status = 200, description = "The answer", body = KeysAnswer), (status = "4XX", description = "The request was refused", body = ErrorAnswer))
)]
pub async fn keys(
    State(state): State<AppState>,
    caller: Caller,
    PathOf(entity): PathOf<String>,
    QueryOf(page): QueryOf<PageAsked>,
) -> Result<Json<KeysAnswer>, ServeError> {
    let inside = state.clone();
    state.compute.wait(move || entities::keys(&inside, &caller, &entity, &page)).await?.map(Json)
}

/// All features of one entity, each with the reason if it is missing.
#[utoipa::path(
    get,
    path = "/v1/entities/{entity}/{key}",
    tag = "facts",
    params(
        ("entity" = String, Path, description = "The kind of entity, such as customer"),
        ("key" = String, Path, description = "Its key"),
        MomentAsked,
    ),
    responses((status = 200, description = "The answer", body = EntityAnswer), (status = "4XX", description = "The request was refused", body = ErrorAnswer))
)]
pub async fn features(
    State(state): State<AppState>,
    caller: Caller,
    PathOf((entity, key)): PathOf<(String, String)>,
    QueryOf(moment): QueryOf<MomentAsked>,
) -> Result<Json<EntityAnswer>, ServeError> {
    entities::features(&state, &caller, (&entity, &key), &moment).map(Json)
}
