//! What training saw of every user, kept so that a known user needs no live history.

use scorehouse_features::time::Timestamp;

use super::profile::Past;
use crate::error::ModelError;

/// The past of every user that training saw: one entry per item, ascending by item.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histories {
    /// Where each user's entries start; one more than there are users.
    pub(super) starts: Vec<u32>,
    pub(super) items: Vec<u32>,
    /// Weights as bits, so that equal histories are equal.
    pub(super) weights: Vec<u32>,
    pub(super) last: Vec<i64>,
}

impl Histories {
    /// Takes over the past of every user in order, as [`super::together`] gives it.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when there are more than 2³² entries.
    pub fn new<'a>(users: impl IntoIterator<Item = &'a [Past]>) -> Result<Self, ModelError> {
        let mut histories = Self { starts: vec![0], ..Self::default() };
        for pasts in users {
            for past in pasts {
                histories.items.push(past.item);
                histories.weights.push(past.weight.to_bits());
                histories.last.push(past.last.0);
            }
            let end = u32::try_from(histories.items.len())
                .map_err(|_| ModelError::invalid("recommender", "histories: too many entries"))?;
            histories.starts.push(end);
        }
        Ok(histories)
    }

    /// Checks that everything fits together.
    pub(super) fn checked(self, users: usize, items: usize) -> Result<Self, ModelError> {
        let bad = |reason: &str| Err(ModelError::invalid("recommender", format!("histories: {reason}")));
        let entries = self.items.len();
        if self.starts.len() != users + 1 || self.weights.len() != entries || self.last.len() != entries {
            return bad("lengths differ");
        }
        let covered = self.starts[0] == 0 && self.starts[users] as usize == entries;
        if !covered || self.starts.windows(2).any(|w| w[0] > w[1]) {
            return bad("users overlap");
        }
        for range in self.starts.windows(2) {
            let row = &self.items[range[0] as usize..range[1] as usize];
            if row.windows(2).any(|w| w[0] >= w[1]) || row.last().is_some_and(|i| *i as usize >= items) {
                return bad("items are out of order or range");
            }
        }
        if self.weights.iter().any(|w| !f32::from_bits(*w).is_finite()) {
            return bad("a weight is not finite");
        }
        Ok(self)
    }

    /// The past of one user; empty for a number out of range.
    #[must_use]
    pub fn of(&self, user: u32) -> Vec<Past> {
        let user = user as usize;
        let (Some(start), Some(end)) = (self.starts.get(user), self.starts.get(user + 1)) else {
            return Vec::new();
        };
        (*start as usize..*end as usize)
            .map(|at| Past {
                item: self.items[at],
                weight: f32::from_bits(self.weights[at]),
                last: Timestamp(self.last[at]),
            })
            .collect()
    }
}
