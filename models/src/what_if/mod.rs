//! What would have to change for a score to cross a threshold: the smallest plausible change of what people can
//! change.
//!
//! [`lever`] says what can change, and how far, as training saw it; [`mod@search`] looks for the least effort.

pub mod lever;
pub mod search;

pub use lever::{Choice, Lever};
pub use search::{Found, Goal, search};

#[cfg(test)]
mod tests;
