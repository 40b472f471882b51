//! Pushed facts.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;

use super::body::{AnyBody, BodyKind, PathOf, utf8, wrong_content_type};
use crate::error::ServeError;
use crate::problem::ErrorAnswer;
use crate::service::events::{self, EventAnswer, Pushed};
use crate::state::AppState;

/// Stores events of a source.
///
/// The body is one JSON object, a list of them, or one a line (`application/x-ndjson`); fields are the
/// source's columns. A request is stored whole or not at all, and answered when it is on the disk. With an
/// `Idempotency-Key` header a request may be sent again without being stored twice.
#[utoipa::path(
    post,
    path = "/v1/events/{source}",
    tag = "facts",
    params(
        ("source" = String, Path, description = "The source"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 200 bytes that name this request"),
    ),
    request_body(content(
        (serde_json::Value = "application/json"),
        (String = "application/x-ndjson"),
    )),
    responses((status = 200, description = "The answer", body = EventAnswer), (status = "4XX", description = "The request was refused", body = ErrorAnswer), (status = "5XX", description = "The server failed", body = ErrorAnswer))
)]
pub async fn push(
    State(state): State<AppState>,
    PathOf(source): PathOf<String>,
    headers: HeaderMap,
    body: AnyBody,
) -> Result<Json<EventAnswer>, ServeError> {
    events::reader(&state, &source)?;
    let pushed = pushed(&headers, &body)?;
    let key = idempotency_key(&headers)?;
    let inside = state.clone();
    let work = move || events::push(&inside, &source, &pushed, key.as_deref());
    state.compute.wait(work).await?.map(Json)
}

fn pushed(headers: &HeaderMap, body: &AnyBody) -> Result<Pushed, ServeError> {
    match body.kind {
        BodyKind::Json => Pushed::json(utf8(&body.bytes)?),
        BodyKind::NdJson => Pushed::lines(utf8(&body.bytes)?),
        _ => Err(wrong_content_type(headers, "application/json or application/x-ndjson")),
    }
}

/// The `Idempotency-Key` header.
///
/// # Errors
/// [`ServeError::InvalidParameter`] when it is not printable ASCII.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ServeError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().map_err(|_| ServeError::InvalidParameter {
        message: "Idempotency-Key must be printable ASCII".into(),
    })?;
    Ok(Some(text.to_owned()))
}
