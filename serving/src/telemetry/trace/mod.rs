//! Traces: one span a request, sent to a collector in the background (OTLP over HTTP).
//!
//! A span is put together once, when its request has been answered: nothing else in the server asks for one, so there is
//! no tracer and no context of a thread. Without a collector a request pays for a look at an option.

mod export;
mod head;
mod span;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::Request;
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use scorehouse_features::definition::Telemetry;
use scorehouse_features::time::{Clock, Timestamp};

use super::Metrics;
use crate::error::ServeError;
use crate::live_model::LiveModel;
use export::Export;
use head::Head;
pub use span::Ended;

/// Where the environment says spans go, when the project does not.
pub const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// What makes spans.
pub struct Traces {
    sampling: f64,
    clock: Arc<dyn Clock>,
    export: Export,
}

/// A request of which a span is made.
pub struct Open {
    head: Head,
    began: Timestamp,
    /// The model that answers, once that is known.
    pub model: Answering,
}

/// Where whoever answers a request leaves the model that it asked.
#[derive(Debug, Clone, Default)]
pub struct Answering(Arc<OnceLock<Arc<LiveModel>>>);

impl Answering {
    /// Leaves the model; of several the first counts.
    pub fn note(&self, model: &Arc<LiveModel>) {
        let _ = self.0.set(Arc::clone(model));
    }
}

/// An address as it may be told: what stands before an `@` in it is a name and a password.
pub(super) fn without_credentials(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{}", path.split('?').next().unwrap_or(""))
}

impl Traces {
    /// Starts sending; none where no collector is named.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`] when the collector's address cannot be used, [`ServeError::Io`] when the thread cannot
    /// be started.
    pub fn start(
        (project, telemetry): (&str, &Telemetry),
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<Option<Self>, ServeError> {
        let Some(otlp) = &telemetry.otlp else { return Ok(None) };
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("scorehouse");
        }
        let about = [
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("scorehouse.project", project.to_owned()),
        ];
        let export = Export::start(otlp, &resource.with_attributes(about).build(), metrics)?;
        tracing::info!(otlp = without_credentials(otlp), sampling = telemetry.sampling, "sending traces");
        Ok(Some(Self { sampling: telemetry.sampling, clock, export }))
    }

    /// Begins the span of a request; none for one that is not sampled. A caller that brings a trace of its own says
    /// whether it is (W3C Trace Context).
    pub fn begin(&self, request: &Request) -> Option<Open> {
        let head = Head::of(request.headers(), self.sampling)?;
        Some(Open { head, began: self.clock.now(), model: Answering::default() })
    }

    /// Ends a span and hands it over, or counts it as dropped when too many wait.
    pub fn end(&self, open: Open, ended: &Ended<'_>) {
        self.export.send(span::data(open, ended));
    }

    /// Sends what waits, for as long as `patience`.
    pub fn close(&self, patience: Duration) {
        self.export.close(patience);
    }
}
