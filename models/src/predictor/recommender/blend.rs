//! How the scores of several components become one.

use serde::{Deserialize, Serialize};

use super::factors::{Factors, Folded};
use super::neighbours::Neighbours;
use super::profile::Evidence;

/// One learnt part of a recommender.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// What it is, for readers: `item_to_item`, `next_purchase`, `graph_filter`, `factors`, `basket`.
    pub name: String,
    /// Its share of the score, after it has been brought to unit size; finite.
    pub weight: f32,
    /// What it reads.
    pub reads: Reads,
    /// What it has learnt.
    pub learnt: Learnt,
}

/// What a component reads of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reads {
    /// The history and the basket.
    Profile,
    /// The basket alone.
    Basket,
}

/// What a component has learnt.
#[derive(Debug, Clone, PartialEq)]
pub enum Learnt {
    /// Item-to-item weights.
    Neighbours(Neighbours),
    /// Vectors of items.
    Factors(Factors),
}

/// A component's scores before they are weighted, with what is needed to explain them.
pub(super) struct Voice<'a> {
    component: &'a Component,
    profile: &'a [Evidence],
    folded: Folded,
    /// What the component's scores are multiplied by in the blend.
    factor: f32,
}

impl Component {
    /// Adds this component's unweighted scores of every item to `scores`, in the order of the items.
    pub fn score(&self, profile: &[Evidence], scores: &mut [f32]) {
        match &self.learnt {
            Learnt::Neighbours(neighbours) => neighbours.score(profile, scores),
            Learnt::Factors(factors) => factors.score(&factors.fold(profile), scores),
        }
    }

    /// The unweighted scores of every item for each profile, one row after the other. Within rounding the same
    /// as [`Component::score`] for each, several times as fast for many.
    #[must_use]
    pub fn score_all(&self, profiles: &[&[Evidence]], items: usize) -> Vec<f32> {
        let mut scores = vec![0.0f32; profiles.len() * items];
        match &self.learnt {
            Learnt::Neighbours(neighbours) => {
                let rows = scores.chunks_exact_mut(items.max(1));
                rows.zip(profiles).for_each(|(row, profile)| neighbours.score(profile, row));
            }
            Learnt::Factors(factors) => factors.score_all(profiles, &mut scores),
        }
        scores
    }

    /// Scores every item into `scratch`, then adds them to `sum` at unit size times the weight.
    ///
    /// Gives back nothing when the component has nothing to say about this profile.
    pub(super) fn speak<'a>(
        &'a self,
        profile: &'a [Evidence],
        scratch: &mut [f32],
        sum: &mut [f32],
    ) -> Option<Voice<'a>> {
        if profile.is_empty() || self.weight == 0.0 {
            return None;
        }
        scratch.fill(0.0);
        let folded = match &self.learnt {
            Learnt::Neighbours(neighbours) => {
                neighbours.score(profile, scratch);
                Folded::default()
            }
            Learnt::Factors(factors) => {
                let folded = factors.fold(profile);
                factors.score(&folded, scratch);
                folded
            }
        };
        let size = root_mean_square(scratch);
        if !(size.is_finite() && size > 0.0) {
            return None;
        }
        let factor = self.weight / size;
        for (sum, score) in sum.iter_mut().zip(scratch.iter()) {
            *sum += factor * score;
        }
        Some(Voice { component: self, profile, folded, factor })
    }
}

impl Voice<'_> {
    /// Calls `tell` with each item of the past and what it adds to the blended score of `target`.
    pub(super) fn contributions(&self, target: u32, mut tell: impl FnMut(u32, f32)) {
        match &self.component.learnt {
            Learnt::Neighbours(neighbours) => {
                for evidence in self.profile {
                    tell(evidence.item, self.factor * neighbours.contribution(*evidence, target));
                }
            }
            Learnt::Factors(factors) => {
                let parts = factors.contributions(&self.folded, self.profile, target);
                for (evidence, part) in self.profile.iter().zip(parts) {
                    tell(evidence.item, self.factor * part);
                }
            }
        }
    }
}

/// The size of a vector of scores: the root of the mean of their squares.
///
/// Each component is divided by it before weights apply, so that a weight means the same for a customer with
/// two purchases and one with two hundred.
#[must_use]
pub fn root_mean_square(scores: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let (whole, rest) = scores.as_chunks::<16>();
    for block in whole {
        for lane in 0..16 {
            sums[lane] += block[lane] * block[lane];
        }
    }
    let sum: f32 = sums.iter().sum::<f32>() + rest.iter().map(|s| s * s).sum::<f32>();
    (sum / scores.len().max(1) as f32).sqrt()
}
