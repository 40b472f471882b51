//! Every route and who may ask it, on one screen.

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, get, post, put};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::access::Role::{self, Operator, Rep, Scientist, Service, Storefront};
use crate::access::{Guard, guard};
use crate::api::{
    audit, changes, docs, entities, events, fallback, features, forecast, health, history, models, monitor,
    outcomes, page, project, recommend, score, webhooks,
};
use crate::inference::grpc::{call, health as grpc_health, methods as grpc};
use crate::inference::handlers as v2;
use crate::state::AppState;
use crate::telemetry::observe;

const ALL: &[Role] = &Role::ALL;
const PEOPLE: &[Role] = &[Rep, Service, Scientist, Operator];
const SENDERS: &[Role] = &[Storefront, Service, Operator];
const MAKERS: &[Role] = &[Scientist, Operator];
const OPERATORS: &[Role] = &[Operator];

/// The table of routes: a new one is closed until its line says who may ask.
#[must_use]
pub fn table() -> Vec<Route> {
    vec![
        Route::get("/", Who::Anyone, page::index),
        Route::get("/ui/style.css", Who::Anyone, page::style),
        Route::get("/ui/app.js", Who::Anyone, page::script),
        Route::get("/ui/icon.svg", Who::Anyone, page::icon),
        Route::get("/healthz", Who::Anyone, health::healthz),
        Route::get("/readyz", Who::Anyone, health::readyz),
        Route::get("/metrics", Who::OpenedOr(MAKERS), health::metrics),
        Route::get("/openapi.json", Who::Anyone, docs::openapi),
        Route::get("/docs/errors", Who::Anyone, docs::errors),
        Route::get("/v1/project", Who::Only(ALL), project::show),
        Route::get("/v1/models", Who::Only(ALL), models::list),
        Route::get("/v1/models/{model}", Who::Only(PEOPLE), models::show),
        Route::get("/v1/models/{model}/board", Who::Only(PEOPLE), models::board),
        Route::put("/v1/models/{model}/aliases/{alias}", Who::Only(MAKERS), models::move_alias),
        Route::post("/v1/models/{model}/score", Who::Only(ALL), score::score),
        Route::post("/v1/models/{model}/forecast", Who::Only(PEOPLE), forecast::forecast),
        Route::post("/v1/models/{model}/recommend", Who::Only(ALL), recommend::recommend),
        Route::post("/v1/events/{source}", Who::Only(SENDERS), events::push),
        Route::post("/v1/outcomes", Who::Only(SENDERS), outcomes::report),
        Route::post("/v1/features/online", Who::Only(PEOPLE), features::online),
        Route::post("/v1/features/history", Who::Only(MAKERS), history::history),
        Route::get("/v1/entities/{entity}", Who::Only(PEOPLE), entities::keys),
        Route::get("/v1/entities/{entity}/{key}", Who::Only(PEOPLE), entities::features),
        Route::get("/v1/models/{model}/monitor", Who::Only(MAKERS), monitor::monitor),
        Route::get("/v1/audit", Who::Only(OPERATORS), audit::trail),
        Route::get("/v1/changes", Who::Only(PEOPLE), changes::listen),
        Route::get("/v1/deliveries", Who::Only(OPERATORS), webhooks::deliveries),
        Route::post("/v1/webhooks/{webhook}/redeliver", Who::Only(OPERATORS), webhooks::redeliver),
        Route::get("/v2", Who::Anyone, v2::server),
        Route::get("/v2/health/live", Who::Anyone, v2::live),
        Route::get("/v2/health/ready", Who::Anyone, v2::ready),
        Route::get("/v2/models/{model}", Who::Only(ALL), v2::metadata),
        Route::get("/v2/models/{model}/ready", Who::Only(ALL), v2::model_ready),
        Route::post("/v2/models/{model}/infer", Who::Only(ALL), v2::infer),
        Route::get("/v2/models/{model}/versions/{version}", Who::Only(ALL), v2::version_metadata),
        Route::get("/v2/models/{model}/versions/{version}/ready", Who::Only(ALL), v2::version_ready),
        Route::post("/v2/models/{model}/versions/{version}/infer", Who::Only(ALL), v2::version_infer),
        Route::post("/v2/repository/index", Who::Only(MAKERS), v2::index),
        Route::post("/v2/repository/models/{model}/load", Who::Only(OPERATORS), v2::load),
        Route::post("/v2/repository/models/{model}/unload", Who::Only(OPERATORS), v2::unload),
    ]
}

