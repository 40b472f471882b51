//! What a project declares: from the text of `scorehouse.toml` to a [`Project`] that cannot be wrong.

mod access;
mod arrangement;
mod catalogue;
mod diagnostic;
mod finding;
mod fingerprint;
mod infer;
mod load;
mod model;
mod monitor;
mod policy;
mod project;
mod raw;
mod read;
mod rerank;
mod scope;
mod score_log;
mod serving;
mod size;
mod source;
mod telemetry;
mod template;
mod view;
mod webhook;

#[cfg(test)]
mod tests;

use catalogue::Catalogue;

pub use access::*;
pub use arrangement::*;
pub use diagnostic::Diagnostic;
pub use load::PROJECT_FILE;
pub use model::*;
pub use monitor::*;
pub use policy::*;
pub use project::*;
pub use rerank::*;
pub use score_log::*;
pub use serving::*;
pub use source::*;
pub use telemetry::*;
pub use template::Template;
pub use view::*;
pub use webhook::*;
