//! `scorehouse serve`: answer over HTTP until interrupted.

use crate::cli::args::ServeArgs;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::session::Session;
use crate::config::{Addresses, ServeOptions};
use crate::server;
use crate::telemetry::LogFormat;

/// Runs `scorehouse serve`.
///
/// # Errors
/// A failure with its fault.
pub fn run(session: &Session, args: &ServeArgs) -> Outcome<()> {
    let json = session.json;
    let how = How { listen: args.listen.clone(), open: args.open, open_here: false, log: args.log };
    let scheme = if session.project.settings.tls.is_some() { "https" } else { "http" };
    serve(session, how, move |addresses| {
        let url = server::url(scheme, addresses.http);
        let grpc = addresses.grpc.map(|address| address.to_string());
        match (json, grpc) {
            (true, grpc) => eprintln!("{}", serde_json::json!({"listening": url, "grpc": grpc})),
            (false, None) => eprintln!("scorehouse answers at {url} (Ctrl-C stops it)"),
            (false, Some(grpc)) => {
                eprintln!("scorehouse answers at {url}, and over gRPC at {grpc} (Ctrl-C stops it)")
            }
        }
    })
}

/// How to serve, as the command line says.
#[derive(Debug, Default)]
pub struct How {
    /// The address, in place of the project's.
    pub listen: Option<String>,
    /// Let everyone ask everything.
    pub open: bool,
    /// Ask this machine's own requests for no key.
    pub open_here: bool,
    /// How log lines are written.
    pub log: LogFormat,
}

/// Serves the session's project; `ready` hears the addresses once it answers.
///
/// # Errors
/// A failure with its fault.
pub fn serve(session: &Session, how: How, ready: impl FnOnce(Addresses) + Send + 'static) -> Outcome<()> {
    let mut options = ServeOptions::new(session.project.clone());
    options.clock = session.clock.clone();
    options.on_ready = Some(Box::new(ready));
    options.open = how.open;
    options.open_here = how.open_here;
    options.log = how.log;
    if let Some(listen) = how.listen {
        options.listen = listen;
    }
    server::run(options).map_err(Failure::from)
}
