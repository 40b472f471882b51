//! Factor models: the past becomes a short vector, an item's score is its product with the item's own.

use fearless_simd::{Level, Simd, dispatch};
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};
use serde::{Deserialize, Serialize};

use super::halves::{Halves, dot, dot_in, widen};
use super::profile::Evidence;
use super::system::{Factorised, SIDES, Symmetric};
use crate::error::ModelError;

/// How a profile becomes a vector.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fold {
    /// The strengths times the items' input vectors, added up: a graph filter or any low-rank item-to-item
    /// matrix.
    Sum,
    /// The ridge regression that implicit alternating least squares solves for one user (Hu, Koren, Volinsky
    /// 2008, with the frequency-scaled regularisation of Rendle et al. 2021).
    Ridge {
        /// Weight of the items the user has not interacted with.
        unobserved: f32,
        /// Regularisation, before scaling.
        regularisation: f32,
        /// Power of the user's frequency that scales it (0: none, 1: by frequency).
        exponent: f32,
    },
}

/// Vectors of all items, row by row without gaps, so that one scan reads memory once and in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Factors {
    pub(super) width: usize,
    pub(super) fold: Fold,
    /// What an item of the past adds to the vector; empty when it is the same as `output`.
    pub(super) input: Halves,
    /// What an item's score is the product with.
    pub(super) output: Halves,
    /// `outputᵀ output`, for [`Fold::Ridge`]; empty otherwise.
    pub(super) gram: Vec<f32>,
}

/// The vector of one profile, and for a ridge the factorised system behind it.
#[derive(Debug, Clone, Default)]
pub(super) struct Folded {
    pub(super) vector: Vec<f32>,
    /// None for a sum.
    system: Option<Factorised>,
}

impl Factors {
    /// Takes over vectors of `width` numbers for each of `items` items, rounded to sixteen bits; `input` may be
    /// empty, then it is `output`.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when lengths do not fit, a number is not finite or too large, or a ridge has a
    /// regularisation that is not positive.
    pub fn new(
        items: usize,
        width: usize,
        fold: Fold,
        input: &[f32],
        output: &[f32],
    ) -> Result<Self, ModelError> {
        let (input, output) = (Halves::of(input), Halves::of(output));
        // Of the rounded vectors, so that a ridge solves for the very model that scores.
        let ridge = matches!(fold, Fold::Ridge { .. });
        let gram = if ridge { self_product(&output, width) } else { Vec::new() };
        Self { width, fold, input, output, gram }.checked(items)
    }

    /// Checks that everything fits together for `items` items.
    pub(super) fn checked(self, items: usize) -> Result<Self, ModelError> {
        let bad = |reason: &str| Err(ModelError::invalid("recommender", format!("factors: {reason}")));
        let Self { width, fold, input, output, gram } = &self;
        let width = *width;
        let Some(size) = items.checked_mul(width) else { return bad("too many") };
        if width == 0 || output.len() != size || !(input.is_empty() || input.len() == size) {
            return bad("lengths differ");
        }
        if !input.finite() || !output.finite() || gram.iter().any(|v| !v.is_finite()) {
            return bad("a number is not finite");
        }
        let mut gram_size = 0;
        if let Fold::Ridge { unobserved, regularisation, exponent } = *fold {
            let sound = regularisation.is_finite() && regularisation > 0.0 && exponent.is_finite();
            if !(sound && unobserved.is_finite() && unobserved >= 0.0) {
                return bad("a ridge needs a positive regularisation");
            }
            gram_size = width * width;
        }
        if gram.len() != gram_size {
            return bad("lengths differ");
        }
        Ok(self)
    }

    fn input_of(&self, item: u32) -> &[u16] {
        let vectors = if self.input.is_empty() { &self.output } else { &self.input };
        vectors.row(item as usize, self.width)
    }

    fn output_of(&self, item: u32) -> &[u16] {
        self.output.row(item as usize, self.width)
    }

    fn items(&self) -> usize {
        self.output.len() / self.width
    }

    /// The vector that `profile` makes.
    pub(super) fn fold(&self, profile: &[Evidence]) -> Folded {
        let mut vector = vec![0.0f32; self.width];
        for evidence in profile {
            for (sum, v) in vector.iter_mut().zip(self.input_of(evidence.item)) {
                *sum += evidence.strength * widen(*v);
            }
        }
        let Fold::Ridge { unobserved, regularisation, exponent } = self.fold else {
            return Folded { vector, system: None };
        };
        let frequency = profile.len() as f64 + f64::from(unobserved) * self.items() as f64;
        let ridge = f64::from(regularisation) * frequency.powf(f64::from(exponent));
        let system = self.system(profile, f64::from(unobserved), ridge);
        let mut solved: Vec<f64> = vector.iter().map(|v| f64::from(*v)).collect();
        system.solve(&mut solved);
        Folded { vector: solved.into_iter().map(|v| v as f32).collect(), system: Some(system) }
    }

    /// Factorises `unobserved · gram + Σ strength · v vᵀ + ridge · I`.
    fn system(&self, profile: &[Evidence], unobserved: f64, ridge: f64) -> Factorised {
        let mut system = Symmetric::scaled(&self.gram, self.width, unobserved);
        system.add_products(profile.iter().map(|evidence| (evidence.strength, self.input_of(evidence.item))));
        system.add_to_diagonal(ridge);
        system.factorise()
    }

    /// The score of one item.
    pub(super) fn score_of(&self, folded: &Folded, item: u32) -> f32 {
        dot(&folded.vector, self.output_of(item))
    }

