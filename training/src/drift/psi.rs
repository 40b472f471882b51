//! The population stability index: the symmetric Kullback–Leibler divergence of two histograms.

use rustc_hash::FxHashMap;
use scorehouse_models::baseline::{bin_edges, stability_index};

/// Levels kept apart, the most frequent ones; the others are one.
const LEVELS: usize = 30;

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
        stability_index(&self.before, &self.latest)
    }
}

/// The index of numbers in bins of about a tenth of the first sample, and one for missing values (NaN).
pub(super) fn of_numbers(before: &[f64], latest: &[f64]) -> f64 {
    let edges = bin_edges(before);
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
