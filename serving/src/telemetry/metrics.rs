//! What Prometheus reads at `/metrics`. Each metric is written by one function, its unit in its name.

use std::time::Duration;

use prometheus::core::Collector as _;
use prometheus::{
    Encoder, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};
use scorehouse_features::time::Timestamp;

use crate::error::ServeError;
use crate::monitor::Drift;

/// Upper bounds in seconds: from 50 µs, since a score takes a few tens of them.
const SECONDS: [f64; 14] =
    [50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Every metric of the server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    in_flight: IntGauge,
    panics: IntCounter,
    refused: IntCounter,
    access_refused: IntCounterVec,
    scores: IntCounterVec,
    recommendations: IntCounterVec,
    events: IntCounterVec,
    outcomes: IntCounterVec,
    live_version: IntGaugeVec,
    swaps: IntCounterVec,
    refusals: IntCounterVec,
    score_log: IntCounterVec,
    score_log_waiting: IntGauge,
    shadow: IntCounterVec,
    changes: IntCounterVec,
    change_failures: IntCounterVec,
    webhooks: IntCounterVec,
    spans: IntCounterVec,
    jwks: IntCounterVec,
    jwks_fetched: IntGauge,
    drift: GaugeVec,
    limits: IntGaugeVec,
    retrainings: IntCounterVec,
}

fn bug(error: &prometheus::Error) -> ServeError {
    ServeError::Bug { message: format!("a metric could not be registered: {error}") }
}

struct Builder(Registry);

impl Builder {
    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, ServeError> {
        let metric = IntCounter::new(name, help).map_err(|e| bug(&e))?;
        self.register(metric)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, ServeError> {
        let metric = IntCounterVec::new(Opts::new(name, help), labels).map_err(|e| bug(&e))?;
        self.register(metric)
    }

    fn register<M: prometheus::core::Collector + Clone + 'static>(&self, metric: M) -> Result<M, ServeError> {
        self.0.register(Box::new(metric.clone())).map_err(|e| bug(&e))?;
        Ok(metric)
    }
}

impl Metrics {
    /// Registers every metric at zero.
    ///
    /// # Errors
    /// [`ServeError::Bug`] when two metrics share a name.
    pub fn new() -> Result<Self, ServeError> {
        let to = Builder(Registry::new());
        let seconds = HistogramOpts::new(
            "scorehouse_http_request_seconds",
            "Time from the request's head to its answer",
        )
        .buckets(SECONDS.to_vec());
        let live =
            Opts::new("scorehouse_live_version", "The version that answers for a model's alias; 0 for none");
        Ok(Self {
            requests: to.counters(
                "scorehouse_http_requests_total",
                "Requests answered, by route, method and status",
                &["route", "method", "status"],
            )?,
            request_seconds: to.register(HistogramVec::new(seconds, &["route"]).map_err(|e| bug(&e))?)?,
            in_flight: to.register(
                IntGauge::new("scorehouse_http_requests_in_flight", "Requests under way")
                    .map_err(|e| bug(&e))?,
            )?,
            panics: to.counter("scorehouse_panics_total", "Panics caught and answered as internal errors")?,
            refused: to.counter(
                "scorehouse_overloaded_total",
                "Requests refused for want of room or too often asked (429)",
            )?,
            access_refused: to.counters(
                "scorehouse_access_refused_total",
                "Requests refused to their caller, by reason (unauthorized, forbidden, rate_limited)",
                &["reason"],
            )?,
            scores: to.counters("scorehouse_scores_total", "Scores answered, by model", &["model"])?,
            recommendations: to.counters(
                "scorehouse_recommendations_total",
                "Recommendation lists answered, by model",
                &["model"],
            )?,
            events: to.counters(
                "scorehouse_event_rows_total",
                "Rows pushed, by source and result (stored, repeated, rejected)",
                &["source", "result"],
            )?,
            outcomes: to.counters("scorehouse_outcomes_total", "Outcomes stored, by model", &["model"])?,
            live_version: to.register(IntGaugeVec::new(live, &["model", "alias"]).map_err(|e| bug(&e))?)?,
            swaps: to.counters(
                "scorehouse_model_swaps_total",
                "Times a live model was replaced",
                &["model"],
            )?,
            refusals: to.counters(
                "scorehouse_model_refusals_total",
                "Versions that were not allowed to go live",
                &["model"],
            )?,
            score_log: to.counters(
                "scorehouse_score_log_rows_total",
                "Rows of answers by what became of them (written; dropped for want of room; lost to a failing disk)",
                &["result"],
            )?,
            score_log_waiting: to.register(
                IntGauge::new(
                    "scorehouse_score_log_waiting_bytes",
                    "Bytes of answers that waited when the writer last came",
                )
                .map_err(|e| bug(&e))?,
            )?,
            shadow: to.counters(
                "scorehouse_shadow_rows_total",
                "Rows for a model's shadow by what became of them (scored; skipped for want of room; failed)",
                &["model", "result"],
            )?,
            changes: to.counters(
                "scorehouse_score_changes_total",
                "Scores that pushed facts moved across a declared edge, by model",
                &["model"],
            )?,
            change_failures: to.counters(
                "scorehouse_score_change_failures_total",
                "Times an entity that a push touched could not be scored to see whether it changed, by model",
                &["model"],
            )?,
            webhooks: to.counters(
                "scorehouse_webhook_attempts_total",
                "Attempts to deliver a change, by webhook and result (delivered; failed, to be tried again; dead)",
                &["webhook", "result"],
            )?,
            spans: to.counters(
                "scorehouse_spans_total",
                "Spans of requests by what became of them (sent; dropped for want of room; lost to a collector that fails)",
                &["result"],
            )?,
            jwks: to.counters(
                "scorehouse_jwks_fetches_total",
                "Times the token issuer's keys were fetched, by result (fetched, failed)",
                &["result"],
            )?,
            jwks_fetched: to.register(
                IntGauge::new(
                    "scorehouse_jwks_fetched_timestamp_seconds",
                    "When the token issuer's keys were last fetched, in seconds since 1970; 0 for never",
                )
                .map_err(|e| bug(&e))?,
            )?,
            drift: to.register(
                GaugeVec::new(
                    Opts::new(
                        "scorehouse_drift_psi",
                        "Population stability index against training of what a monitored champion served: of \"score\" or an input",
                    ),
                    &["model", "of"],
                )
                .map_err(|e| bug(&e))?,
            )?,
            limits: to.register(
                IntGaugeVec::new(
                    Opts::new("scorehouse_limits_crossed", "Limits of a monitored model that are crossed"),
                    &["model"],
                )
                .map_err(|e| bug(&e))?,
            )?,
            retrainings: to.counters(
                "scorehouse_retrainings_total",
                "Retrainings that a crossed limit started, by result (promoted; kept, when the gate refused; failed)",
                &["model", "result"],
            )?,
            registry: to.0,
        })
    }