    /// Adds the scores of all items to `scores`.
    pub(super) fn score(&self, folded: &Folded, scores: &mut [f32]) {
        for (score, vector) in scores.iter_mut().zip(self.output.0.chunks_exact(self.width)) {
            *score += dot(&folded.vector, vector);
        }
    }

    /// Adds the scores that each profile gives to all items to its row of `scores`, by one matrix product.
    pub(super) fn score_all(&self, profiles: &[&[Evidence]], scores: &mut [f32]) {
        let vectors: Vec<f32> = profiles.iter().flat_map(|profile| self.fold(profile).vector).collect();
        let output = self.output.wide();
        let vectors = ArrayView2::from_shape((profiles.len(), self.width), &vectors);
        let output = ArrayView2::from_shape((self.items(), self.width), &output);
        let scores = ArrayViewMut2::from_shape((profiles.len(), self.items()), scores);
        // The lengths were checked when the factors were made, and callers bring one row per profile.
        if let (Ok(vectors), Ok(output), Ok(mut scores)) = (vectors, output, scores) {
            general_mat_mul(1.0, &vectors, &output.t(), 1.0, &mut scores);
        }
    }

    /// What each item of `profile` adds to the score of each of `targets`: a row of the profile's length for each.
    pub(super) fn contributions(&self, folded: &Folded, profile: &[Evidence], targets: &[u32]) -> Vec<f32> {
        let towards = match &folded.system {
            None => targets.iter().flat_map(|target| self.output_of(*target)).map(|v| widen(*v)).collect(),
            Some(system) => self.solved(system, targets),
        };
        let mut parts = vec![0.0; targets.len() * profile.len()];
        dispatch!(Level::new(), simd => self.add_up(simd, &towards, profile, &mut parts));
        parts
    }

    /// The products of each of the vectors `towards` with those of the profile, weighted.
    #[inline(always)]
    fn add_up<S: Simd>(&self, simd: S, towards: &[f32], profile: &[Evidence], parts: &mut [f32]) {
        let rows = parts.chunks_exact_mut(profile.len().max(1));
        for (towards, parts) in towards.chunks_exact(self.width).zip(rows) {
            for (part, evidence) in parts.iter_mut().zip(profile) {
                *part = evidence.strength * dot_in(simd, towards, self.input_of(evidence.item));
            }
        }
    }

    /// The vectors of `targets`, one after the other, with the system solved for each.
    fn solved(&self, system: &Factorised, targets: &[u32]) -> Vec<f32> {
        let mut solved = Vec::with_capacity(targets.len() * self.width);
        let mut sides = vec![[0.0; SIDES]; self.width];
        for targets in targets.chunks(SIDES) {
            for (side, target) in targets.iter().enumerate() {
                let vector = self.output_of(*target).iter();
                sides.iter_mut().zip(vector).for_each(|(sides, v)| sides[side] = f64::from(widen(*v)));
            }
            system.solve_together(&mut sides);
            for side in 0..targets.len() {
                solved.extend(sides.iter().map(|sides| sides[side] as f32));
            }
        }
        solved
    }
}

/// The sum of `v vᵀ` over rows of `width` numbers, in double precision and in their order.
fn self_product(vectors: &Halves, width: usize) -> Vec<f32> {
    let mut sum = Symmetric::zeros(width);
    if width > 0 {
        sum.add_products(vectors.0.chunks_exact(width).map(|vector| (1.0, vector)));
    }
    sum.full()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors(items: usize, width: usize) -> Vec<f32> {
        (0..items * width).map(|n| ((n * 7919 + 13) % 101) as f32 / 101.0 - 0.4).collect()
    }

    #[test]
    fn contributions_of_a_ridge_add_up_to_its_scores() {
        let fold = Fold::Ridge { unobserved: 0.1, regularisation: 0.05, exponent: 0.5 };
        let factors = Factors::new(30, 20, fold, &[], &vectors(30, 20)).unwrap();
        let profile: Vec<Evidence> =
            [1, 7, 22].iter().map(|i| Evidence { item: *i, strength: 0.3 + *i as f32 / 30.0 }).collect();
        let folded = factors.fold(&profile);
        let mut scores = vec![0.0; 30];
        factors.score(&folded, &mut scores);
        let targets: Vec<u32> = (0..30).collect();
        let parts = factors.contributions(&folded, &profile, &targets);
        assert_eq!(parts.len(), 30 * profile.len());
        for (score, parts) in scores.iter().zip(parts.chunks_exact(profile.len())) {
            let sum: f32 = parts.iter().sum();
            assert!((score - sum).abs() < 1e-4, "{score} {sum}");
        }
        // The ridge pulls the scores of the past towards 1 and leaves others nearer to 0.
        assert!(scores[7] > scores[3]);
    }

    #[test]
    fn factors_that_do_not_fit_are_refused() {
        assert!(Factors::new(3, 2, Fold::Sum, &[], &[0.0; 5]).is_err());
        assert!(Factors::new(3, 2, Fold::Sum, &[0.0; 5], &[0.0; 6]).is_err());
        assert!(Factors::new(3, 0, Fold::Sum, &[], &[]).is_err());
        assert!(Factors::new(1, 2, Fold::Sum, &[], &[0.0, f32::NAN]).is_err());
        let fold = Fold::Ridge { unobserved: 0.1, regularisation: 0.0, exponent: 0.5 };
        assert!(Factors::new(1, 2, fold, &[], &[0.0, 1.0]).is_err());
    }
}
