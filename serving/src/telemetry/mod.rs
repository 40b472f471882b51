//! What is the server doing, and what did it do?

mod log;
mod metrics;
mod observe;
pub mod trace;

pub use log::{LogFormat, init};
pub use metrics::Metrics;
pub(crate) use observe::{RequestId, observe};
