//! From a predictor's raw number to an honest probability.

use serde::{Deserialize, Serialize};

use crate::error::ModelError;
use crate::ids::Probability;
use crate::predictor::Scale;

/// A monotone map from the raw score to a probability, fitted on held-out rows.
///
/// Each variant first puts the raw score on the scale it needs: a raw number on the log-odds scale becomes a
/// probability through the logistic function, and the other way round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Calibration {
    /// The raw score as it is (through the logistic function if it is on the log-odds scale).
    Identity,
    /// `sigmoid(a·z + b)` with z the log-odds; a > 0 (Platt 1999).
    Platt {
        /// Slope, above 0.
        a: f64,
        /// Intercept.
        b: f64,
    },
    /// `sigmoid(a·ln p − b·ln(1−p) + c)` with p the probability; a, b ≥ 0 (Kull, Silva Filho, Flach 2017).
    Beta {
        /// Weight of ln p, at least 0.
        a: f64,
        /// Weight of −ln(1−p), at least 0.
        b: f64,
        /// Intercept.
        c: f64,
    },
    /// Straight lines between points, level beyond the first and last (isotonic regression).
    Isotonic {
        /// Raw scores, strictly ascending.
        x: Vec<f64>,
        /// Probabilities at those, never descending.
        y: Vec<f64>,
    },
}

/// Probabilities closer to 0 or 1 than this are moved here before their log-odds are taken.
const EDGE: f64 = 1e-12;

/// The logistic function, 0 to 1, without overflow at either end.
#[must_use]
pub fn sigmoid(z: f64) -> f64 {
    if z >= 0.0 {
        1.0 / (1.0 + (-z).exp())
    } else {
        let e = z.exp();
        e / (1.0 + e)
    }
}

/// The log-odds of a probability, finite for 0 and 1 too.
#[must_use]
pub fn log_odds(p: f64) -> f64 {
    let p = p.clamp(EDGE, 1.0 - EDGE);
    (p / (1.0 - p)).ln()
}

impl Calibration {
    /// Checks that the map is monotone and every number finite.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] saying what is wrong.
    pub fn check(&self) -> Result<(), ModelError> {
        let refuse = |why: &str| Err(ModelError::invalid("calibration", why));
        match self {
            Self::Identity => Ok(()),
            Self::Platt { a, b } if !(a.is_finite() && b.is_finite() && *a > 0.0) => {
                refuse("the slope must be above 0 and both numbers finite")
            }
            Self::Beta { a, b, c }
                if !(a.is_finite() && b.is_finite() && c.is_finite() && *a >= 0.0 && *b >= 0.0) =>
            {
                refuse("a and b must not be negative and every number finite")
            }
            Self::Platt { .. } | Self::Beta { .. } => Ok(()),
            Self::Isotonic { x, y } => check_points(x, y),
        }
    }

    /// The probability behind a raw score on `scale`.
    #[must_use]
    pub fn apply(&self, raw: f64, scale: Scale) -> Probability {
        Probability::nearest(match self {
            Self::Identity => scale.probability(raw),
            Self::Platt { a, b } => sigmoid(a * scale.log_odds(raw) + b),
            Self::Beta { a, b, c } => {
                let p = scale.probability(raw).clamp(EDGE, 1.0 - EDGE);
                sigmoid(a * p.ln() - b * (1.0 - p).ln() + c)
            }
            Self::Isotonic { x, y } => interpolate(x, y, raw),
        })
    }
}

fn check_points(x: &[f64], y: &[f64]) -> Result<(), ModelError> {
    let refuse = |why: &str| Err(ModelError::invalid("calibration", why));
    if x.is_empty() || x.len() != y.len() {
        return refuse("there must be as many probabilities as raw scores, and at least one");
    }
    if !x.iter().all(|v| v.is_finite()) || !x.windows(2).all(|w| w[0] < w[1]) {
        return refuse("raw scores must be finite and strictly ascending");
    }
    if !y.iter().all(|v| (0.0..=1.0).contains(v)) || !y.windows(2).all(|w| w[0] <= w[1]) {
        return refuse("probabilities must lie in 0 to 1 and never descend");
    }
    Ok(())
}

fn interpolate(x: &[f64], y: &[f64], raw: f64) -> f64 {
    let after = x.partition_point(|v| *v <= raw);
    if after == 0 {
        return y.first().copied().unwrap_or(f64::NAN);
    }
    if after == x.len() {
        return y[after - 1];
    }
    let share = (raw - x[after - 1]) / (x[after] - x[after - 1]);
    y[after - 1] + share * (y[after] - y[after - 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn maps() -> Vec<Calibration> {
        vec![
            Calibration::Identity,
            Calibration::Platt { a: 0.7, b: -0.2 },
            Calibration::Beta { a: 1.3, b: 0.4, c: 0.1 },
            Calibration::Isotonic { x: vec![-1.0, 0.0, 2.0], y: vec![0.1, 0.1, 0.8] },
        ]
    }

    #[test]
    fn identity_on_the_probability_scale_changes_nothing() {
        assert_eq!(Calibration::Identity.apply(0.3, Scale::Probability).get(), 0.3);
    }

    #[test]
    fn beta_with_unit_weights_is_identity() {
        let beta = Calibration::Beta { a: 1.0, b: 1.0, c: 0.0 };
        assert!((beta.apply(0.3, Scale::Probability).get() - 0.3).abs() < 1e-12);
    }

    #[test]
    fn isotonic_interpolates_and_is_level_beyond_its_ends() {
        let map = Calibration::Isotonic { x: vec![0.0, 1.0], y: vec![0.2, 0.6] };
        let at = |raw| map.apply(raw, Scale::LogOdds).get();
        assert_eq!((at(-5.0), at(5.0)), (0.2, 0.6));
        assert!((at(0.25) - 0.3).abs() < 1e-12);
    }

    #[test]
    fn falling_or_broken_maps_are_refused() {
        for bad in [
            Calibration::Platt { a: -1.0, b: 0.0 },
            Calibration::Platt { a: f64::NAN, b: 0.0 },
            Calibration::Beta { a: -0.1, b: 1.0, c: 0.0 },
            Calibration::Isotonic { x: vec![1.0, 1.0], y: vec![0.1, 0.2] },
            Calibration::Isotonic { x: vec![1.0, 2.0], y: vec![0.3, 0.2] },
            Calibration::Isotonic { x: vec![], y: vec![] },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_map_is_monotone_and_stays_in_range(a in -50.0..50.0_f64, b in -50.0..50.0_f64) {
            let (low, high) = if a <= b { (a, b) } else { (b, a) };
            for map in maps() {
                let (p, q) = (map.apply(low, Scale::LogOdds).get(), map.apply(high, Scale::LogOdds).get());
                prop_assert!((0.0..=1.0).contains(&p) && p <= q + 1e-15, "{map:?} {low} {high} {p} {q}");
            }
        }
    }
}
