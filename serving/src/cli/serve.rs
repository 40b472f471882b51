//! `scorehouse serve`: answer over HTTP until interrupted.

use std::net::SocketAddr;

use crate::cli::args::ServeArgs;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::session::Session;
use crate::config::ServeOptions;
use crate::server;

/// Runs `scorehouse serve`.
///
/// # Errors
/// A failure with its fault.
pub fn run(session: &Session, args: &ServeArgs) -> Outcome<()> {
    let json = session.json;
    serve(session, args.listen.clone(), move |address| {
        if json {
            eprintln!("{{\"listening\":\"{}\"}}", server::url(address));
        } else {
            eprintln!("scorehouse answers at {} (Ctrl-C stops it)", server::url(address));
        }
    })
}

/// Serves the session's project; `ready` hears the address once it answers.
///
/// # Errors
/// A failure with its fault.
pub fn serve(
    session: &Session,
    listen: Option<String>,
    ready: impl FnOnce(SocketAddr) + Send + 'static,
) -> Outcome<()> {
    let mut options = ServeOptions::new(session.project.clone());
    options.clock = session.clock.clone();
    options.on_ready = Some(Box::new(ready));
    if let Some(listen) = listen {
        options.listen = listen;
    }
    server::run(options).map_err(Failure::from)
}
