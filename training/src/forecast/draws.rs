//! What open deals and deals yet to come may come to, drawn many times.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Gamma, Poisson, StandardNormal};
use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, Normal};

use crate::forecast::book::{Book, OpenDeal};
use crate::forecast::credibility::{Seen, credibility};
use crate::forecast::newcomers::{Example, Newcomers};
use crate::forecast::standing::{Standing, tilted};

/// Draws at most and at least, and deals drawn at most in all.
const MOST: usize = 4_000;
const LEAST: usize = 400;
const WORK: usize = 40_000_000;
/// Draws of one stream of random numbers; fixed, so that the outcome does not depend on the threads.
const TOGETHER: usize = 100;

/// What is drawn.
pub(super) struct Draws<'a> {
    pub book: &'a Book,
    pub newcomers: &'a Newcomers,
    pub standing: Standing,
    pub seed: u64,
}

/// The amounts of one group, or of all.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Drawn {
    /// Already won.
    pub won: f64,
    /// Means of what comes of open deals, and of new ones.
    pub from_open: f64,
    pub from_new: f64,
    /// The whole, in the order in which it was drawn.
    pub sums: Vec<f64>,
}

/// Examples of won deals a group's new ones are like.
struct Likely {
    /// Numbers of the group's own examples.
    own: Vec<usize>,
    /// Share of the draws that take one of them.
    share: f64,
    /// Where the common factor stands if as many are won as usual: Φ⁻¹ of the share won.
    usual: f64,
}

/// What one draw gave each group: of open deals, of new ones.
type Sums = Vec<[f64; 2]>;

impl Draws<'_> {
    /// The amounts of every group, and last of all.
    pub fn draw(&self) -> Vec<Drawn> {
        let groups = self.book.groups.len();
        let normal = Normal::standard();
        let limit = |open: &OpenDeal| quantile(&normal, tilted(open.judged.probability, self.standing.odds));
        let limits: Vec<f64> = self.book.open.iter().map(limit).collect();
        let likely = self.likely(&normal);
        let coming = self.newcomers.shares.counts.iter().sum::<f64>() * self.newcomers.pace;
        let each = self.book.open.len() + coming as usize + 1;
        let draws = (WORK / each).clamp(LEAST, MOST);
        let sums: Vec<Sums> = (0..draws.div_ceil(TOGETHER))
            .into_par_iter()
            .flat_map_iter(|stream| {
                let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0xf04e);
                rng.set_stream(stream as u64);
                let one = |_| self.once(&mut rng, &normal, &limits, &likely);
                (0..TOGETHER).map(one).collect::<Vec<Sums>>()
            })
            .collect();
        let count = sums.len() as f64;
        let mut drawn: Vec<Drawn> = (0..=groups).map(|_| Drawn::default()).collect();
        for at in 0..=groups {
            let of = |sums: &Sums, part: usize| match at == groups {
                true => sums.iter().map(|sum| sum[part]).sum::<f64>(),
                false => sums[at][part],
            };
            let won = match at == groups {
                true => self.book.won.iter().sum(),
                false => self.book.won[at],
            };
            drawn[at] = Drawn {
                won,
                from_open: sums.iter().map(|sums| of(sums, 0)).sum::<f64>() / count,
                from_new: sums.iter().map(|sums| of(sums, 1)).sum::<f64>() / count,
                sums: sums.iter().map(|sums| won + of(sums, 0) + of(sums, 1)).collect(),
            };
        }
        drawn
    }

    fn likely(&self, normal: &Normal) -> Vec<Likely> {
        let (won, others) = (&self.newcomers.won, &self.newcomers.others);
        let groups = self.book.groups.len();
        let (mut rates, mut amounts) = (vec![Seen::default(); groups], vec![Seen::default(); groups]);
        for example in won {
            rates[example.group].add(1.0);
            amounts[example.group].add(example.amount);
        }
        for (rate, others) in rates.iter_mut().zip(others) {
            rate.count += *others as f64;
        }
        let all = won.len() as f64 / rates.iter().map(|rate| rate.count).sum::<f64>().max(1.0);
        let (shared_rate, shared_amount) = (credibility(&rates), credibility(&amounts));
        let group = |group: usize| {
            let own: Vec<usize> = (0..won.len()).filter(|at| won[*at].group == group).collect();
            let Seen { count, sum, .. } = rates[group];
            let worth = count / (count + shared_rate);
            let rate = all + worth * (sum / count.max(1.0) - all);
            Likely { share: sum / (sum + shared_amount), own, usual: quantile(normal, rate) }
        };
        (0..groups).map(group).collect()
    }

    fn once(&self, rng: &mut ChaCha8Rng, normal: &Normal, limits: &[f64], likely: &[Likely]) -> Sums {
        let mut sums = vec![[0.0; 2]; self.book.groups.len()];
        let common: f64 = StandardNormal.sample(rng);
        let (shift, rest) =
            (self.standing.correlation.sqrt() * common, (1.0 - self.standing.correlation).sqrt());
        for (open, limit) in self.book.open.iter().zip(limits) {
            let own: f64 = StandardNormal.sample(rng);
            let when: f64 = rng.random();
            if shift + rest * own < *limit && (open.judged.before[0]..open.judged.before[1]).contains(&when) {
                sums[open.group][0] += open.amount;
            }
        }
        if self.newcomers.won.is_empty() || self.newcomers.days <= 0.0 {
            return sums;
        }
        let (off, shares) = (gamma(rng, self.newcomers.spread), &self.newcomers.shares);
        for ((group, likely), seen) in likely.iter().enumerate().zip(&shares.counts) {
            let share = normal.cdf((likely.usual - shift) / rest.max(1e-6));
            let pace = if *seen > 0.0 { seen * gamma(rng, 1.0 / seen + shares.spread) } else { 0.0 };
            let count = poisson(rng, pace * self.newcomers.pace * off * share);
            for _ in 0..count {
                sums[group][1] += self.newcomer(rng, likely);
            }
        }
        sums
    }

    /// What a new deal that is won brings within the period.
    fn newcomer(&self, rng: &mut ChaCha8Rng, likely: &Likely) -> f64 {
        let examples = &self.newcomers.won;
        let own = rng.random::<f64>() < likely.share;
        let at = match likely.own.as_slice() {
            own_examples if own && !own_examples.is_empty() => {
                own_examples[rng.random_range(0..own_examples.len())]
            }
            _ => rng.random_range(0..examples.len()),
        };
        let Example { days, amount, .. } = examples[at];
        let end = rng.random::<f64>() * self.newcomers.days + days;
        let [from, to] = self.newcomers.period;
        if (from..to).contains(&end) { amount } else { 0.0 }
    }
}

fn quantile(normal: &Normal, probability: f64) -> f64 {
    normal.inverse_cdf(probability.clamp(1e-9, 1.0 - 1e-9))
}

/// A positive number with mean 1 and this variance.
fn gamma(rng: &mut ChaCha8Rng, variance: f64) -> f64 {
    if variance < 1e-9 {
        return 1.0;
    }
    Gamma::new(1.0 / variance, variance).map_or(1.0, |gamma| gamma.sample(rng))
}

fn poisson(rng: &mut ChaCha8Rng, mean: f64) -> usize {
    Poisson::new(mean).map_or(0, |poisson: Poisson<f64>| poisson.sample(rng) as usize)
}
