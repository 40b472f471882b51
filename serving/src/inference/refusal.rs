//! Refusals in the protocol's own shape: `{"error": "…"}`.

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::grpc::call;
use crate::error::ServeError;
use crate::problem::ErrorBody;

/// The body of every answer under `/v2` that is not a success.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProtocolError {
    /// What is wrong, in words.
    pub error: String,
}

/// A failure that is told in the protocol's shape; its status is that of the native routes.
#[derive(Debug)]
pub struct Refusal(ServeError);

impl From<ServeError> for Refusal {
    fn from(error: ServeError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = ErrorBody::of(&self.0).message;
        // Status, headers and what is logged are those of any other failure; only the body differs.
        let (mut parts, _) = self.0.into_response().into_parts();
        parts.headers.remove(header::CONTENT_LENGTH);
        let mut answer = (parts.status, parts.headers, Json(ProtocolError { error })).into_response();
        *answer.extensions_mut() = parts.extensions;
        answer
    }
}

/// A failure in the shape that belongs to the path it was met on.
pub fn shaped(path: &str, error: ServeError) -> Response {
    if path == "/v2" || path.starts_with("/v2/") {
        return Refusal(error).into_response();
    }
    if call::is_method(path) {
        return call::refused(&error);
    }
    error.into_response()
}
