//! Who asks, taken from a request for the score log.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::access::Caller;
use crate::error::ServeError;
use crate::score_log::Asker;
use crate::state::AppState;
use crate::telemetry::RequestId;

impl FromRequestParts<AppState> for Asker {
    type Rejection = ServeError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ServeError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let told = parts.extensions.get::<RequestId>().cloned();
        let (request, answering) = told.map_or((None, None), |told| (Some(told.0), told.1));
        Ok(Self { caller, request, answering })
    }
}