/// The methods of the second port: each may be called by whoever may ask the same over REST.
#[must_use]
pub fn methods() -> Vec<Route> {
    vec![
        Route::post("/grpc.health.v1.Health/Check", Who::Anyone, grpc_health::check),
        Route::post("/grpc.health.v1.Health/Watch", Who::Anyone, grpc_health::watch),
        Route::post("/inference.GRPCInferenceService/ServerLive", Who::Anyone, grpc::server_live),
        Route::post("/inference.GRPCInferenceService/ServerReady", Who::Anyone, grpc::server_ready),
        Route::post("/inference.GRPCInferenceService/ServerMetadata", Who::Anyone, grpc::server_metadata),
        Route::post("/inference.GRPCInferenceService/ModelReady", Who::Only(ALL), grpc::model_ready),
        Route::post("/inference.GRPCInferenceService/ModelMetadata", Who::Only(ALL), grpc::model_metadata),
        Route::post("/inference.GRPCInferenceService/ModelInfer", Who::Only(ALL), grpc::model_infer),
        Route::post("/inference.GRPCInferenceService/RepositoryIndex", Who::Only(MAKERS), grpc::index),
        Route::post("/inference.GRPCInferenceService/RepositoryModelLoad", Who::Only(OPERATORS), grpc::load),
        Route::post(
            "/inference.GRPCInferenceService/RepositoryModelUnload",
            Who::Only(OPERATORS),
            grpc::unload,
        ),
    ]
}

/// Who may ask a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Anyone, without a credential.
    Anyone,
    /// Callers of these roles.
    Only(&'static [Role]),
    /// Callers of these roles; anyone when the project says `[access] metrics = "open"`.
    OpenedOr(&'static [Role]),
}

/// One line of the table.
pub struct Route {
    /// The HTTP method.
    pub method: &'static str,
    /// The path with its parameters in braces.
    pub path: &'static str,
    /// Who may ask.
    pub who: Who,
    handler: MethodRouter<AppState>,
}

impl Route {
    fn get<H: Handler<T, AppState>, T: 'static>(path: &'static str, who: Who, handler: H) -> Self {
        Self { method: "GET", path, who, handler: get(handler) }
    }

    fn post<H: Handler<T, AppState>, T: 'static>(path: &'static str, who: Who, handler: H) -> Self {
        Self { method: "POST", path, who, handler: post(handler) }
    }

    fn put<H: Handler<T, AppState>, T: 'static>(path: &'static str, who: Who, handler: H) -> Self {
        Self { method: "PUT", path, who, handler: put(handler) }
    }

    fn guarded(self, state: &AppState) -> MethodRouter<AppState> {
        let open_metrics = state.project.access.open_metrics;
        let roles = match self.who {
            Who::Anyone => return self.handler,
            Who::OpenedOr(_) if open_metrics => return self.handler,
            Who::Only(roles) | Who::OpenedOr(roles) => roles,
        };
        self.handler.route_layer(from_fn_with_state(Guard { state: state.clone(), roles }, guard))
    }
}

/// The server's routes over `state`; a test calls it with parts of its own.
pub fn app(state: AppState) -> Router {
    let add = |router: Router<AppState>, route: Route| router.route(route.path, route.guarded(&state));
    let router = table()
        .into_iter()
        .fold(Router::new(), add)
        .fallback(fallback::unknown_route)
        .method_not_allowed_fallback(fallback::wrong_method);
    observed(router, &state)
}

/// The methods that the second port answers over `state`.
pub fn grpc_app(state: AppState) -> Router {
    let add = |router: Router<AppState>, route: Route| router.route(route.path, route.guarded(&state));
    let router = methods()
        .into_iter()
        .fold(Router::new(), add)
        .fallback(call::unknown_method)
        .method_not_allowed_fallback(call::unknown_method);
    observed(router, &state).layer(from_fn(call::with_host))
}

/// Puts around `routes` what stands around every request: body limit, id, time limit, counting, and the net
/// under a panic.
pub fn observed(routes: Router<AppState>, state: &AppState) -> Router {
    let settings = &state.project.settings;
    let routes = routes
        .layer(DefaultBodyLimit::max(settings.body_limit))
        .layer(from_fn_with_state(state.clone(), observe))
        .with_state(state.clone());
    if settings.origins.is_empty() { routes } else { routes.layer(cross_origin(&settings.origins)) }
}

/// What pages of the declared origins may do. Credentials are headers that such a page sets itself, never
/// cookies, so that a browser sends none on its own.
fn cross_origin(origins: &[String]) -> CorsLayer {
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    let name = HeaderName::from_static;
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PUT])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            name("x-api-key"),
            name("idempotency-key"),
            name("last-event-id"),
            name("x-request-id"),
        ])
        .expose_headers([header::RETRY_AFTER, name("x-request-id")])
        .max_age(Duration::from_secs(600))
}
