//! Who asked, as it stands beside an answer.

use axum::http::HeaderValue;

use crate::access::{Caller, Via};
use crate::live_model::Selected;
use crate::telemetry::trace::Answering;

/// Who asked.
#[derive(Debug, Clone)]
pub struct Asker {
    /// The caller.
    pub caller: Caller,
    /// The request's id.
    pub request: Option<HeaderValue>,
    /// Where the model that answers is left for the request's span; none without one.
    pub answering: Option<Answering>,
}

impl Asker {
    /// Leaves the model that answers for the request's span.
    pub fn note(&self, selected: &Selected) {
        if let Some(answering) = &self.answering {
            answering.note(&selected.model);
        }
    }

    /// The caller's name; none where nobody had to say who they are.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        (self.caller.via() != Via::Open).then(|| self.caller.name())
    }

    /// The request's id as text.
    #[must_use]
    pub fn request(&self) -> Option<&str> {
        self.request.as_ref().and_then(|id| id.to_str().ok())
    }
}
