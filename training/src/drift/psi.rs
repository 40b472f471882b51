//! The population stability index: the symmetric Kullback–Leibler divergence of two histograms.

use rustc_hash::FxHashMap;

/// Bins of equally many rows learnt from.
const BINS: usize = 10;
/// Levels kept apart, the most frequent ones; the others are one.
const LEVELS: usize = 30;
/// Rows added to each bin, so that an empty one does not make the index infinite.
const ADDED: f64 = 0.5;

/// Rows of each level on either side.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Counts {
    pub before: Vec<f64>,
    pub latest: Vec<f64>,
}

impl Counts {
    /// Counts the most frequent codes among both kinds of rows, the others together.
    pub fn of(codes: &[u64], before: &[u32], latest: &[u32]) -> Self {
        let mut all: FxHashMap<u64, (f64, f64)> = FxHashMap::default();
        before.iter().for_each(|row| all.entry(codes[*row as usize]).or_default().0 += 1.0);
        latest.iter().for_each(|row| all.entry(codes[*row as usize]).or_default().1 += 1.0);
        let mut ordered: Vec<(u64, (f64, f64))> = all.into_iter().collect();
        ordered.sort_by(|a, b| (b.1.0 + b.1.1).total_cmp(&(a.1.0 + a.1.1)).then(a.0.cmp(&b.0)));
        let mut counts = Self::default();
        for (at, (_, (before, latest))) in ordered.into_iter().enumerate() {
            if at <= LEVELS {
                counts.before.push(before);
                counts.latest.push(latest);
            } else {
                counts.before[LEVELS] += before;
                counts.latest[LEVELS] += latest;
            }
        }
        counts
    }

    /// The index in nats, 0 and above.
    pub fn psi(&self) -> f64 {
        let bins = self.before.len() as f64;
        let share = |count: f64, all: f64| (count + ADDED) / (all + ADDED * bins);
        let (before, latest): (f64, f64) = (self.before.iter().sum(), self.latest.iter().sum());
        let part = |(b, l): (&f64, &f64)| {
            let (b, l) = (share(*b, before), share(*l, latest));
            (l - b) * (l / b).ln()
        };
        self.before.iter().zip(&self.latest).map(part).sum()
    }
}

/// The index of numbers in ten bins of the first sample, and one for missing values (NaN).
pub(super) fn of_numbers(before: &[f64], latest: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = before.iter().copied().filter(|x| !x.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let mut edges: Vec<f64> =
        (1..BINS).filter_map(|bin| sorted.get(bin * sorted.len() / BINS)).copied().collect();
    edges.dedup();
    let count = |sample: &[f64]| {
        let mut bins = vec![0.0; edges.len() + 2];
        for x in sample {
            let bin = if x.is_nan() { edges.len() + 1 } else { edges.partition_point(|edge| edge <= x) };
            bins[bin] += 1.0;
        }
        bins
    };
    let (mut before, mut latest) = (count(before), count(latest));
    // A bin that nobody is in says nothing, but would take its share of the added rows.
    let used: Vec<bool> = before.iter().zip(&latest).map(|(b, l)| b + l > 0.0).collect();
    let keep = |bins: &mut Vec<f64>| {
        let mut used = used.iter();
        bins.retain(|_| used.next().copied().unwrap_or(false));
    };
    keep(&mut before);
    keep(&mut latest);
    Counts { before, latest }.psi()
}
