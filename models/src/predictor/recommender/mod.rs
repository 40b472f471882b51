//! Products for a customer: what might this one want next?
//!
//! A [`Recommender`] reads a customer's past as a [`profile`](Strength::profile), lets its
//! [`Component`]s score every item, brings each to unit size, adds them up by weight and multiplies by a power
//! of the item's recent popularity; a [`Reranker`] may look a second time at the best of them. Every component is linear in the past, or solved so that it can be
//! written as a sum over it, so "because you bought …" is exact: the contributions add up to the score.

mod answer;
mod blend;
mod coarse;
mod factors;
mod halves;
mod histories;
mod names;
mod neighbours;
mod order;
mod parts;
mod profile;
mod query;
mod rerank;
mod sections;
mod storefront;
mod system;

pub use answer::{Recommender, Scratch};
pub use blend::{Component, Learnt, Reads, root_mean_square};
pub use factors::{Factors, Fold};
pub use histories::Histories;
pub use names::Names;
pub use neighbours::Neighbours;
pub use parts::Parts;
pub use profile::{Evidence, LONGEST_PROFILE, Past, Strength, WeightScale, together};
pub use query::{Because, Interaction, Query, Recommended, Repeat};
pub use rerank::{FactsRead, OWN, RERANKED, Reranker, Standing, before, mean, share};
pub use storefront::{ByRelevance, Storefront};

#[cfg(test)]
mod scan;
#[cfg(test)]
mod tests;
