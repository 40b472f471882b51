//! A weighted sum of columns, such as logistic regression.

use serde::{Deserialize, Serialize};

use crate::error::ModelError;
use crate::predictor::Scale;

/// `intercept + Σ weight·column`, over the columns that have a weight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    intercept: f64,
    terms: Vec<Term>,
    scale: Scale,
}

/// One column's part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// Position of the column in the row.
    pub column: u32,
    /// Its weight.
    pub weight: f64,
    /// The column's mean over the training rows: contributions are told against it.
    pub center: f64,
}

impl Linear {
    /// Takes finite numbers. Columns read must never be NaN, so they need a
    /// [`Scaling`](crate::encoder::Scaling) that fills.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when a number is not finite.
    pub fn new(intercept: f64, terms: Vec<Term>, scale: Scale) -> Result<Self, ModelError> {
        let linear = Self { intercept, terms, scale };
        linear.check()?;
        Ok(linear)
    }

    pub(crate) fn check(&self) -> Result<(), ModelError> {
        let finite = self.terms.iter().all(|t| t.weight.is_finite() && t.center.is_finite());
        if finite && self.intercept.is_finite() {
            return Ok(());
        }
        Err(ModelError::invalid("linear model", "a weight, mean or the intercept is not finite"))
    }

    /// The scale of the sum.
    #[must_use]
    pub const fn scale(&self) -> Scale {
        self.scale
    }

    /// The constant part.
    #[must_use]
    pub const fn intercept(&self) -> f64 {
        self.intercept
    }

    /// The columns' parts.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Columns that a row must have at least.
    #[must_use]
    pub fn width(&self) -> usize {
        self.terms.iter().map(|t| t.column as usize + 1).max().unwrap_or(0)
    }

    /// The sum for a row at least [`Linear::width`] wide.
    #[must_use]
    pub fn raw(&self, row: &[f64]) -> f64 {
        self.terms.iter().fold(self.intercept, |sum, t| sum + t.weight * row[t.column as usize])
    }

    pub(crate) fn add_contributions(&self, row: &[f64], factor: f64, out: &mut [f64]) -> f64 {
        let mut base = self.intercept;
        for t in &self.terms {
            let column = t.column as usize;
            base += t.weight * t.center;
            out[column] += factor * t.weight * (row[column] - t.center);
        }
        factor * base
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn contributions_add_up_to_the_sum(
            terms in prop::collection::vec((0_u32..6, -5.0..5.0_f64, -5.0..5.0_f64), 0..6),
            row in prop::collection::vec(-9.0..9.0_f64, 6),
        ) {
            let terms = terms.into_iter().map(|(column, weight, center)| Term { column, weight, center });
            let linear = Linear::new(0.3, terms.collect(), Scale::LogOdds).unwrap();
            let mut out = [0.0; 6];
            let base = linear.add_contributions(&row, 1.0, &mut out);
            prop_assert!((base + out.iter().sum::<f64>() - linear.raw(&row)).abs() < 1e-9);
        }
    }

    #[test]
    fn a_weight_that_is_not_finite_is_refused() {
        let term = Term { column: 0, weight: f64::INFINITY, center: 0.0 };
        assert!(Linear::new(0.0, vec![term], Scale::LogOdds).is_err());
    }
}
