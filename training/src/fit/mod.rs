//! Learners: from rows to models, each with scores for the rows it learnt from by models that did not see them.

pub mod boosting;
pub mod recommender;

mod assemble;
mod blend;
mod boosted;
mod candidate;
mod design;
mod exact_forest;
mod folds;
mod forest;
mod hazard;
mod logistic;

pub(crate) use assemble::assemble;
pub(crate) use blend::{blend, mixed};
pub(crate) use candidate::{Contest, Entry, Fitted, Learner, Settings};
pub(crate) use folds::{Cut, Folds};
pub(crate) use hazard::Periods;
