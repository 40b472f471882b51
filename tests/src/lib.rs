//! Does the whole thing hold? A harness that runs the real binary on temporary folders.

mod binary;
mod http;
mod server;

pub use binary::{Ran, repository, run, run_ok};
pub use http::{Answer, get, get_as, post, put};
pub use server::Server;
