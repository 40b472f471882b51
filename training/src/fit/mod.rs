//! Learners.
pub mod boosting;
pub mod recommender;
