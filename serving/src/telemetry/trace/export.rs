//! Spans on their way out: a bounded queue, and a thread that sends what waits.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use parking_lot::Mutex;

use super::without_credentials;
use crate::error::ServeError;
use crate::outbound::agent;
use crate::telemetry::Metrics;

/// Spans that may wait; more are dropped.
const MOST_WAITING: usize = 4_096;
/// Spans sent together.
const BATCH: usize = 512;
/// Longest time that a span waits for others.
const REST: Duration = Duration::from_secs(1);
/// How often a sender that rests looks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);
/// Longest time for a batch.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of a collector's answer.
const MOST_TOLD: u64 = 64 << 10;

/// The way out.
pub struct Export {
    queue: SyncSender<SpanData>,
    closing: Arc<AtomicBool>,
    closed: Mutex<Receiver<()>>,
    metrics: Arc<Metrics>,
}

impl Export {
    /// Starts the thread that sends to the collector at `otlp`.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`] for an address that cannot be used, [`ServeError::Io`] when the thread cannot be
    /// started.
    pub fn start(otlp: &str, resource: &Resource, metrics: Arc<Metrics>) -> Result<Self, ServeError> {
        let unfit = |reason: String| ServeError::Unavailable { what: "the collector of traces", reason };
        let client = Client(agent(otlp, None, PATIENCE).map_err(unfit)?);
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", otlp.trim_end_matches('/')))
            .with_timeout(PATIENCE)
            .build()
            .map_err(|error| unfit(format!("{}: {error}", without_credentials(otlp))))?;
        exporter.set_resource(resource);
        let (queue, waiting) = sync_channel(MOST_WAITING);
        let (ended, closed) = sync_channel(1);
        let closing = Arc::new(AtomicBool::new(false));
        let sender = Sender {
            exporter,
            waiting,
            closing: Arc::clone(&closing),
            metrics: metrics.clone(),
            failing: false,
        };
        std::thread::Builder::new()
            .name("traces".into())
            .spawn(move || {
                sender.run();
                let _ = ended.send(());
            })
            .map_err(|source| ServeError::Io { what: "the sender of traces did not start".into(), source })?;
        Ok(Self { queue, closing, closed: Mutex::new(closed), metrics })
    }

    /// Hands a span over, or counts it as dropped when too many wait.
    pub fn send(&self, span: SpanData) {
        if self.queue.try_send(span).is_err() {
            self.metrics.spans("dropped", 1);
        }
    }

    /// Sends what waits, for as long as `patience`.
    pub fn close(&self, patience: Duration) {
        self.closing.store(true, Ordering::Relaxed);
        if self.closed.lock().recv_timeout(patience).is_err() {
            tracing::warn!("stopped with traces still to be sent");
        }
    }
}

/// The thread.
struct Sender {
    exporter: SpanExporter,
    waiting: Receiver<SpanData>,
    closing: Arc<AtomicBool>,
    metrics: Arc<Metrics>,
    /// True while the collector does not answer, so that the log says it once.
    failing: bool,
}

impl Sender {
    /// Sends until nobody is left to hand over, or until everything that waited at the close is sent.
    fn run(mut self) {
        loop {
            let (batch, more) = self.gather();
            if !batch.is_empty() {
                self.send(batch);
            }
            if !more {
                return;
            }
        }
    }

    /// What came within [`REST`], [`BATCH`] at most; false when nothing more will come.
    fn gather(&self) -> (Vec<SpanData>, bool) {
        let (mut batch, mut until) = (Vec::new(), None::<Instant>);
        loop {
            match self.waiting.recv_timeout(LOOK) {
                Ok(span) => {
                    batch.push(span);
                    until = until.or_else(|| Some(Instant::now() + REST));
                }
                Err(RecvTimeoutError::Disconnected) => return (batch, false),
                Err(RecvTimeoutError::Timeout) if self.closing.load(Ordering::Relaxed) => {
                    return (batch, false);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            let late = until.is_some_and(|until| Instant::now() >= until);
            if late || batch.len() >= BATCH {
                return (batch, true);
            }
        }
    }

    fn send(&mut self, batch: Vec<SpanData>) {
        let count = batch.len();
        match block_on(self.exporter.export(batch)) {
            Ok(()) => {
                self.failing = false;
                self.metrics.spans("sent", count);
            }
            Err(error) => {
                if !self.failing {
                    tracing::warn!(%error, "the collector does not take traces; those meanwhile are lost");
                }
                self.failing = true;
                self.metrics.spans("lost", count);
            }
        }
    }
}

/// The small blocking client of webhooks, as the exporter wants it; it blocks the sender's own thread.
struct Client(ureq::Agent);

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let answer = self.0.run(Request::from_parts(parts, &body[..]))?;
        let (parts, body) = answer.into_parts();
        let told = body.into_with_config().limit(MOST_TOLD).read_to_vec()?;
        Ok(Response::from_parts(parts, told.into()))
    }
}
