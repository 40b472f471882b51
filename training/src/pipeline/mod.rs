//! From declared models to trained ones: what a row is, what its outcome is, and how it is learnt.

pub mod churn;
mod contender;
mod events;
pub mod interactions;
mod levers;
mod probability;
mod recommend;
mod snapshot;
pub mod table;
mod timing;
mod trust;
pub mod upsell;
pub mod win;

pub(crate) use events::read_events;
pub(crate) use snapshot::{feature_set, read_features};
pub(crate) use trust::Held;

#[cfg(test)]
mod tests;
