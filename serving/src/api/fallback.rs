//! Answers where no route, or no method of a route, fits.

use axum::http::{Method, Uri};

use crate::error::ServeError;

/// No route has this path.
pub async fn unknown_route(uri: Uri) -> ServeError {
    ServeError::UnknownRoute { path: uri.path().chars().take(200).collect() }
}

/// The route does not take this method.
pub async fn wrong_method(method: Method) -> ServeError {
    ServeError::WrongMethod { method: method.as_str().chars().take(40).collect() }
}
