//! What open deals come to.

use axum::Json;
use axum::extract::State;

use super::body::{JsonBody, PathOf};
use super::score::ensure;
use crate::access::Caller;
use crate::error::ServeError;
use crate::problem::ErrorAnswer;
use crate::service::forecast::{self, ForecastAnswer, ForecastBody};
use crate::state::AppState;

/// The amount won in a period: what is won already, what of the open deals, and what of deals yet to come.
///
/// By simulation over calibrated deals that hang together as much as they did before; against targets and commits,
/// where the project declares them. Deals that the caller may not see do not count.
#[utoipa::path(
    post,
    path = "/v1/models/{model}/forecast",
    tag = "scores",
    params(("model" = String, Path, description = "The model")),
    request_body = ForecastBody,
    responses((status = 200, description = "The answer", body = ForecastAnswer), (status = "4XX", description = "The request was refused", body = ErrorAnswer), (status = "5XX", description = "The server failed", body = ErrorAnswer))
)]
pub async fn forecast(
    State(state): State<AppState>,
    caller: Caller,
    PathOf(model): PathOf<String>,
    body: JsonBody,
) -> Result<Json<ForecastAnswer>, ServeError> {
    let body: ForecastBody = body.object()?;
    ensure(&state, &model, body.version).await?;
    let inside = state.clone();
    state.compute.join(move || forecast::forecast(&inside, &caller, &model, &body)).await?.map(Json)
}
