//! The population stability index: the symmetric Kullback–Leibler divergence of two histograms (Siddiqi 2006).

/// Rows added to each place, so that an empty one does not make the index infinite.
const ADDED: f64 = 0.5;

/// How far rows lie from training.
#[derive(Debug, Clone, PartialEq)]
pub struct Stability {
    /// The index in nats: 0 is no difference, above 0.25 a large one.
    pub index: f64,
    /// What the index comes to on average among as many rows that lie as in training.
    pub by_chance: f64,
    /// The place that adds most to it; none where nothing was counted.
    pub most: Option<Part>,
}

/// What one place adds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// The place.
    pub place: usize,
    /// Its share of the rows of training, 0 to 1.
    pub before: f64,
    /// Its share of the rows found.
    pub now: f64,
}

/// The index of two histograms over the same places, in nats, 0 and above. Half a row is added to each place.
#[must_use]
pub fn stability_index(before: &[f64], now: &[f64]) -> f64 {
    parts(before, now).sum()
}

fn parts<'a>(before: &'a [f64], now: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
    let places = before.len() as f64;
    let (all_before, all_now): (f64, f64) = (before.iter().sum(), now.iter().sum());
    let share = move |count: f64, all: f64| (count + ADDED) / (all + ADDED * places);
    before.iter().zip(now).map(move |(before, now)| {
        let (before, now) = (share(*before, all_before), share(*now, all_now));
        (now - before) * (now / before).ln()
    })
}

/// Compares what was found with training. A place that nobody is in says nothing, but would take its share of the added
/// rows: it is passed over.
pub(super) fn between(before: &[u64], now: &[u64]) -> Stability {
    let used: Vec<usize> = (0..before.len().min(now.len())).filter(|at| before[*at] + now[*at] > 0).collect();
    let column = |of: &[u64]| used.iter().map(|at| of[*at] as f64).collect::<Vec<f64>>();
    let (before, now) = (column(before), column(now));
    let (all_before, all_now): (f64, f64) = (before.iter().sum(), now.iter().sum());
    if all_before == 0.0 || all_now == 0.0 {
        return Stability { index: 0.0, by_chance: 0.0, most: None };
    }
    let largest = parts(&before, &now).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
    let most = largest.map(|(at, _)| Part {
        place: used[at],
        before: before[at] / all_before,
        now: now[at] / all_now,
    });
    // Either histogram of n rows over k places is off by (k - 1) / n on average (Yurdakul 2018).
    let by_chance = (used.len() as f64 - 1.0) * (all_before.recip() + all_now.recip());
    Stability { index: stability_index(&before, &now), by_chance, most }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn rows_that_lie_alike_come_to_what_chance_makes_of_them() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut draw = |rows: usize| {
            let mut counts = vec![0; 10];
            (0..rows).for_each(|_| counts[rng.random_range(0..10)] += 1);
            counts
        };
        let found: Vec<Stability> = (0..300).map(|_| between(&draw(2_000), &draw(250))).collect();
        let mean = found.iter().map(|one| one.index).sum::<f64>() / 300.0;
        let expected = found[0].by_chance;
        assert!((expected - 9.0 * (1.0 / 2_000.0 + 1.0 / 250.0)).abs() < 1e-12);
        assert!((mean / expected - 1.0).abs() < 0.1, "{mean} {expected}");
    }

    #[test]
    fn the_place_that_moved_most_is_named() {
        let found = between(&[500, 300, 200, 0], &[100, 300, 600, 0]);
        assert!(found.index > 0.25, "{found:?}");
        let most = found.most.unwrap();
        assert_eq!((most.place, most.before, most.now), (0, 0.5, 0.1));
        assert_eq!(between(&[0, 0], &[1, 2]).index, 0.0, "without training nothing is said");
    }
}
