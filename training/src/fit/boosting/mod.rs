//! Gradient-boosted decision trees on histograms.
//!
//! Friedman's boosting (2001) with Newton leaf values (Chen, Guestrin 2016), grown leaf by leaf over binned
//! features with histogram subtraction (Ke et al., LightGBM, 2017), missing values sent whichever way gains
//! more, and categorical splits found by ordering levels by their gradient statistic (Fisher 1958; LightGBM).
//! See `docs/decisions/boosting.md` for why it is written here and how fast and good it is.
//!
//! In data-flow order: [`matrix`] features as numbers and codes; [`bins`] every feature in at most 255 bins;
//! [`objective`] gradients; [`histogram`] sums by bin; [`split`] the best cut of a leaf; [`grow`] one tree;
//! [`boost`] the sequence of trees, or [`bag`] trees side by side, or [`boost_lists`] those that put lists in order; [`tree`] what is left of it, ready to be a forest.
//!
//! The result depends on data, settings and seed only: every feature's sums are added up by one thread in
//! row order, and candidates are compared in feature order, however many threads there are.

mod bagged;
mod bins;
mod boost;
mod grow;
mod histogram;
mod lists;
mod matrix;
mod objective;
mod params;
mod split;
mod tree;

pub use bagged::bag;
pub use bins::Binned;
pub use boost::{Boosted, Rows, boost};
pub use lists::{List, Lists, boost_lists, least};
pub use matrix::{FeatureKind, Matrix};
pub use objective::Target;
pub use params::{BoostingParams, CategoryParams, InvalidBoosting};
pub use tree::{Node, Side, SplitRule, Tree};

#[cfg(test)]
mod tests;
