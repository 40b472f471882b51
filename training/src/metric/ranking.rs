//! How good lists of suggestions are: recall, NDCG and coverage at a length.

use indexmap::IndexMap;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::metric::confidence::quantile;
use crate::metric::evaluation::{Estimate, Evaluation};

/// One user's list beside what the user took up after all.
#[derive(Debug, Clone, Copy)]
pub struct RankedList<'a> {
    /// Suggested items, the best first, none twice.
    pub suggested: &'a [u32],
    /// Items taken up, ascending; not empty.
    pub taken: &'a [u32],
}

impl RankedList<'_> {
    fn hits(&self, k: usize) -> impl Iterator<Item = usize> + '_ {
        let hit = |(_, item): &(usize, &u32)| self.taken.binary_search(item).is_ok();
        self.suggested.iter().take(k).enumerate().filter(hit).map(|(place, _)| place)
    }

    /// Share of the items taken up that are among the first `k` suggested, 0 to 1.
    #[must_use]
    pub fn recall(&self, k: usize) -> f64 {
        self.hits(k).count() as f64 / self.taken.len().max(1) as f64
    }

    /// Normalised discounted cumulative gain at `k`, 0 to 1: a hit at place p (from 1) counts 1 / log2(p + 1),
    /// against the best list possible (Järvelin and Kekäläinen 2002, binary gains).
    #[must_use]
    pub fn ndcg(&self, k: usize) -> f64 {
        let gain = |place: usize| 1.0 / ((place + 2) as f64).log2();
        let best: f64 = (0..self.taken.len().min(k)).map(gain).sum();
        if best > 0.0 { self.hits(k).map(gain).sum::<f64>() / best } else { 0.0 }
    }
}

/// Measures lists at length `k`: `ndcg@k`, `recall@k`, `hit_rate@k` (share of users with at least one hit),
/// each a mean over users with a 95 % percentile-bootstrap interval over users, and `coverage@k`, the share of
/// `items` that anybody is suggested.
#[must_use]
pub fn evaluate_lists(
    lists: &[RankedList<'_>],
    items: usize,
    k: usize,
    resamples: usize,
    seed: u64,
) -> Evaluation {
    if lists.is_empty() {
        return Evaluation::default();
    }
    let mean = |name: &str, of: &(dyn Fn(&RankedList<'_>) -> f64 + Sync)| {
        let values: Vec<f64> = lists.par_iter().map(of).collect();
        (format!("{name}@{k}"), mean_with_interval(&values, resamples, seed))
    };
    let mut metrics: IndexMap<String, Estimate> = IndexMap::new();
    metrics.extend([
        mean("ndcg", &|list| list.ndcg(k)),
        mean("recall", &|list| list.recall(k)),
        mean("hit_rate", &|list| f64::from(u8::from(list.hits(k).next().is_some()))),
    ]);
    let mut shown = vec![false; items];
    lists.iter().flat_map(|list| list.suggested.iter().take(k)).for_each(|item| shown[*item as usize] = true);
    let covered = shown.iter().filter(|shown| **shown).count() as f64 / items.max(1) as f64;
    metrics.insert(format!("coverage@{k}"), Estimate { value: covered, low: covered, high: covered });
    Evaluation { rows: lists.len(), metrics, ..Evaluation::default() }
}

/// The mean of `values` with the 95 % percentile-bootstrap interval (Efron 1979) of `resamples` draws.
#[must_use]
pub fn mean_with_interval(values: &[f64], resamples: usize, seed: u64) -> Estimate {
    let mean = |sum: f64| sum / values.len().max(1) as f64;
    let value = mean(values.iter().sum());
    let mut means: Vec<f64> = (0..resamples)
        .into_par_iter()
        .map(|draw| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(draw as u64);
            mean((0..values.len()).map(|_| values[rng.random_range(0..values.len())]).sum())
        })
        .collect();
    means.sort_by(f64::total_cmp);
    if means.is_empty() {
        return Estimate { value, low: value, high: value };
    }
    Estimate { value, low: quantile(&means, 0.025), high: quantile(&means, 0.975) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_what_they_are_by_hand() {
        let list = RankedList { suggested: &[5, 1, 9, 2], taken: &[1, 2, 7] };
        assert!((list.recall(4) - 2.0 / 3.0).abs() < 1e-12);
        assert!((list.recall(3) - 1.0 / 3.0).abs() < 1e-12);
        let dcg = 1.0 / 3f64.log2() + 1.0 / 5f64.log2();
        let best = 1.0 + 1.0 / 3f64.log2() + 0.5;
        assert!((list.ndcg(4) - dcg / best).abs() < 1e-12);
        // A list of one can be perfect whatever else was taken up.
        assert!((RankedList { suggested: &[7], taken: &[1, 2, 7] }.ndcg(1) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn an_evaluation_counts_users_hits_and_shown_items() {
        let lists =
            [RankedList { suggested: &[0, 1], taken: &[1] }, RankedList { suggested: &[0, 2], taken: &[3] }];
        let evaluation = evaluate_lists(&lists, 10, 2, 200, 1);
        assert_eq!(evaluation.rows, 2);
        assert_eq!(evaluation.value("recall@2"), Some(0.5));
        assert_eq!(evaluation.value("hit_rate@2"), Some(0.5));
        assert_eq!(evaluation.value("coverage@2"), Some(0.3));
        assert_eq!(evaluate_lists(&[], 10, 2, 200, 1).rows, 0);
    }

    #[test]
    fn an_interval_holds_its_mean_and_narrows_with_users() {
        let values: Vec<f64> = (0..1000).map(|n| f64::from(n % 7) / 7.0).collect();
        let wide = mean_with_interval(&values[..70], 300, 1);
        let narrow = mean_with_interval(&values, 300, 1);
        assert!(wide.low < wide.value && wide.value < wide.high);
        assert!(narrow.high - narrow.low < (wide.high - wide.low) / 2.0);
    }
}
