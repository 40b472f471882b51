//! What a server tells of its own work.

/// Where spans are sent, and how many.
#[derive(Debug, Clone, PartialEq)]
pub struct Telemetry {
    /// The collector's address, to which `/v1/traces` is added (OTLP over HTTP); none: no spans are made.
    pub otlp: Option<String>,
    /// Share of the requests, 0 to 1, of which a span is made when their caller does not say.
    pub sampling: f64,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { otlp: None, sampling: 1.0 }
    }
}
