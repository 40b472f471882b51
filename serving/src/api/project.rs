//! What the project declares.

use axum::Json;
use axum::extract::State;

use crate::service::project::{self, ProjectAnswer};
use crate::state::AppState;

/// Entities, sources, views, feature sets and models, as the project file declares them.
#[utoipa::path(get, path = "/v1/project", tag = "models", responses((status = 200, description = "The answer", body = ProjectAnswer)))]
pub async fn show(State(state): State<AppState>) -> Json<ProjectAnswer> {
    Json(project::project(&state.project))
}
