//! How sure a probability is.

use serde::{Deserialize, Serialize};

use crate::error::ModelError;

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// The ends of the 95 % interval of a probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end, at most the probability.
    pub low: f64,
    /// Upper end, at least the probability.
    pub high: f64,
}

/// How many outcomes stand behind one probability: a score is as sure as a rate seen on as many rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Support(f64);

impl Support {
    /// Takes a number of rows, above 0.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when it is not above 0 or not finite.
    pub fn new(rows: f64) -> Result<Self, ModelError> {
        let support = Self(rows);
        support.check().map(|()| support)
    }

    /// The number of rows.
    #[must_use]
    pub const fn rows(self) -> f64 {
        self.0
    }

    pub(crate) fn check(self) -> Result<(), ModelError> {
        if self.0.is_finite() && self.0 > 0.0 {
            return Ok(());
        }
        Err(ModelError::invalid("support", "it must be a number of rows above 0"))
    }

    /// The 95 % interval of a probability, 0 to 1, as if it had been seen on these rows.
    #[must_use]
    pub fn interval(self, probability: f64) -> Interval {
        let (low, high) = wilson(probability, self.0);
        // Rounding must not put the probability outside.
        Interval { low: low.min(probability), high: high.max(probability) }
    }
}

/// The 95 % interval of a share of `count` rows (Wilson 1927), within 0 to 1.
#[must_use]
pub fn wilson(share: f64, count: f64) -> (f64, f64) {
    let centre = share + Z * Z / (2.0 * count);
    let spread = Z * (share * (1.0 - share) / count + Z * Z / (4.0 * count * count)).sqrt();
    let scale = 1.0 + Z * Z / count;
    (((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_gives_the_published_interval() {
        // Newcombe 1998, table I, score method without continuity correction: 81/263 and 15/148.
        let (low, high) = wilson(81.0 / 263.0, 263.0);
        assert!((low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5, "{low} {high}");
        let (low, high) = wilson(15.0 / 148.0, 148.0);
        assert!((low - 0.0624).abs() < 5e-5 && (high - 0.1605).abs() < 5e-5, "{low} {high}");
    }

    #[test]
    fn an_interval_holds_its_probability_and_narrows_with_rows() {
        for p in [0.0, 1e-9, 0.2, 0.5, 1.0] {
            let width = |rows: f64| {
                let Interval { low, high } = Support::new(rows).unwrap().interval(p);
                assert!((0.0..=p).contains(&low) && (p..=1.0).contains(&high), "{p} {rows}: {low} {high}");
                high - low
            };
            assert!(width(2.0) > width(20.0) && width(20.0) > width(2000.0));
        }
    }

    #[test]
    fn no_rows_at_all_are_refused() {
        assert!(Support::new(0.0).is_err() && Support::new(f64::NAN).is_err());
    }
}
