//! What a project declares: from the text of `scorehouse.toml` to a [`Project`] that cannot be wrong.

mod diagnostic;
mod load;
mod model;
mod project;
mod source;
mod view;

pub use diagnostic::Diagnostic;
pub use load::PROJECT_FILE;
pub use model::*;
pub use project::*;
pub use source::*;
pub use view::*;
