//! Draws that depend on the seed, the topic and the thing drawn for, and on nothing else: not on the
//! scale, the order of work or the number of threads.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, Poisson, StandardNormal};

use crate::moment::{DAY, Moment};

/// A stream of draws.
#[derive(Debug, Clone)]
pub struct Draw(ChaCha8Rng);

/// Spreads a seed, a topic and a number over 64 bits (FNV-1a, then splitmix64).
pub fn mix(seed: u64, topic: &str, of: u64) -> u64 {
    let bytes = seed.to_le_bytes().into_iter().chain(topic.bytes()).chain(of.to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// A number in [0, 1) that belongs to a seed, a topic and a number.
pub fn share(seed: u64, topic: &str, of: u64) -> f64 {
    (mix(seed, topic, of) >> 11) as f64 / (1_u64 << 53) as f64
}

impl Draw {
    /// The stream of one topic (`tickets`) for one thing (a customer's number).
    pub fn new(seed: u64, topic: &str, of: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(mix(seed, topic, of)))
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        self.0.random()
    }

    /// A whole number from `from` to `to`, both possible.
    pub fn whole(&mut self, from: i64, to: i64) -> i64 {
        self.0.random_range(from..=to)
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Normal with this mean and standard deviation.
    pub fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let z: f64 = StandardNormal.sample(&mut self.0);
        mean + deviation * z
    }

    /// Log-normal with this median; `sigma` is the standard deviation of the logarithm.
    pub fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        self.normal(median.ln(), sigma).exp()
    }

    /// Exponential with this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        let e: f64 = Exp1.sample(&mut self.0);
        mean * e
    }

    /// A count with this mean.
    pub fn count(&mut self, mean: f64) -> u64 {
        Poisson::new(mean).map_or(0, |poisson| poisson.sample(&mut self.0) as u64)
    }

    /// Log-logistic: half lie below `median`, the log-odds of being above fall by `shape` per unit of
    /// logarithm.
    pub fn log_logistic(&mut self, median: f64, shape: f64) -> f64 {
        let u = self.unit().clamp(1e-9, 1.0 - 1e-9);
        median * (u / (1.0 - u)).powf(1.0 / shape)
    }

    /// One of these, each as likely as the others.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.0.random_range(0..of.len())]
    }

    /// The position of one of these weights, drawn in proportion.
    pub fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (position, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return position;
            }
        }
        weights.len() - 1
    }

    /// The moments of a Poisson process of so many events a day, in order, from `from` until before `to`.
    pub fn moments(&mut self, per_day: f64, from: Moment, to: Moment) -> Vec<Moment> {
        let mut moments = Vec::new();
        if per_day <= 0.0 {
            return moments;
        }
        let mut at = from.plus_days(self.exponential(1.0 / per_day));
        while at < to {
            moments.push(at);
            at = at.plus_days(self.exponential(1.0 / per_day));
        }
        moments
    }

    /// When something of `at` was entered: minutes later, or, with probability `late`, days later; never
    /// after the present.
    pub fn recorded(&mut self, at: Moment, late: f64, now: Moment) -> Moment {
        let wait =
            if self.chance(late) { self.exponential(3.0 * DAY as f64) } else { 60.0 + 1500.0 * self.unit() };
        Moment((at.0 + wait as i64).min(now.0 - 1).max(at.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_seed_topic_and_number_alone() {
        let first = |seed, topic, of| Draw::new(seed, topic, of).unit();
        assert_eq!(first(1, "tickets", 7), first(1, "tickets", 7));
        assert_ne!(first(1, "tickets", 7), first(2, "tickets", 7));
        assert_ne!(first(1, "tickets", 7), first(1, "sessions", 7));
        assert_ne!(first(1, "tickets", 7), first(1, "tickets", 8));
    }

    #[test]
    fn a_poisson_process_has_the_rate_asked_for() {
        let mut draw = Draw::new(3, "test", 0);
        let moments = draw.moments(0.5, Moment(0), Moment(20_000 * DAY));
        assert!((moments.len() as f64 / 10_000.0 - 1.0).abs() < 0.05, "{}", moments.len());
    }

    #[test]
    fn nothing_is_recorded_before_it_happened_or_after_the_present() {
        let mut draw = Draw::new(3, "test", 0);
        let now = Moment(10 * DAY);
        for second in 0..1000 {
            let at = Moment(second * 863);
            let recorded = draw.recorded(at, 0.5, now);
            assert!(at <= recorded && recorded < now);
        }
    }
}
