//! Customers buy at a rate of their own and, after any purchase, may never come back (BG/NBD; Fader, Hardie, Lee 2005).

use ndarray::Array1;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use statrs::function::beta::ln_beta;
use statrs::function::gamma::ln_gamma;

use super::past::Past;
use super::simplex::least;

/// Terms of the hypergeometric series at most.
const TERMS: usize = 20_000;
/// Customers summed up together; fixed, so that sums do not depend on the threads.
const TOGETHER: usize = 1024;

/// Rates follow a gamma distribution, dropout probabilities a beta distribution, over customers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BgNbd {
    /// Shape of the rates, above 0.
    pub r: f64,
    /// Rate parameter of the rates, in days, above 0.
    pub alpha: f64,
    /// First parameter of the dropout probabilities, above 0.
    pub a: f64,
    /// Second parameter of the dropout probabilities, above 0.
    pub b: f64,
}

impl BgNbd {
    /// The most likely parameters. Without customers, those of a company where hardly anybody comes back.
    #[must_use]
    pub fn fit(pasts: &[Past]) -> Self {
        let mut sorted = pasts.to_vec();
        let key = |past: &Past| [past.repeats, past.recency, past.age];
        sorted.sort_by(|x, y| {
            let pairs = key(x).into_iter().zip(key(y));
            pairs
                .map(|(x, y)| x.total_cmp(&y))
                .find(|order| order.is_ne())
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        // Many customers have the same past: each is told once, with how many there are.
        let mut told: Vec<(Past, f64)> = Vec::new();
        for past in sorted {
            match told.last_mut() {
                Some((last, count)) if *last == past => *count += 1.0,
                _ => told.push((past, 1.0)),
            }
        }
        let days = pasts.iter().map(|past| past.age).fold(1.0, f64::max);
        let all = pasts.len().max(1) as f64;
        // In days of about one to a hundred the same for any length of the past.
        let scale = days / 10.0;
        let of = |log: &[f64; 4]| Self::of(log, scale);
        let loss = |log: &[f64; 4]| {
            let model = of(log);
            let sum: Vec<f64> = told
                .par_chunks(TOGETHER)
                .map(|some| some.iter().map(|(past, count)| count * model.log_likelihood(past)).sum())
                .collect();
            // Drawn a hair towards 1, for a few customers, whose most likely parameters may lie beyond all bounds.
            let far: f64 = log.iter().map(|x| x * x).sum();
            -sum.iter().sum::<f64>() / all + 0.01 * far / all
        };
        of(&least([0.0; 4], loss))
    }

    fn of(log: &[f64; 4], scale: f64) -> Self {
        let [r, alpha, a, b] = log.map(f64::exp);
        Self { r, alpha: alpha * scale, a, b }
    }

    /// The log-likelihood of one customer's past.
    #[must_use]
    pub fn log_likelihood(&self, past: &Past) -> f64 {
        let Self { r, alpha, a, b } = *self;
        let Past { repeats: x, recency, age } = *past;
        let rate = ln_gamma(r + x) - ln_gamma(r) + r * alpha.ln();
        let stays = ln_beta(a, b + x) - ln_beta(a, b) - (r + x) * (alpha + age).ln();
        if x == 0.0 {
            return rate + stays;
        }
        let left = ln_beta(a + 1.0, b + x - 1.0) - ln_beta(a, b) - (r + x) * (alpha + recency).ln();
        let most = stays.max(left);
        rate + most + ((stays - most).exp() + (left - most).exp()).ln()
    }

    /// The probability that a customer has not dropped out, 0 to 1.
    #[must_use]
    pub fn alive(&self, past: &Past) -> f64 {
        let Self { r, alpha, a, b } = *self;
        let Past { repeats: x, recency, age } = *past;
        if x == 0.0 {
            return 1.0;
        }
        let odds = (a / (b + x - 1.0)).ln() + (r + x) * ((alpha + age) / (alpha + recency)).ln();
        1.0 / (1.0 + odds.exp())
    }

    /// The expected number of days with a purchase in the `days` to come.
    #[must_use]
    pub fn expected(&self, past: &Past, days: f64) -> f64 {
        let Self { r, alpha, b, .. } = *self;
        // The formula has a removable gap at a = 1.
        let a = if (self.a - 1.0).abs() < 1e-6 { 1.0 + 1e-6 } else { self.a };
        let Past { repeats: x, age, .. } = *past;
        let share = days / (alpha + age + days);
        let series = hypergeometric(r + x, b + x, a + b + x - 1.0, share);
        let still = ((alpha + age) / (alpha + age + days)).powf(r + x) * series;
        ((a + b + x - 1.0) / (a - 1.0) * (1.0 - still) * self.alive(past)).max(0.0)
    }

    /// The expected numbers of many customers.
    #[must_use]
    pub fn expected_all(&self, pasts: &[Past], days: f64) -> Array1<f64> {
        let expected: Vec<f64> = pasts.par_iter().map(|past| self.expected(past, days)).collect();
        Array1::from(expected)
    }
}

/// Gauss's ₂F₁(a, b; c; z) for 0 ≤ z < 1, by its series.
fn hypergeometric(a: f64, b: f64, c: f64, z: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 0..TERMS {
        let n = n as f64;
        term *= (a + n) * (b + n) / ((c + n) * (n + 1.0)) * z;
        sum += term;
        if term.abs() < 1e-13 * sum.abs() {
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_gives_what_is_known_in_closed_form() {
        // ₂F₁(1, 1; 2; z) = −ln(1 − z) / z, and ₂F₁(a, b; b; z) = (1 − z)^−a.
        assert!((hypergeometric(1.0, 1.0, 2.0, 0.5) + (0.5_f64).ln() / 0.5).abs() < 1e-12);
        assert!((hypergeometric(0.3, 2.0, 2.0, 0.9) - 0.1_f64.powf(-0.3)).abs() < 1e-10);
    }

    #[test]
    fn a_customer_who_buys_often_and_long_ago_is_likely_gone() {
        let model = BgNbd { r: 0.25, alpha: 30.0, a: 0.7, b: 2.0 };
        let past = |repeats, recency| Past { repeats, recency, age: 270.0 };
        assert_eq!(model.alive(&past(0.0, 0.0)), 1.0);
        assert!(model.alive(&past(10.0, 60.0)) < 0.05 && model.alive(&past(10.0, 265.0)) > 0.8);
        assert!(model.expected(&past(10.0, 265.0), 90.0) > model.expected(&past(2.0, 265.0), 90.0));
        assert_eq!(model.expected(&past(3.0, 200.0), 0.0), 0.0);
    }
}