    /// One request was answered.
    pub fn request(&self, route: &str, method: &str, status: u16, took: Duration) {
        let mut digits = [b'0'; 3];
        let status = three_digits(status, &mut digits);
        self.requests.with_label_values(&[route, method, status]).inc();
        self.request_seconds.with_label_values(&[route]).observe(took.as_secs_f64());
        if status == "429" {
            self.refused.inc();
        }
    }

    /// A request was refused to its caller; `reason` is `unauthorized`, `forbidden` or `rate_limited`.
    pub fn access_refused(&self, reason: &str) {
        self.access_refused.with_label_values(&[reason]).inc();
    }

    /// Requests under way.
    #[must_use]
    pub const fn in_flight(&self) -> &IntGauge {
        &self.in_flight
    }

    /// Panics caught.
    #[must_use]
    pub const fn panics(&self) -> &IntCounter {
        &self.panics
    }

    /// The counter of a model's scores.
    #[must_use]
    pub fn scores(&self, model: &str) -> IntCounter {
        self.scores.with_label_values(&[model])
    }

    /// The counter of a model's recommendation lists.
    #[must_use]
    pub fn recommendations(&self, model: &str) -> IntCounter {
        self.recommendations.with_label_values(&[model])
    }

    /// Rows were pushed to a source; `result` is `stored`, `repeated` or `rejected`.
    pub fn event_rows(&self, source: &str, result: &str, rows: usize) {
        self.events.with_label_values(&[source, result]).inc_by(rows as u64);
    }

    /// Outcomes of a model were stored.
    pub fn outcomes(&self, model: &str, count: usize) {
        self.outcomes.with_label_values(&[model]).inc_by(count as u64);
    }

    /// A model's alias is now answered by `version`; 0 for none.
    pub fn live(&self, model: &str, alias: &str, version: u32) {
        self.live_version.with_label_values(&[model, alias]).set(i64::from(version));
    }

    /// A live model was replaced.
    pub fn swapped(&self, model: &str) {
        self.swaps.with_label_values(&[model]).inc();
    }

    /// A version was not allowed to go live.
    pub fn version_refused(&self, model: &str) {
        self.refusals.with_label_values(&[model]).inc();
    }

    /// Rows of answers in the score log; `result` is `written`, `dropped` or `lost`.
    pub fn score_log_rows(&self, result: &str, rows: usize) {
        self.score_log.with_label_values(&[result]).inc_by(rows as u64);
    }

