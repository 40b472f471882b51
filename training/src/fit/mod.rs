//! Learners.
pub mod boosting;
