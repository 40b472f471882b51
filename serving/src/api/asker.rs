//! Who asks, taken from a request for the score log.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::score_log::Asker;
use crate::state::AppState;
use crate::telemetry::RequestId;

impl FromRequestParts<AppState> for Asker {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &AppState) -> Result<Self, Infallible> {
        let request = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
        Ok(Self { caller: None, request })
    }
}
