//! Taking connections: a bounded number of them, none that dawdles, and a stop that loses no request.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use super::hands::Hands;

/// How long the listener rests when the system has no room for another connection.
const REST: Duration = Duration::from_millis(50);

/// What connections are held to.
#[derive(Clone)]
pub struct Terms {
    /// Encrypts, where the project says so.
    pub tls: Option<TlsAcceptor>,
    /// Connections open at once.
    pub connections: usize,
    /// Longest time for a handshake, for a request's head, and between two requests.
    pub header_timeout: Duration,
    /// Longest time that requests under way may go on after the stop.
    pub drain: Duration,
}

/// Serves `app` on `listener` until `stop` completes, then lets the requests under way finish. Connections are answered
/// by `hands`.
pub async fn answer(
    listener: TcpListener,
    (app, hands): (Router, Hands),
    terms: Terms,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(terms.connections.min(Semaphore::MAX_PERMITS)));
    let mut stop = pin!(stop);
    loop {
        let taken = tokio::select! {
            taken = next(&listener, &room) => taken,
            () = &mut stop => break,
        };
        let connection = Connection { app: app.clone(), terms: terms.clone(), watcher: graceful.watcher() };
        let (stream, peer, permit) = taken;
        let Ok(stream) = stream.into_std() else { continue };
        hands.give(move || async move {
            let _permit = permit;
            match TcpStream::from_std(stream) {
                Ok(stream) => connection.serve(stream, peer).await,
                Err(error) => tracing::warn!(%peer, %error, "a connection could not be handed over"),
            }
        });
    }
    drop(listener);
    tracing::info!("stopping: no new connections, requests under way go on");
    if tokio::time::timeout(terms.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("stopped with requests still under way");
    }
}

/// The next connection, once there is room for one. Those for which there is none wait in the system's queue,
/// which refuses when it is full.
async fn next(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        let Ok(permit) = Arc::clone(room).acquire_owned().await else {
            // The semaphore is never closed.
            std::future::pending::<()>().await;
            continue;
        };
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, permit),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// What serves one connection.
struct Connection {
    app: Router,
    terms: Terms,
    watcher: Watcher,
}

impl Connection {
    async fn serve(self, stream: TcpStream, peer: SocketAddr) {
        // A score is one small segment each way: waiting to fill a packet only adds latency.
        let _ = stream.set_nodelay(true);
        let Some(tls) = self.terms.tls.clone() else { return self.speak(stream, peer).await };
        match tokio::time::timeout(self.terms.header_timeout, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.speak(stream, peer).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
        }
    }

    async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S, peer: SocketAddr) {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.terms.header_timeout)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(self.app));
        if let Err(error) = self.watcher.watch(connection).await {
            tracing::debug!(%peer, %error, "a connection ended early");
        }
    }
}
