//! Where the values of one input lay: numbers in bins, anything else by level.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// Bins of about equally many rows.
const BINS: usize = 10;
/// Levels that are told apart, the most frequent ones.
const LEVELS: usize = 30;

/// Where the values of one input lay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Spread {
    /// Numbers, or days before the moment looked at.
    Numbers {
        /// Ascending; a bin ends before its edge, the last one has none.
        edges: Vec<f64>,
        /// Rows in each bin: one more than there are edges.
        counts: Vec<u64>,
    },
    /// Texts and truth values.
    Levels {
        /// The most frequent ones, the most frequent first.
        levels: Vec<String>,
        /// Rows of each, and of all others together: one more than there are levels.
        counts: Vec<u64>,
    },
}

impl Spread {
    /// The spread of numbers; NaN is missing and does not count.
    #[must_use]
    pub fn of_numbers(values: &[f64]) -> Self {
        let edges = bin_edges(values);
        let mut counts = vec![0; edges.len() + 1];
        for value in values.iter().filter(|value| !value.is_nan()) {
            counts[edges.partition_point(|edge| edge <= value)] += 1;
        }
        Self::Numbers { edges, counts }
    }

    /// The spread of texts.
    #[must_use]
    pub fn of_levels<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let mut all: FxHashMap<&str, u64> = FxHashMap::default();
        values.for_each(|value| *all.entry(value).or_default() += 1);
        Self::of_level_counts(all.into_iter().map(|(level, count)| (level.to_owned(), count)).collect())
    }

    /// The spread of texts of which each is counted already.
    #[must_use]
    pub fn of_level_counts(mut all: Vec<(String, u64)>) -> Self {
        all.retain(|(_, count)| *count > 0);
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let others = all.split_off(all.len().min(LEVELS));
        let (levels, mut counts): (Vec<String>, Vec<u64>) = all.into_iter().unzip();
        counts.push(others.iter().map(|(_, count)| count).sum());
        Self::Levels { levels, counts }
    }

    /// Rows at each place.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        match self {
            Self::Numbers { counts, .. } | Self::Levels { counts, .. } => counts,
        }
    }

    /// The bin of a number; none for NaN, and where there are levels.
    pub(super) fn bin(&self, value: f64) -> Option<usize> {
        match self {
            Self::Numbers { edges, .. } if !value.is_nan() => {
                Some(edges.partition_point(|edge| *edge <= value))
            }
            _ => None,
        }
    }

    /// The place of a level; none where there are bins.
    pub(super) fn level(&self, value: &str) -> Option<usize> {
        let Self::Levels { levels, .. } = self else { return None };
        Some(levels.iter().position(|level| level == value).unwrap_or(levels.len()))
    }

    pub(super) fn words(&self, place: usize) -> String {
        match self {
            Self::Levels { levels, .. } => levels.get(place).map_or("other", String::as_str).to_owned(),
            Self::Numbers { edges, .. } => {
                let from = place.checked_sub(1).and_then(|before| edges.get(before));
                match (from, edges.get(place)) {
                    (None, None) => "any number".to_owned(),
                    (None, Some(to)) => format!("below {to}"),
                    (Some(from), None) => format!("{from} and above"),
                    (Some(from), Some(to)) => format!("{from} to below {to}"),
                }
            }
        }
    }

    /// True when there is a count for every place and the edges are in order.
    pub(super) fn is_sound(&self) -> bool {
        match self {
            Self::Levels { levels, counts } => levels.len() <= LEVELS && counts.len() == levels.len() + 1,
            Self::Numbers { edges, counts } => {
                // A value of a tenth of the rows may have a bin of its own between two others.
                edges.len() <= 3 * BINS
                    && counts.len() == edges.len() + 1
                    && edges.iter().all(|edge| edge.is_finite())
                    && edges.is_sorted_by(|a, b| a < b)
            }
        }
    }
}

/// Edges of bins with about a tenth of `values` each; NaN does not count. A value that a tenth or more of them have is a
/// bin of its own, so that what moves to or from it is seen.
#[must_use]
pub fn bin_edges(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    // Zero has two signs and one meaning.
    sorted.iter_mut().for_each(|value| *value += 0.0);
    sorted.sort_by(f64::total_cmp);
    let full = sorted.len().div_ceil(BINS).max(1);
    let (mut edges, mut held) = (Vec::new(), 0);
    for equal in sorted.chunk_by(|a, b| a == b) {
        if held >= full || (held > 0 && equal.len() >= full) {
            edges.push(equal[0]);
            held = 0;
        }
        held += equal.len();
    }
    edges
}
