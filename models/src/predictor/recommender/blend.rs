//! How the scores of several components become one.

use serde::{Deserialize, Serialize};

use super::coarse::Coarse;
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

/// A component that has something to say about a customer: its scores, and what is needed to explain them.
pub(super) struct Voice<'a> {
    component: &'a Component,
    said: Said<'a>,
    profile: &'a [Evidence],
    /// What the component's scores are multiplied by in the blend.
    factor: f32,
}

/// Scores of all items before they are weighted, as far as they were computed.
enum Said<'a> {
    /// All of them.
    Neighbours(&'a Neighbours, &'a [f32]),
    /// Only what they are the product with.
    Factors(&'a Factors, &'a Coarse, Folded),
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

    /// The vectors of its items in few bits, where it has vectors.
    pub(super) fn coarse(&self) -> Option<Coarse> {
        match &self.learnt {
            Learnt::Neighbours(_) => None,
            Learnt::Factors(factors) => Some(Coarse::of(factors)),
        }
    }

    /// Reads the profile; `space` takes the scores of a component that knows them all at once.
    ///
    /// Gives back nothing when the component has nothing to say about this profile.
    pub(super) fn speak<'a>(
        &'a self,
        coarse: Option<&'a Coarse>,
        profile: &'a [Evidence],
        space: &'a mut Vec<f32>,
        items: usize,
    ) -> Option<Voice<'a>> {
        if profile.is_empty() || self.weight == 0.0 {
            return None;
        }
        let (said, size) = match (&self.learnt, coarse) {
            (Learnt::Factors(factors), Some(coarse)) => {
                let folded = factors.fold(profile);
                let size = coarse.size(&folded.vector);
                (Said::Factors(factors, coarse, folded), size)
            }
            (Learnt::Neighbours(neighbours), _) => {
                space.clear();
                space.resize(items, 0.0);
                neighbours.score(profile, space);
                (Said::Neighbours(neighbours, space), root_mean_square(space))
            }
            (Learnt::Factors(_), None) => return None,
        };
        let factor = self.weight / size;
        (size.is_finite() && size > 0.0 && factor.is_finite()).then_some(Voice {
            component: self,
            said,
            profile,
            factor,
        })
    }
}

impl Voice<'_> {
    /// True when it is `component`'s.
    pub(super) fn is_of(&self, component: &Component) -> bool {
        std::ptr::eq(self.component, component)
    }

    /// What the component says of `item`, at unit size.
    pub(super) fn said(&self, item: u32) -> f32 {
        self.part(item) / self.component.weight
    }

    /// What the component adds to the score of `item` in the blend.
    pub(super) fn part(&self, item: u32) -> f32 {
        let score = match &self.said {
            Said::Neighbours(_, scores) => scores[item as usize],
            Said::Factors(factors, _, folded) => factors.score_of(folded, item),
        };
        self.factor * score
    }

    /// Adds to each of `bounds` at least what the component adds to the score of its item, however a blend of `terms`
    /// parts is rounded.
    pub(super) fn add_bounds(&self, terms: usize, bounds: &mut [f32]) {
        match &self.said {
            Said::Neighbours(_, scores) => {
                let slack = roundings(terms);
                for (bound, score) in bounds.iter_mut().zip(*scores) {
                    let part = self.factor * score;
                    *bound += part + slack * part.abs();
                }
            }
            Said::Factors(_, coarse, folded) => {
                coarse.add_bounds(&folded.vector, (self.factor, terms), bounds);
            }
        }
    }

    /// The items of the past that it reads.
    pub(super) const fn profile(&self) -> &[Evidence] {
        self.profile
    }

    /// What each item of the past adds to the blended score of each of `targets`: a row of the profile's length for each.
    pub(super) fn contributions(&self, targets: &[u32]) -> Vec<f32> {
        let mut parts = match &self.said {
            Said::Neighbours(neighbours, _) => {
                let of = |target: &u32| {
                    let target = *target;
                    self.profile.iter().map(move |evidence| neighbours.contribution(*evidence, target))
                };
                targets.iter().flat_map(of).collect()
            }
            Said::Factors(factors, _, folded) => factors.contributions(folded, self.profile, targets),
        };
        parts.iter_mut().for_each(|part: &mut f32| *part *= self.factor);
        parts
    }
}

/// What the roundings of a sum of `terms` parts, and of a bound for it, can come to, relative to the parts.
pub(super) fn roundings(terms: usize) -> f32 {
    (16 + 8 * terms) as f32 * f32::EPSILON
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
