//! How much deals of the same time hang together.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;
use scorehouse_features::time::DAY;
use statrs::distribution::{Continuous, ContinuousCDF, Normal};

use crate::trained::Unseen;

/// Days of one period, about a month: deals looked at in the same one share what happens around them.
const PERIOD: i64 = 30;
/// Periods, and deals in a period, below which nothing can be told.
const FEWEST_PERIODS: usize = 4;
const FEWEST_DEALS: usize = 10;
/// What is taken for true before anything was seen: the least that banks must reckon with for retail loans (Basel II,
/// 2006, §330); and how many periods that weighs. Not to have seen deals hang together is not to know that they do not.
const STATED: f64 = 0.03;
const STATED_WEIGHS: f64 = 10.0;
/// More than this is taken for a mistake of the scores.
const MOST: f64 = 0.5;

/// The correlation ρ (0 to 0.5) of the one-factor normal copula (Vasicek 1987) under which as many more or fewer deals
/// than expected are won from period to period as was seen: a deal of probability p is won when
/// √ρ Z + √(1 − ρ) ε < Φ⁻¹(p), with Z common to a period. It is drawn towards 0.03, as by ten periods.
///
/// By moments. Where ρ is small, two deals' outcomes have the covariance ρ φ(Φ⁻¹(p₁)) φ(Φ⁻¹(p₂)), so what the squares of
/// the sums of (outcome − p) exceed the sums of p (1 − p) by, over all periods, tells ρ. Scores that are wrong alike for all
/// deals of a period count as correlation, as they should.
#[must_use]
pub fn correlation(unseen: &[Unseen]) -> f64 {
    let Ok(normal) = Normal::new(0.0, 1.0) else { return STATED };
    let mut periods: BTreeMap<i64, Vec<&Unseen>> = BTreeMap::new();
    let mut first: Vec<&Unseen> = unseen.iter().collect();
    first.sort_by_key(|row| (row.as_of, row.group));
    let mut met = FxHashSet::default();
    for row in first {
        let period = row.as_of.0.div_euclid(PERIOD * DAY);
        if met.insert((period, row.group)) {
            periods.entry(period).or_default().push(row);
        }
    }
    periods.retain(|_, rows| rows.len() >= FEWEST_DEALS);
    if periods.len() < FEWEST_PERIODS {
        return STATED;
    }
    let (mut excess, mut scale) = (0.0, 0.0);
    for rows in periods.values() {
        let (mut sum, mut variance, mut density, mut squares) = (0.0, 0.0, 0.0, 0.0);
        for row in rows {
            let p = row.probability.clamp(1e-6, 1.0 - 1e-6);
            let slope = normal.pdf(normal.inverse_cdf(p));
            sum += f64::from(u8::from(row.outcome)) - p;
            variance += p * (1.0 - p);
            density += slope;
            squares += slope * slope;
        }
        excess += sum * sum - variance;
        scale += density * density - squares;
    }
    let stated = scale * STATED_WEIGHS / periods.len() as f64;
    ((excess + STATED * stated) / (scale + stated).max(f64::MIN_POSITIVE)).clamp(0.0, MOST)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};
    use scorehouse_features::time::Timestamp;

    use super::*;

    /// Forty months of a hundred deals each, decided by a common factor of strength `rho`.
    fn deals(rho: f64) -> Vec<Unseen> {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let normal = Normal::new(0.0, 1.0).unwrap();
        let mut rows = Vec::new();
        for month in 0..40 {
            let common: f64 = StandardNormal.sample(&mut rng);
            for deal in 0..100_u32 {
                let probability: f64 = rng.random_range(0.1..0.7);
                let own: f64 = StandardNormal.sample(&mut rng);
                let drawn = rho.sqrt() * common + (1.0 - rho).sqrt() * own;
                let as_of = Timestamp((month * PERIOD + i64::from(deal % 20)) * DAY);
                let outcome = drawn < normal.inverse_cdf(probability);
                rows.push(Unseen { as_of, group: month as u32 * 1000 + deal, probability, outcome });
            }
        }
        rows
    }

    #[test]
    fn a_common_factor_is_found_and_none_is_not() {
        assert!(correlation(&deals(0.0)) < 0.015, "{}", correlation(&deals(0.0)));
        let found = correlation(&deals(0.1));
        assert!((0.05..0.15).contains(&found), "{found}");
    }

    #[test]
    fn looks_at_the_same_deal_in_one_month_count_once() {
        let rows = deals(0.0);
        let thrice: Vec<Unseen> = rows.iter().flat_map(|row| [*row, *row, *row]).collect();
        assert!((correlation(&thrice) - correlation(&rows)).abs() < 1e-12);
    }

    #[test]
    fn a_short_past_tells_nothing_beyond_what_is_stated() {
        assert_eq!(correlation(&deals(0.1)[..300]), STATED);
        assert_eq!(correlation(&[]), STATED);
    }
}
