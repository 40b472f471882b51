//! Answers where no route, or no method of a route, fits.

use axum::http::{Method, Uri};
use axum::response::Response;

use crate::error::ServeError;
use crate::inference::refusal::shaped;

/// No route has this path.
pub async fn unknown_route(uri: Uri) -> Response {
    shaped(uri.path(), ServeError::UnknownRoute { path: uri.path().chars().take(200).collect() })
}

/// The route does not take this method.
pub async fn wrong_method(method: Method, uri: Uri) -> Response {
    shaped(uri.path(), ServeError::WrongMethod { method: method.as_str().chars().take(40).collect() })
}
