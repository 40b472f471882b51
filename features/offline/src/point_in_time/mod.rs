//! Features of many entities, each as of its own moment.
//!
//! A [`FeaturePlan`](scorehouse_features::view::FeaturePlan) is run step by step, every step for all rows at
//! once: gathering steps through the [`PointInTimeExec`] operator, links and derived features row by row.
//! Both call the functions that the online store calls for one entity.

mod answer;
mod chunks;
mod newest;
mod operator;
mod questions;
mod run;
mod slot;

pub use operator::PointInTimeExec;
pub use run::{EntityRows, PointInTime, SourceInput, SourceRows};
pub use slot::{SlotColumn, arrow_type};
