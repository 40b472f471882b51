//! Expressions in SQL's syntax and null semantics, compiled once and evaluated over slots.

mod compiled;

pub use compiled::Expression;
