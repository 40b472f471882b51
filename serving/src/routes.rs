//! Every route, on one screen.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};

use crate::api::{
    docs, entities, events, fallback, health, history, models, monitor, outcomes, page, project, recommend,
    score,
};
use crate::inference::handlers as v2;
use crate::state::AppState;
use crate::telemetry::observe;

/// The server's routes over `state`; a test calls it with parts of its own.
pub fn app(state: AppState) -> Router {
    let routes = Router::new()
        .route("/", get(page::index))
        .route("/ui/style.css", get(page::style))
        .route("/ui/app.js", get(page::script))
        .route("/ui/icon.svg", get(page::icon))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .route("/openapi.json", get(docs::openapi))
        .route("/docs/errors", get(docs::errors))
        .route("/v1/project", get(project::show))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{model}", get(models::show))
        .route("/v1/models/{model}/board", get(models::board))
        .route("/v1/models/{model}/monitor", get(monitor::monitor))
        .route("/v1/models/{model}/aliases/{alias}", put(models::move_alias))
        .route("/v1/models/{model}/score", post(score::score))
        .route("/v1/models/{model}/recommend", post(recommend::recommend))
        .route("/v1/events/{source}", post(events::push))
        .route("/v1/outcomes", post(outcomes::report))
        .route("/v1/features/history", post(history::history))
        .route("/v1/entities/{entity}", get(entities::keys))
        .route("/v1/entities/{entity}/{key}", get(entities::features))
        .route("/v2", get(v2::server))
        .route("/v2/health/live", get(v2::live))
        .route("/v2/health/ready", get(v2::ready))
        .route("/v2/models/{model}", get(v2::metadata))
        .route("/v2/models/{model}/ready", get(v2::model_ready))
        .route("/v2/models/{model}/infer", post(v2::infer))
        .route("/v2/models/{model}/versions/{version}", get(v2::version_metadata))
        .route("/v2/models/{model}/versions/{version}/ready", get(v2::version_ready))
        .route("/v2/models/{model}/versions/{version}/infer", post(v2::version_infer))
        .route("/v2/repository/index", post(v2::index))
        .route("/v2/repository/models/{model}/load", post(v2::load))
        .route("/v2/repository/models/{model}/unload", post(v2::unload))
        .fallback(fallback::unknown_route)
        .method_not_allowed_fallback(fallback::wrong_method);
    observed(routes, &state)
}

/// Puts around `routes` what stands around every request: body limit, id, time limit, counting, and the net
/// under a panic.
pub fn observed(routes: Router<AppState>, state: &AppState) -> Router {
    routes
        .layer(DefaultBodyLimit::max(state.project.settings.body_limit))
        .layer(from_fn_with_state(state.clone(), observe))
        .with_state(state.clone())
}
