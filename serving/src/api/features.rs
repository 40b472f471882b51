//! Features for models that are scored elsewhere.

use axum::extract::State;
use axum::response::Response;

use super::body::JsonBody;
use super::score::json;
use crate::access::Caller;
use crate::error::ServeError;
use crate::problem::ErrorAnswer;
use crate::service::features::{self, FeaturesAnswer, FeaturesRequest};
use crate::state::AppState;

/// Features of many entities as of one moment, now if none is given: those of a feature set, or any of one entity.
///
/// Values are those that a score would be computed from at that moment.
#[utoipa::path(
    post,
    path = "/v1/features/online",
    tag = "facts",
    request_body = FeaturesRequest,
    responses((status = 200, description = "The answer", body = FeaturesAnswer), (status = "4XX", description = "The request was refused", body = ErrorAnswer), (status = "5XX", description = "The server failed", body = ErrorAnswer))
)]
pub async fn online(
    State(state): State<AppState>,
    caller: Caller,
    body: JsonBody,
) -> Result<Response, ServeError> {
    let request: FeaturesRequest<'_> = body.object()?;
    if features::is_small(&state, &request) {
        return features::features(&state, &caller, &request)?.to_json().map(json);
    }
    drop(request);
    let inside = state.clone();
    let work = move || features::features(&inside, &caller, &body.object()?)?.to_json();
    state.compute.spread(work).await?.map(json)
}
