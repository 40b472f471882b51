//! What became of the scores.

use axum::Json;
use axum::extract::State;

use super::body::{PathOf, QueryOf};
use crate::error::ServeError;
use crate::monitor::Monitored;
use crate::problem::ErrorAnswer;
use crate::service::monitor::{self, PeriodAsked};
use crate::state::AppState;

/// What the answers of a model were worth: calibration, AUC over time, drift from training; of lists, what was bought.
///
/// Answers from the score log meet outcomes. An entity counts once a day; what is not known yet is pending.
#[utoipa::path(
    get,
    path = "/v1/models/{model}/monitor",
    tag = "models",
    params(("model" = String, Path, description = "The model"), PeriodAsked),
    responses((status = 200, description = "The answer", body = Monitored), (status = "4XX", description = "The request was refused", body = ErrorAnswer), (status = "5XX", description = "The server failed", body = ErrorAnswer))
)]
pub async fn monitor(
    State(state): State<AppState>,
    PathOf(model): PathOf<String>,
    QueryOf(asked): QueryOf<PeriodAsked>,
) -> Result<Json<Monitored>, ServeError> {
    let inside = state.clone();
    state.compute.join(move || monitor::monitor(&inside, &model, &asked)).await?.map(Json)
}
