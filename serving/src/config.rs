//! What the command line tells the server.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use scorehouse_features::definition::Project;
use scorehouse_features::time::{Clock, SystemClock};

use crate::compute::Doors;
use crate::server;
use crate::telemetry::LogFormat;

/// Called once with the addresses when the server is ready.
pub type OnReady = Box<dyn FnOnce(Addresses) + Send>;

/// Where a server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// For HTTP.
    pub http: SocketAddr,
    /// For gRPC, where the project says so.
    pub grpc: Option<SocketAddr>,
}

/// How to serve a project.
pub struct ServeOptions {
    /// The project.
    pub project: Project,
    /// Address to listen on, such as `127.0.0.1:8080`; port 0 takes a free one.
    pub listen: String,
    /// Where "now" comes from.
    pub clock: Arc<dyn Clock>,
    /// True: everyone may ask everything, whatever keys there are.
    pub open: bool,
    /// True: this machine's own requests need no key, where only this machine reaches the server.
    pub open_here: bool,
    /// Longest time a request may take.
    pub timeout: Duration,
    /// Longest time that requests under way may go on after a stop is asked for.
    pub drain: Duration,
    /// How often the registry is asked whether something moved.
    pub poll: Duration,
    /// How much work may be under way at once.
    pub doors: Doors,
    /// How log lines are written; `RUST_LOG` says which.
    pub log: LogFormat,
    /// Called once the server answers.
    pub on_ready: Option<OnReady>,
}

impl ServeOptions {
    /// The project's own settings, the machine's clock, and defaults for the rest.
    #[must_use]
    pub fn new(project: Project) -> Self {
        Self {
            listen: project.settings.listen.clone(),
            doors: Doors::of(project.settings.threads),
            open: false,
            open_here: false,
            timeout: server::duration(project.settings.request_timeout),
            project,
            clock: Arc::new(SystemClock),
            drain: Duration::from_secs(20),
            poll: Duration::from_millis(250),
            log: LogFormat::default(),
            on_ready: None,
        }
    }
}

impl fmt::Debug for ServeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeOptions")
            .field("project", &self.project.name)
            .field("listen", &self.listen)
            .field("timeout", &self.timeout)
            .field("drain", &self.drain)
            .field("doors", &self.doors)
            .finish_non_exhaustive()
    }
}
