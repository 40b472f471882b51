//! Item-to-item weights: each item of the past speaks for its neighbours.

use super::profile::Evidence;
use crate::error::ModelError;

/// A sparse matrix of weights from items of the past (rows) to items suggested (columns).
///
/// It holds what EASE^R (Steck 2019), a ridge regression on the next purchase, cosine neighbours or baskets
/// have learnt: in all of them a score is the sum, over the past, of strength times weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbours {
    /// Where each row starts; one more than there are items.
    pub(super) starts: Vec<u32>,
    /// The columns of each row, ascending.
    pub(super) targets: Vec<u32>,
    /// The weights beside them; finite.
    pub(super) weights: Vec<f32>,
}

impl Neighbours {
    /// Takes over a matrix of `items` rows and columns in compressed rows.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when rows overlap, columns do not ascend or are out of range, or a
    /// weight is not finite.
    pub fn new(
        items: usize,
        starts: Vec<u32>,
        targets: Vec<u32>,
        weights: Vec<f32>,
    ) -> Result<Self, ModelError> {
        let bad =
            |reason: &str| Err(ModelError::invalid("recommender", format!("item-to-item weights: {reason}")));
        if starts.len() != items + 1 || starts.first() != Some(&0) || targets.len() != weights.len() {
            return bad("lengths differ");
        }
        if starts.windows(2).any(|w| w[0] > w[1]) || starts.last().map(|l| *l as usize) != Some(targets.len())
        {
            return bad("rows overlap");
        }
        if weights.iter().any(|w| !w.is_finite()) {
            return bad("a weight is not finite");
        }
        for row in starts.windows(2) {
            let columns = &targets[row[0] as usize..row[1] as usize];
            let ascending = columns.windows(2).all(|w| w[0] < w[1]);
            if !ascending || columns.last().is_some_and(|last| *last as usize >= items) {
                return bad("columns are out of order or range");
            }
        }
        Ok(Self { starts, targets, weights })
    }

    /// The same weights with every row and column multiplied by its factor.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when there is not one factor for each item, or a product is not finite.
    pub fn scaled(mut self, rows: &[f32], columns: &[f32]) -> Result<Self, ModelError> {
        let items = self.starts.len() - 1;
        if rows.len() != items || columns.len() != items {
            return Err(ModelError::invalid("recommender", "item-to-item weights: factors do not fit"));
        }
        for (row, factor) in rows.iter().enumerate() {
            for at in self.starts[row] as usize..self.starts[row + 1] as usize {
                self.weights[at] *= factor * columns[self.targets[at] as usize];
            }
        }
        Self::new(items, self.starts, self.targets, self.weights)
    }

    fn row(&self, item: u32) -> (&[u32], &[f32]) {
        let row = self.starts[item as usize] as usize..self.starts[item as usize + 1] as usize;
        (&self.targets[row.clone()], &self.weights[row])
    }

    /// Adds the scores that `profile` gives to every item to `scores`.
    pub(super) fn score(&self, profile: &[Evidence], scores: &mut [f32]) {
        for evidence in profile {
            let (targets, weights) = self.row(evidence.item);
            for (target, weight) in targets.iter().zip(weights) {
                scores[*target as usize] += evidence.strength * weight;
            }
        }
    }

    /// What `evidence` adds to the score of `target`.
    pub(super) fn contribution(&self, evidence: Evidence, target: u32) -> f32 {
        let (targets, weights) = self.row(evidence.item);
        targets.binary_search(&target).map_or(0.0, |at| evidence.strength * weights[at])
    }

    /// How many weights it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// True when it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_the_sums_of_contributions() {
        let matrix = Neighbours::new(3, vec![0, 2, 3, 3], vec![1, 2, 2], vec![0.5, -0.25, 2.0]).unwrap();
        let profile = [Evidence { item: 0, strength: 0.5 }, Evidence { item: 1, strength: 1.0 }];
        let mut scores = vec![0.0; 3];
        matrix.score(&profile, &mut scores);
        for target in 0..3 {
            let sum: f32 = profile.iter().map(|e| matrix.contribution(*e, target)).sum();
            assert!((scores[target as usize] - sum).abs() < 1e-6);
        }
        assert!((scores[2] - 1.875).abs() < 1e-6);
    }

    #[test]
    fn matrices_that_do_not_fit_are_refused() {
        assert!(Neighbours::new(2, vec![0, 1], vec![0], vec![1.0]).is_err());
        assert!(Neighbours::new(2, vec![0, 1, 0], vec![0], vec![1.0]).is_err());
        assert!(Neighbours::new(2, vec![0, 1, 1], vec![2], vec![1.0]).is_err());
        assert!(Neighbours::new(2, vec![0, 2, 2], vec![1, 1], vec![1.0, 1.0]).is_err());
        assert!(Neighbours::new(2, vec![0, 1, 1], vec![1], vec![f32::NAN]).is_err());
        assert!(Neighbours::new(2, vec![0, 1, 1], vec![1], vec![1.0, 2.0]).is_err());
    }
}
