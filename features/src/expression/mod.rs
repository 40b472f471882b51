//! Expressions in SQL's syntax and null semantics, compiled once and evaluated over slots.

mod compiled;
mod error;
mod scope;

pub use compiled::Expression;
pub use error::{ExpressionError, Problem};
pub use scope::Scope;
