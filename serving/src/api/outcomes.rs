//! What happened after.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;

use super::body::JsonBody;
use super::events::idempotency_key;
use crate::access::Caller;
use crate::error::ServeError;
use crate::problem::ErrorAnswer;
use crate::service::outcomes::{self, OutcomeAnswer, OutcomeRequest};
use crate::state::AppState;

/// Stores outcomes: one, or a list of one model's.
///
/// They land in the source that the project declares for them (a win model's `closed` source), or in the
/// built-in log, and are answered when they are on the disk. A list is stored whole or not at all.
#[utoipa::path(
    post,
    path = "/v1/outcomes",
    tag = "facts",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 200 bytes that name this request")),
    request_body = OutcomeRequest,
    responses((status = 200, description = "The answer", body = OutcomeAnswer), (status = "4XX", description = "The request was refused", body = ErrorAnswer), (status = "5XX", description = "The server failed", body = ErrorAnswer))
)]
pub async fn report(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Json<OutcomeAnswer>, ServeError> {
    let given = outcomes::one_model(body.parse()?)?;
    given.iter().try_for_each(|outcome| caller.check_model(&outcome.model))?;
    let key = idempotency_key(&headers)?;
    let inside = state.clone();
    state.compute.wait(move || outcomes::report(&inside, &given, key.as_deref())).await?.map(Json)
}
