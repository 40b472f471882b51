//! What customers are expected to buy, at the level that later purchases had.

use ndarray::Array1;
use rayon::prelude::*;
use scorehouse_features::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use statrs::distribution::{DiscreteCDF, NegativeBinomial};

use super::bg_nbd::BgNbd;
use super::past::Past;

/// Groups of customers, by what is expected of them, whose level is compared.
const GROUPS: usize = 10;
/// Customers in a group at least.
const IN_A_GROUP: usize = 100;
/// Purchases at most of one customer in a horizon.
const MOST: u64 = 10_000;

/// What one customer is expected to buy in a horizon.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// The mean of the number of days with a purchase: what to multiply by the value of one.
    pub mean: f64,
    /// Its median: the number that is off by least on average.
    pub median: f64,
    /// The probability that the customer has not dropped out, 0 to 1.
    pub alive: f64,
}

/// Buying and dropping out, and how much more or less was bought than that expects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PurchaseModel {
    /// Buying and dropping out.
    pub bg_nbd: BgNbd,
    /// What was expected of groups of customers, ascending, and the factor to what they bought; none when past
    /// customers were told better without.
    pub levels: Option<Levels>,
}

/// Factors by what is expected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    /// What was expected a day, ascending.
    pub expected: Vec<f64>,
    /// What was bought over what was expected.
    pub factor: Vec<f64>,
}

impl PurchaseModel {
    /// Learns from every customer's moments of purchase, known up to `until`.
    ///
    /// The past is split in time to choose: a model of its first third says what its second third brings, which gives
    /// the levels; one of its first two thirds says, with and without them, what the last third brings. Levels are kept
    /// when they bring the squares of the errors down.
    #[must_use]
    pub fn fit(purchases: &[Vec<Timestamp>], until: Timestamp) -> Self {
        let bg_nbd = BgNbd::fit(&pasts(purchases, until).1);
        let Some(first) = purchases.iter().flatten().min().copied() else {
            return Self { bg_nbd, levels: None };
        };
        let third = Span(until.0.saturating_sub(first.0) / 3);
        let (one, two) = (first.after(third), first.after(third).after(third));
        let early = Levels::of(purchases, one, two);
        let judged = |levels: Option<&Levels>| {
            let (who, pasts) = pasts(purchases, two);
            let model = BgNbd::fit(&pasts);
            let days = until.days_since(two);
            let expected = model.expected_all(&pasts, days).mapv(|mean| raised(levels, mean, days));
            (bought(purchases, &who, two, until) - expected).mapv(|off| off * off).sum()
        };
        let better = early.as_ref().is_some_and(|levels| judged(Some(levels)) < judged(None));
        // What is kept is told by the later two thirds, which are longer and nearer.
        let levels = if better { Levels::of(purchases, two, until) } else { None };
        Self { bg_nbd, levels }
    }

    /// What a customer is expected to buy in the `days` to come.
    #[must_use]
    pub fn expected(&self, past: &Past, days: f64) -> Expected {
        let alive = self.bg_nbd.alive(past);
        let mean = raised(self.levels.as_ref(), self.bg_nbd.expected(past, days), days);
        Expected { mean, median: median(mean, alive, self.bg_nbd.r + past.repeats), alive }
    }

    /// What customers are expected to buy, in their order; none for who had bought nothing by `until`.
    #[must_use]
    pub fn expected_of(
        &self,
        purchases: &[Vec<Timestamp>],
        until: Timestamp,
        days: f64,
    ) -> Vec<Option<Expected>> {
        purchases.par_iter().map(|own| Past::of(own, until).map(|past| self.expected(&past, days))).collect()
    }
}

impl Levels {
    /// What came from `from` to `until`, over what a model of the time before expects; none with too few customers.
    fn of(purchases: &[Vec<Timestamp>], from: Timestamp, until: Timestamp) -> Option<Self> {
        let (who, pasts) = pasts(purchases, from);
        let groups = (who.len() / IN_A_GROUP).min(GROUPS);
        if groups == 0 {
            return None;
        }
        let days = until.days_since(from);
        let means = BgNbd::fit(&pasts).expected_all(&pasts, days);
        let came = bought(purchases, &who, from, until);
        let mut order: Vec<usize> = (0..who.len()).collect();
        order.sort_by(|x, y| means[*x].total_cmp(&means[*y]).then(x.cmp(y)));
        let (mut expected, mut factor): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        for group in order.chunks(order.len().div_ceil(groups)) {
            let sum = |of: &Array1<f64>| group.iter().map(|at| of[*at]).sum::<f64>();
            let (told, bought) = (sum(&means), sum(&came));
            let at = told / group.len() as f64 / days.max(1e-9);
            if told > 0.0 && expected.last().is_none_or(|last| at > *last) {
                expected.push(at);
                // Drawn towards 1 as by ten purchases.
                factor.push((bought + 10.0) / (told + 10.0));
            }
        }
        (!expected.is_empty()).then_some(Self { expected, factor })
    }

    fn factor(&self, a_day: f64) -> f64 {
        let after = self.expected.partition_point(|x| *x <= a_day);
        let at = |place: usize| self.factor.get(place).copied().unwrap_or(1.0);
        if after == 0 || after == self.expected.len() {
            return at(after.min(self.expected.len() - 1));
        }
        let (from, to) = (self.expected[after - 1], self.expected[after]);
        at(after - 1) + (at(after) - at(after - 1)) * (a_day - from) / (to - from)
    }
}

fn raised(levels: Option<&Levels>, mean: f64, days: f64) -> f64 {
    mean * levels.map_or(1.0, |levels| levels.factor(mean / days.max(1e-9)))
}

/// Who had bought by a moment, and what is known of them.
fn pasts(purchases: &[Vec<Timestamp>], until: Timestamp) -> (Vec<usize>, Vec<Past>) {
    let known = purchases.iter().enumerate();
    known.filter_map(|(at, own)| Past::of(own, until).map(|past| (at, past))).unzip()
}

fn bought(purchases: &[Vec<Timestamp>], who: &[usize], from: Timestamp, until: Timestamp) -> Array1<f64> {
    who.iter().map(|at| Past::count(&purchases[*at], from, until) as f64).collect()
}

/// The median of nothing for who dropped out, and of a negative binomial number, whose shape is that of the rates that
/// the past leaves possible, for who did not. That somebody may drop out on the way is in the mean alone.
fn median(mean: f64, alive: f64, shape: f64) -> f64 {
    if alive <= 0.5 || mean <= 0.0 {
        return 0.0;
    }
    let if_alive = mean / alive;
    let Ok(count) = NegativeBinomial::new(shape, shape / (shape + if_alive)) else { return 0.0 };
    // Up to here lie the dropouts and enough of the others.
    let share = 1.0 - 0.5 / alive;
    let (mut low, mut high) = (0, 1);
    while count.cdf(high) < share && high < MOST {
        high *= 2;
    }
    while low < high {
        let middle = (low + high) / 2;
        if count.cdf(middle) < share { low = middle + 1 } else { high = middle }
    }
    low as f64
}
