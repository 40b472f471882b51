//! How features come from rows: one kernel, called row by row for a live request and column by column for a
//! training set.
//!
//! [`Rows`] is what the kernel reads. [`latest`] and [`window`] compute, [`layout`] says which columns of which source are
//! needed, and a [`FeaturePlan`] strings the steps together for a list of features.

pub mod columns;
mod distinct;
pub mod key;
pub mod latest;
pub mod layout;
pub mod plan;
mod read;
pub mod rows;
#[cfg(test)]
pub(crate) mod tests;
pub mod window;

pub use columns::Column;
pub use layout::{Layout, SourceLayout, TableId, TableLayout};
pub use plan::{FeaturePlan, Gather, Step};
pub use read::{Read, RequestFields, Scratch};
pub use rows::{Rows, Run};
pub use window::{WindowPlan, WindowScratch};
