//! Two-sample tests, and their correction for many features.

use statrs::distribution::{ChiSquared, ContinuousCDF};

use crate::drift::psi::Counts;

/// What a test says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    pub statistic: f64,
    /// Probability of a statistic as large by chance.
    pub p_value: f64,
}

/// Largest distance of two empirical distribution functions, missing values (NaN) below all numbers.
///
/// The probability is the limit for many rows with Stephens' (1970) correction for few, conservative where
/// numbers repeat. `before` and `latest` are the numbers of independent rows.
pub(super) fn kolmogorov_smirnov(a: &[f64], b: &[f64], before: f64, latest: f64) -> Outcome {
    let sorted = |sample: &[f64]| {
        let mut sorted: Vec<f64> =
            sample.iter().map(|x| if x.is_nan() { f64::NEG_INFINITY } else { *x }).collect();
        sorted.sort_by(f64::total_cmp);
        sorted
    };
    let (a, b) = (sorted(a), sorted(b));
    let (mut i, mut j, mut statistic) = (0, 0, 0.0_f64);
    while i < a.len() && j < b.len() {
        let x = a[i].min(b[j]);
        while i < a.len() && a[i] <= x {
            i += 1;
        }
        while j < b.len() && b[j] <= x {
            j += 1;
        }
        statistic = statistic.max((i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs());
    }
    let rows = (before * latest / (before + latest)).sqrt();
    Outcome { statistic, p_value: kolmogorov((rows + 0.12 + 0.11 / rows) * statistic) }
}

/// The chance of a scaled distance above `x` (Kolmogorov 1933).
fn kolmogorov(x: f64) -> f64 {
    if x < 0.2 {
        return 1.0;
    }
    let term = |k: i32| {
        let k = f64::from(k);
        let sign = if k as i64 % 2 == 0 { -1.0 } else { 1.0 };
        sign * (-2.0 * k * k * x * x).exp()
    };
    (2.0 * (1..=100).map(term).sum::<f64>()).clamp(0.0, 1.0)
}

/// Pearson's test of whether both sides have the same shares. Levels with fewer than five expected rows count as
/// one. When rows are not independent, counts are scaled to the number of independent ones.
pub(super) fn chi_square(counts: &Counts, before: f64, latest: f64) -> Outcome {
    let (all_before, all_latest): (f64, f64) = (counts.before.iter().sum(), counts.latest.iter().sum());
    let scaled = counts.before.iter().zip(&counts.latest);
    let scaled = scaled.map(|(b, l)| (b * before / all_before, l * latest / all_latest));
    let share = latest.min(before) / (before + latest);
    let (mut cells, mut rare) = (Vec::new(), (0.0, 0.0));
    for (b, l) in scaled {
        match (b + l) * share < 5.0 {
            true => rare = (rare.0 + b, rare.1 + l),
            false => cells.push((b, l)),
        }
    }
    if rare.0 + rare.1 > 0.0 {
        cells.push(rare);
    }
    let part = |(b, l): &(f64, f64)| {
        let expected = |own: f64| (b + l) * own / (before + latest);
        let square = |seen: f64, own: f64| (seen - expected(own)).powi(2) / expected(own).max(1e-12);
        square(*b, before) + square(*l, latest)
    };
    let statistic = cells.iter().map(part).sum();
    let freedom = cells.len() as f64 - 1.0;
    let p_value = match ChiSquared::new(freedom) {
        Ok(distribution) if freedom > 0.0 => distribution.sf(statistic),
        _ => 1.0,
    };
    Outcome { statistic, p_value }
}

/// Probabilities corrected so that among those called at a level at most that share is by chance.
pub(super) fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*b].total_cmp(&p[*a]).then(b.cmp(a)));
    let (mut corrected, mut least) = (vec![1.0; p.len()], 1.0_f64);
    for (from_last, at) in order.iter().enumerate() {
        let rank = (p.len() - from_last) as f64;
        least = least.min(p[*at] * p.len() as f64 / rank);
        corrected[*at] = least;
    }
    corrected
}
