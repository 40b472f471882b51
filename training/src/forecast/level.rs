//! How far forecasts of the past were off, and what follows for the next one.

/// Stretches of the past that are tried at most, and deals that must have ended before the earliest of them.
pub(super) const TRIED: usize = 12;
pub(super) const ENDED: usize = 20;
/// Each try counts this much of the one after it: what happened lately says more.
const FADES: f64 = 0.75;
/// Variance of the factor by which a forecast is off where nothing is known of it, and how many tries that weighs.
const UNSURE: f64 = 0.02;
const UNSURE_WEIGHS: f64 = 2.0;
/// Variance of the factor by which forecasts are off all alike, before anything was tried: about a fifth either way.
const TILT: f64 = 0.05;
/// The factor and the spread depend on each other; so often they are told in turn.
const TURNS: usize = 4;

/// A forecast that could have been made in the past.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Try {
    /// What it would have told.
    pub expected: f64,
    /// The variance of what comes, were nothing uncertain but chance.
    pub variance: f64,
    /// What came.
    pub came: f64,
}

/// What tries teach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Level {
    /// What comes for each that is expected.
    pub factor: f64,
    /// Relative variance of what comes beyond chance: how far the tries were off, and how unsure the factor is.
    pub spread: f64,
    /// How far the tries were off, squared and relative, chance taken out; less is better.
    pub loss: f64,
}

impl Level {
    /// Of tries, the latest first; each expects more than nothing.
    ///
    /// The ratios of what came to what was expected are taken as normal around the factor, with the variance of chance and
    /// a spread common to all; the factor is drawn towards 1 (a normal prior), the spread told by moments, as between
    /// studies in DerSimonian and Laird (1986), and drawn towards what is stated above.
    pub fn of(tries: &[Try]) -> Self {
        let ratios: Vec<(f64, f64)> =
            tries.iter().map(|one| (one.came / one.expected, one.variance / one.expected.powi(2))).collect();
        let fading = |at: usize| FADES.powi(at as i32);
        let (mut factor, mut spread, mut sureness) = (1.0, UNSURE, 1.0 / TILT);
        for _ in 0..TURNS {
            let (mut weights, mut sum) = (1.0 / TILT, 1.0 / TILT);
            let (mut shares, mut beyond) = (0.0, 0.0);
            for (at, (ratio, chance)) in ratios.iter().enumerate() {
                let weight = fading(at) / (chance + spread);
                weights += weight;
                sum += weight * ratio;
            }
            factor = sum / weights;
            for (at, (ratio, chance)) in ratios.iter().enumerate() {
                let share = fading(at) / (chance + spread).powi(2);
                shares += share;
                beyond += share * ((ratio - factor).powi(2) - chance * factor.powi(2));
            }
            let stated = UNSURE_WEIGHS * shares / ratios.len().max(1) as f64;
            if shares > 0.0 {
                spread = ((beyond + stated * UNSURE) / (shares + stated)).max(UNSURE / 10.0);
            }
            sureness = weights;
        }
        let (mut off, mut weights) = (0.0, 0.0);
        for (ratio, chance) in &ratios {
            let weight = 1.0 / (chance + UNSURE);
            off += weight * ((ratio - 1.0).powi(2) - chance);
            weights += weight;
        }
        let loss = if ratios.is_empty() { f64::MAX } else { off / weights };
        Self { factor: factor.max(0.0), spread: spread + 1.0 / sureness, loss }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, Normal};

    use super::*;

    /// Tries that expect 100 with variance 100, of which comes `factor` times as much, off by `off` beyond chance.
    fn tries(count: usize, factor: f64, off: f64) -> Vec<Try> {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let around = Normal::new(100.0 * factor, (100.0 + (100.0 * off).powi(2)).sqrt()).unwrap();
        let one = |_| Try { expected: 100.0, variance: 100.0, came: around.sample(&mut rng) };
        (0..count).map(one).collect()
    }

    #[test]
    fn without_a_try_a_forecast_is_taken_for_right_and_unsure() {
        let level = Level::of(&[]);
        assert_eq!((level.factor, level.spread), (1.0, UNSURE + TILT));
    }

    #[test]
    fn chance_alone_leaves_little_spread_and_what_is_beyond_it_is_found() {
        let chance = Level::of(&tries(12, 1.0, 0.0));
        assert!((chance.factor - 1.0).abs() < 0.08 && chance.spread < 0.02, "{chance:?}");
        let beyond = Level::of(&tries(12, 1.0, 0.5));
        assert!(beyond.spread > 0.1 && beyond.loss > chance.loss, "{beyond:?}");
    }

    #[test]
    fn what_was_told_too_high_again_and_again_is_told_lower() {
        let level = Level::of(&tries(12, 0.7, 0.05));
        assert!((0.65..0.8).contains(&level.factor), "{level:?}");
        let one = Level::of(&[Try { expected: 100.0, variance: 100.0, came: 70.0 }]);
        assert!(level.factor < one.factor && one.factor < 1.0, "a single try weighs less: {one:?}");
    }
}