    /// Bytes of answers that wait to be written.
    pub fn score_log_waiting(&self, bytes: usize) {
        self.score_log_waiting.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Rows for a model's shadow; `result` is `scored`, `skipped` or `failed`.
    pub fn shadow_rows(&self, model: &str, result: &str, rows: usize) {
        self.shadow.with_label_values(&[model, result]).inc_by(rows as u64);
    }

    /// A pushed fact moved a score of a model across an edge.
    pub fn score_changed(&self, model: &str) {
        self.changes.with_label_values(&[model]).inc();
    }

    /// An entity of a model that a push touched could not be scored.
    pub fn score_change_failed(&self, model: &str) {
        self.change_failures.with_label_values(&[model]).inc();
    }

    /// A change was sent to a webhook; `result` is `delivered`, `failed` or `dead`.
    pub fn webhook_attempt(&self, webhook: &str, result: &str) {
        self.webhooks.with_label_values(&[webhook, result]).inc();
    }

    /// Spans of requests; `result` is `sent`, `dropped` or `lost`.
    pub fn spans(&self, result: &str, count: usize) {
        self.spans.with_label_values(&[result]).inc_by(count as u64);
    }

    /// The token issuer's keys were fetched.
    pub fn jwks_fetched(&self, now: Timestamp) {
        self.jwks.with_label_values(&["fetched"]).inc();
        self.jwks_fetched.set(now.0.div_euclid(1_000_000));
    }

    /// The token issuer's keys could not be fetched.
    pub fn jwks_failed(&self) {
        self.jwks.with_label_values(&["failed"]).inc();
    }

    /// How far what a monitored champion served lies from its training.
    pub fn drift(&self, model: &str, drift: &Drift) {
        let set = |of: &str, psi: f64| self.drift.with_label_values(&[model, of]).set(psi);
        drift.psi.iter().for_each(|psi| set("score", *psi));
        drift.features.iter().for_each(|shift| set(&shift.feature, shift.psi));
    }

    /// How many limits of a monitored model are crossed.
    pub fn limits_crossed(&self, model: &str, count: usize) {
        self.limits.with_label_values(&[model]).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Another server looks at a monitored model now.
    pub fn unwatched(&self, model: &str) {
        // A label that is gone already is as good as removed.
        let _ = self.limits.remove_label_values(&[model]);
        for family in self.drift.collect() {
            for metric in family.get_metric() {
                let label = |name: &str| metric.get_label().iter().find(|label| label.name() == name);
                if let (Some(of), true) = (label("of"), label("model").is_some_and(|l| l.value() == model)) {
                    let _ = self.drift.remove_label_values(&[model, of.value()]);
                }
            }
        }
    }

    /// A crossed limit started a retraining; `result` is `promoted`, `kept` or `failed`.
    pub fn retrained(&self, model: &str, result: &str) {
        self.retrainings.with_label_values(&[model, result]).inc();
    }

    /// The text that Prometheus reads.
    ///
    /// # Errors
    /// [`ServeError::Bug`] when a metric cannot be written.
    pub fn text(&self) -> Result<String, ServeError> {
        let mut text = Vec::with_capacity(16 * 1024);
        TextEncoder::new().encode(&self.registry.gather(), &mut text).map_err(|e| bug(&e))?;
        String::from_utf8(text).map_err(|e| ServeError::Bug { message: e.to_string() })
    }

    /// The histogram of a route, for tests.
    #[cfg(test)]
    pub(crate) fn seconds(&self, route: &str) -> prometheus::Histogram {
        self.request_seconds.with_label_values(&[route])
    }
}

fn three_digits(status: u16, digits: &mut [u8; 3]) -> &str {
    for (place, digit) in digits.iter_mut().rev().enumerate() {
        let power = 10u16.pow(place as u32);
        *digit = b'0' + (status / power % 10) as u8;
    }
    std::str::from_utf8(digits).unwrap_or("000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_counts_once_under_its_route_and_status() {
        let metrics = Metrics::new().unwrap();
        metrics.request("/v1/models", "GET", 200, Duration::from_millis(3));
        metrics.request("/v1/models", "GET", 429, Duration::from_millis(3));
        let text = metrics.text().unwrap();
        let line = r#"scorehouse_http_requests_total{method="GET",route="/v1/models",status="200"} 1"#;
        assert!(text.contains(line), "{text}");
        assert!(text.contains("scorehouse_overloaded_total 1"), "{text}");
        assert_eq!(metrics.seconds("/v1/models").get_sample_count(), 2);
    }

    #[test]
    fn a_status_is_written_with_three_digits() {
        let mut digits = [0; 3];
        assert_eq!(three_digits(404, &mut digits), "404");
        assert_eq!(three_digits(200, &mut digits), "200");
    }
}
