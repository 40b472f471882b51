//! Taking connections: a bounded number of them, none that dawdles, and a stop that loses no request.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::hands::Hands;
use super::patience::Patient;
use super::speak::{Stopping, http1, http2};

/// How long the listener rests when the system has no room for another connection.
const REST: Duration = Duration::from_millis(50);

/// What is spoken on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 and nothing else, as gRPC wants it.
    Http2,
}

/// What connections are held to.
#[derive(Clone)]
pub struct Terms {
    /// What is spoken.
    pub protocol: Protocol,
    /// Encrypts, where the project says so.
    pub tls: Option<TlsAcceptor>,
    /// Connections open at once.
    pub connections: usize,
    /// Longest time for a handshake, for a request's head, between two requests, and in which the other end takes nothing
    /// of an answer.
    pub header_timeout: Duration,
    /// Longest time that requests under way may go on after the stop.
    pub drain: Duration,
}

/// A port and what answers there.
pub struct Port {
    /// Where connections come in.
    pub listener: TcpListener,
    /// What answers.
    pub app: Router,
    /// What connections are held to.
    pub terms: Terms,
}

/// Serves `port` until `stop` completes, then lets the requests under way finish. Connections are answered by `hands`.
pub async fn answer(port: Port, hands: &Hands, stop: impl Future<Output = ()>) {
    let Port { listener, app, terms } = port;
    let stopping = watch::Sender::new(());
    let room = Arc::new(Semaphore::new(terms.connections.min(Semaphore::MAX_PERMITS)));
    let mut stop = pin!(stop);
    loop {
        let taken = tokio::select! {
            taken = next(&listener, &room) => taken,
            () = &mut stop => break,
        };
        let connection =
            Connection { app: app.clone(), terms: terms.clone(), stopping: stopping.subscribe() };
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
    tracing::info!(protocol = ?terms.protocol, "stopping: no new connections, requests under way go on");
    let _ = stopping.send(());
    if tokio::time::timeout(terms.drain, stopping.closed()).await.is_err() {
        tracing::warn!(protocol = ?terms.protocol, "stopped with requests still under way");
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
    stopping: Stopping,
}

impl Connection {
    async fn serve(self, stream: TcpStream, peer: SocketAddr) {
        // A score is one small segment each way: waiting to fill a packet only adds latency.
        let _ = stream.set_nodelay(true);
        let stream = Patient::new(stream, self.terms.header_timeout);
        let Some(tls) = &self.terms.tls else { return self.speak(stream, peer).await };
        match tokio::time::timeout(self.terms.header_timeout, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.speak(stream, peer).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
        }
    }

    async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S, peer: SocketAddr) {
        let Self { app, terms, stopping } = self;
        let ended = match terms.protocol {
            Protocol::Http1 => http1(stream, app, terms.header_timeout, stopping).await,
            Protocol::Http2 => http2(stream, app, terms.header_timeout, stopping).await,
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "a connection ended early");
        }
    }
}
