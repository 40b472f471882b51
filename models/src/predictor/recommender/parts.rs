//! What a recommender is put together from, and what must hold between its parts.

use scorehouse_features::time::Timestamp;

use super::blend::{Component, Learnt, Reads};
use super::histories::Histories;
use super::names::Names;
use super::neighbours::Neighbours;
use super::profile::{Strength, WeightScale};
use super::query::Repeat;
use super::rerank::Reranker;
use crate::error::ModelError;

/// What a recommender is put together from.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// The items it can suggest.
    pub items: Names,
    /// The users that training saw.
    pub users: Names,
    /// Their past, in the order of `users`.
    pub histories: Histories,
    /// How a past becomes a profile.
    pub strength: Strength,
    /// Whether items a user has may come again.
    pub repeat: Repeat,
    /// What it has learnt.
    pub components: Vec<Component>,
    /// The second look at the best candidates; none: scores decide.
    pub reranker: Option<Reranker>,
    /// Each item's recent popularity: interactions, faded; finite, not negative. It orders items for a
    /// stranger and settles ties.
    pub popularity: Vec<f32>,
    /// Share of popularity in the score itself, at unit size like any component; finite.
    pub popularity_weight: f32,
    /// What the blended score of each item is multiplied by, a power of its recent popularity; positive.
    pub lift: Vec<f32>,
    /// The newest interaction that training saw.
    pub until: Timestamp,
}

impl Parts {
    /// Checks that everything fits together and that every number is one.
    pub(super) fn checked(mut self) -> Result<Self, ModelError> {
        let bad = |reason: &str| Err(ModelError::invalid("recommender", reason));
        let items = self.items.len();
        if u32::try_from(items).is_err() || self.popularity.len() != items || self.lift.len() != items {
            return bad("popularity does not fit the items");
        }
        if self.popularity.iter().any(|p| !p.is_finite() || *p < 0.0) {
            return bad("a popularity is negative or no number");
        }
        if self.lift.iter().any(|l| !l.is_finite() || *l <= 0.0) || !self.popularity_weight.is_finite() {
            return bad("a popularity lift is not positive");
        }
        if let WeightScale::Log { unit } = self.strength.scale
            && !(unit.is_finite() && unit > 0.0)
        {
            return bad("the unit of weights is not positive");
        }
        self.histories = self.histories.checked(self.users.len(), items)?;
        self.components = self.components.into_iter().map(|c| c.checked(items)).collect::<Result<_, _>>()?;
        let reads_profile = self.components.iter().filter(|c| c.reads == Reads::Profile).count();
        self.reranker = self.reranker.map(|reranker| reranker.checked(reads_profile)).transpose()?;
        Ok(self)
    }
}

impl Component {
    fn checked(self, items: usize) -> Result<Self, ModelError> {
        if !self.weight.is_finite() {
            return Err(ModelError::invalid("recommender", "a component's weight is no number"));
        }
        let learnt = match self.learnt {
            Learnt::Neighbours(Neighbours { starts, targets, weights }) => {
                Learnt::Neighbours(Neighbours::new(items, starts, targets, weights)?)
            }
            Learnt::Factors(factors) => Learnt::Factors(factors.checked(items)?),
        };
        Ok(Self { learnt, ..self })
    }
}
