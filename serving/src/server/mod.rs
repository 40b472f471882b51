//! The server's life: open the stores, listen, answer, drain, stop.

mod hands;
mod listen;
mod patience;
mod speak;
mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use scorehouse_features::definition::Settings;
use scorehouse_features::time::Span;
use tokio::net::TcpListener;

use crate::access::{self, Access};
use crate::config::{Addresses, OnReady, ServeOptions};
use crate::error::ServeError;
use crate::routes::{app, grpc_app};
use crate::state::{AppState, StateParts};
use crate::telemetry::trace;
use crate::{changes, live_model, monitor, stores, telemetry, upkeep};
use hands::Hands;
pub use hands::{give_way, has_one_connection};
use listen::{Port, Protocol, Terms};
pub use speak::{Connected, Held};

/// Longest time that the stop waits for a collector of traces.
const FAREWELL: Duration = Duration::from_secs(3);

/// Serves until SIGTERM or ctrl-c, then lets the requests under way finish.
///
/// Starts its own runtime, so it is called outside any.
///
/// # Errors
/// [`ServeError::Io`] when the address cannot be bound, and whatever opening the stores reports.
pub fn run(options: ServeOptions) -> Result<(), ServeError> {
    let server = open(options)?;
    // It takes connections and waits for the stop; `hands` answer.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| ServeError::Io { what: "the runtime did not start".into(), source })?;
    runtime.block_on(serve(server, stop_asked()))
}

/// A server whose stores are open and whose models are loaded.
pub struct Server {
    state: AppState,
    listen: String,
    terms: Terms,
    grpc_terms: Terms,
    on_ready: Option<OnReady>,
    monitor: monitor::Following,
}

/// Opens a project's stores and loads its models. Blocks; call it outside any runtime.
///
/// # Errors
/// Whatever opening the stores reports.
pub fn open(options: ServeOptions) -> Result<Server, ServeError> {
    let ServeOptions { project, listen, clock, open, open_here, timeout, drain, poll, doors, log, on_ready } =
        options;
    telemetry::init(log);
    let terms = terms(&project.settings, Protocol::Http1, drain)?;
    let grpc_terms = self::terms(&project.settings, Protocol::Http2, drain)?;
    let mut project = project;
    if let (None, Ok(otlp)) = (&project.settings.telemetry.otlp, std::env::var(trace::ENDPOINT)) {
        project.settings.telemetry.otlp = Some(otlp).filter(|otlp| !otlp.is_empty());
    }
    let access = Access::new(&project, stores::open_keys(&project)?, open)?.open_here(open_here);
    let history = Arc::new(stores::open_history(&project)?);
    let online = Arc::new(stores::open_online(&project, &history, clock.clone())?);
    let registry = Arc::new(stores::open_registry(&project)?);
    upkeep::start(project.clone(), &online, history.clone(), poll)?;
    let parts =
        StateParts { project, clock, online, registry, history: Some(history), access, timeout, doors };
    let state = AppState::new(parts)?;
    live_model::watch(&state.live, poll)?;
    access::watch(&state.access, poll)?;
    access::fetch(&state.access, state.clock.clone(), state.metrics.clone())?;
    changes::follow(&state)?;
    changes::deliver(&state, &|name| std::env::var(name).ok())?;
    let program =
        std::env::current_exe().map_err(|source| ServeError::Io { what: "this program".into(), source })?;
    let monitor = monitor::follow(&state, monitor::Trainer::new(program))?;
    Ok(Server { state, listen, terms, grpc_terms, on_ready, monitor })
}

fn terms(settings: &Settings, protocol: Protocol, drain: Duration) -> Result<Terms, ServeError> {
    Ok(Terms {
        protocol,
        tls: settings.tls.as_ref().map(|files| tls::acceptor(files, protocol)).transpose()?,
        connections: settings.connections,
        header_timeout: duration(settings.header_timeout),
        drain,
    })
}

/// Serves until `stop` completes; what [`run`] does, for callers with a runtime of their own.
///
/// # Errors
/// [`ServeError::Io`] when the address cannot be bound.
pub async fn serve(
    server: Server,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let Server { state, listen, terms, grpc_terms, on_ready, monitor } = server;
    let (listener, http) = bind(&listen, &terms).await?;
    let mut ports = vec![Port { listener, app: app(state.clone()), terms }];
    let mut addresses = Addresses { http, grpc: None };
    if let Some(address) = &state.project.settings.grpc {
        let (listener, grpc) = bind(address, &grpc_terms).await?;
        ports.push(Port { listener, app: grpc_app(state.clone()), terms: grpc_terms });
        addresses.grpc = Some(grpc);
    }
    let hands = Hands::start(std::thread::available_parallelism().map_or(1, usize::from))?;
    let all: Vec<SocketAddr> = [Some(http), addresses.grpc].into_iter().flatten().collect();
    state.access.listening_on(&all);
    if let Some(ready) = on_ready {
        ready(addresses);
    }
    let listened = state.changes.clone();
    let stop = async move {
        stop.await;
        // Whoever listens for changes is let go, or they would hold up the stop.
        listened.close();
    };
    let stop = stop.shared();
    join_all(ports.into_iter().map(|port| listen::answer(port, &hands, stop.clone()))).await;
    drop(hands);
    close(state, monitor).await;
    Ok(())
}

/// Takes a port.
async fn bind(listen: &str, terms: &Terms) -> Result<(TcpListener, SocketAddr), ServeError> {
    let listening = |source| ServeError::Io { what: format!("cannot listen on {listen}"), source };
    let listener = TcpListener::bind(listen).await.map_err(listening)?;
    let address = listener.local_addr().map_err(listening)?;
    tracing::info!(%address, protocol = ?terms.protocol, tls = terms.tls.is_some(), "listening");
    Ok((listener, address))
}

/// Ends what the server does by itself, and writes down what is still in memory.
async fn close(evidence: AppState, monitor: monitor::Following) {
    // What was answered is on the disk before the process ends.
    let closed = tokio::task::spawn_blocking(move || {
        evidence.changes.close();
        monitor.join();
        evidence.shadows.close();
        evidence.score_log.close();
        if let Some(traces) = &evidence.traces {
            traces.close(FAREWELL);
        }
    })
    .await;
    if closed.is_err() {
        tracing::error!("the score log could not be closed");
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

/// A span as the runtime counts it.
pub(crate) fn duration(span: Span) -> Duration {
    Duration::from_micros(span.0.unsigned_abs())
}

/// The address a server listens on, for callers that print it.
#[must_use]
pub fn url(scheme: &str, address: SocketAddr) -> String {
    format!("{scheme}://{address}")
}
