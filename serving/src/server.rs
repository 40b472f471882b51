//! The server's life: open the stores, listen, answer, drain, stop.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::{OnReady, ServeOptions};
use crate::error::ServeError;
use crate::routes::app;
use crate::state::{AppState, StateParts};
use crate::{live_model, stores, telemetry, upkeep};

/// Serves until SIGTERM or ctrl-c, then lets the requests under way finish.
///
/// Starts its own runtime, so it is called outside any.
///
/// # Errors
/// [`ServeError::Io`] when the address cannot be bound, and whatever opening the stores reports.
pub fn run(options: ServeOptions) -> Result<(), ServeError> {
    let server = open(options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("serve")
        .build()
        .map_err(|source| ServeError::Io { what: "the runtime did not start".into(), source })?;
    runtime.block_on(serve(server, stop_asked()))
}

/// A server whose stores are open and whose models are loaded.
pub struct Server {
    state: AppState,
    listen: String,
    drain: Duration,
    on_ready: Option<OnReady>,
}

/// Opens a project's stores and loads its models. Blocks; call it outside any runtime.
///
/// # Errors
/// Whatever opening the stores reports.
pub fn open(options: ServeOptions) -> Result<Server, ServeError> {
    let ServeOptions { project, listen, clock, timeout, drain, poll, doors, log, on_ready } = options;
    telemetry::init(log);
    let history = Arc::new(stores::open_history(&project)?);
    let online = Arc::new(stores::open_online(&project, &history, clock.clone())?);
    let registry = Arc::new(stores::open_registry(&project)?);
    upkeep::start(project.clone(), &online, history.clone(), poll)?;
    let parts = StateParts { project, clock, online, registry, history: Some(history), timeout, doors };
    let state = AppState::new(parts)?;
    live_model::watch(&state.live, poll)?;
    Ok(Server { state, listen, drain, on_ready })
}

/// Serves until `stop` completes; what [`run`] does, for callers with a runtime of their own.
///
/// # Errors
/// [`ServeError::Io`] when the address cannot be bound.
pub async fn serve(
    server: Server,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let Server { state, listen, drain, on_ready } = server;
    let evidence = state.clone();
    let listening = |source| ServeError::Io { what: format!("cannot listen on {listen}"), source };
    let listener = TcpListener::bind(&listen).await.map_err(listening)?;
    let address = listener.local_addr().map_err(listening)?;
    tracing::info!(%address, "listening");
    if let Some(ready) = on_ready {
        ready(address);
    }
    let answered = answer(listener, state, stop, drain).await;
    // What was answered is on the disk before the process ends.
    let closed = tokio::task::spawn_blocking(move || evidence.score_log.close()).await;
    if closed.is_err() {
        tracing::error!("the score log could not be closed");
    }
    answered
}

async fn answer(
    listener: TcpListener,
    state: AppState,
    stop: impl Future<Output = ()> + Send + 'static,
    drain: Duration,
) -> Result<(), ServeError> {
    let (stopping, mut stopped) = watch::channel(false);
    let signal = async move {
        stop.await;
        tracing::info!("stopping: no new connections, requests under way go on");
        let _ = stopping.send(true);
    };
    let listener = listener.tap_io(|connection| {
        // A score is one small segment each way: waiting to fill a packet only adds latency.
        let _ = connection.set_nodelay(true);
    });
    let serving = axum::serve(listener, app(state)).with_graceful_shutdown(signal);
    let cut_off = async move {
        let _ = stopped.wait_for(|stopping| *stopping).await;
        tokio::time::sleep(drain).await;
    };
    tokio::select! {
        done = async { serving.await } => {
            done.map_err(|source| ServeError::Io { what: "the listener failed".into(), source })
        }
        () = cut_off => {
            tracing::warn!("stopped with requests still under way");
            Ok(())
        }
    }
}

/// Completes on SIGTERM or ctrl-c.
async fn stop_asked() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = interrupt.await;
}

/// The address a server listens on, for callers that print it.
#[must_use]
pub fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}
