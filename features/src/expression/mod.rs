//! Expressions in SQL's syntax and null semantics, compiled once and evaluated over slots.
//!
//! The way of one expression: text, syntax tree (`parse`, by the `sqlparser` crate), typed tree (`compile`,
//! over `types` and the `functions` there are), value (`evaluate`). `docs/project-file.md` describes the
//! language for its writers.

mod compile;
mod compiled;
mod error;
mod evaluate;
mod functions;
mod node;
mod parse;
mod scope;
mod types;

#[cfg(test)]
mod tests;

pub use compiled::Expression;
pub use error::{ExpressionError, Problem};
pub use functions::function_names;
pub use parse::names_in;
pub use scope::Scope;
