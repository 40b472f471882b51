//! One connection: requests in, answers out, and an end to those that bring nothing.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

/// Told when the server stops; alive until the connection has ended, so that the server knows.
pub type Stopping = watch::Receiver<()>;

/// Requests of one HTTP/2 connection that are under way at once; a client waits with further ones.
const STREAMS: u32 = 256;

/// Answers on a connection until its client ends it, brings no request for `patience`, or the server stops.
///
/// # Errors
/// How the connection broke.
pub async fn http1<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    app: Router,
    patience: Duration,
    mut stopping: Stopping,
) -> hyper::Result<()> {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    let mut connection = pin!(connection);
    tokio::select! {
        biased;
        ended = connection.as_mut() => return ended,
        _ = stopping.changed() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

/// As [`http1()`], for HTTP/2: a client that brings no request for `patience` is sent away in good order (GOAWAY), so
/// that one which is about to ask connects anew, and the connection ends when it has taken its answers; one that has not
/// within `patience`, or does not even answer, is dropped. While requests are under way a client is pinged, and dropped when
/// it does not answer within `patience`.
///
/// # Errors
/// How the connection broke.
pub async fn http2<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    app: Router,
    patience: Duration,
    mut stopping: Stopping,
) -> hyper::Result<()> {
    let traffic = Arc::new(Traffic::default());
    let (service, seen) = (TowerToHyperService::new(app), Arc::clone(&traffic));
    let counted = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Connected(Arc::clone(&seen)));
        let (under_way, answer) = (Traffic::begin(&seen), service.call(request));
        async move {
            let _under_way = under_way;
            answer.await
        }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(patience)
        .keep_alive_timeout(patience)
        .serve_connection(TokioIo::new(stream), counted);
    let mut connection = pin!(connection);
    let (mut leaving, mut before) = (false, 0);
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => return ended,
            _ = stopping.changed(), if !leaving => leaving = true,
            () = tokio::time::sleep(patience) => {
                let quiet = traffic.is_quiet_since(&mut before);
                if leaving && quiet {
                    return Ok(());
                }
                if !quiet || leaving {
                    continue;
                }
                leaving = true;
            }
        }
        connection.as_mut().graceful_shutdown();
    }
}

/// The connection that a request came on.
#[derive(Clone)]
pub struct Connected(Arc<Traffic>);

impl Connected {
    /// Keeps the connection as if a request were under way, for an answer that goes on.
    pub fn hold(&self) -> Held {
        Held(Arc::new(Traffic::begin(&self.0)))
    }
}

/// Keeps a connection until it is dropped.
#[derive(Clone)]
pub struct Held(#[expect(dead_code, reason = "it is there to be dropped")] Arc<UnderWay>);

/// Requests of a connection: begun and done.
#[derive(Default)]
struct Traffic {
    begun: AtomicU64,
    done: AtomicU64,
}

impl Traffic {
    fn begin(this: &Arc<Self>) -> UnderWay {
        this.begun.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(this))
    }

    /// True when none is under way and none began since `before`, which becomes the present.
    fn is_quiet_since(&self, before: &mut u64) -> bool {
        let (begun, done) = (self.begun.load(Ordering::Relaxed), self.done.load(Ordering::Relaxed));
        std::mem::replace(before, begun) == begun && begun == done
    }
}

/// A request under way, until it is answered or given up.
struct UnderWay(Arc<Traffic>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.done.fetch_add(1, Ordering::Relaxed);
    }
}
