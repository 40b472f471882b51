//! The trail of changes.

use axum::Json;
use axum::extract::State;

use super::body::QueryOf;
use crate::error::ServeError;
use crate::problem::ErrorAnswer;
use crate::service::audit::{self, AuditAnswer, AuditAsked};
use crate::state::AppState;

/// Every change to models, aliases and keys, the newest first: who, when, what and why.
#[utoipa::path(
    get,
    path = "/v1/audit",
    tag = "operation",
    params(AuditAsked),
    responses((status = 200, description = "The answer", body = AuditAnswer), (status = "4XX", description = "The request was refused", body = ErrorAnswer), (status = "5XX", description = "The server failed", body = ErrorAnswer))
)]
pub async fn trail(
    State(state): State<AppState>,
    QueryOf(asked): QueryOf<AuditAsked>,
) -> Result<Json<AuditAnswer>, ServeError> {
    let inside = state.clone();
    state.compute.wait(move || audit::trail(&inside, &asked)).await?.map(Json)
}
