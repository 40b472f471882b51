//! How popular items are now: interactions, faded by time.

use scorehouse_features::time::{DAY, Span, Timestamp};

use super::log::InteractionLog;

/// Each item's number of interactions as of `as_of`, each counting half after every `half_life`; one user
/// counts once per item and day, so that split invoices and repeated rows do not make a product popular.
#[must_use]
pub fn popularity(log: &InteractionLog, half_life: Option<Span>, as_of: Timestamp) -> Vec<f32> {
    let mut counts = vec![0.0f64; log.items.len()];
    let mut latest: rustc_hash::FxHashMap<(u32, u32), i64> = rustc_hash::FxHashMap::default();
    for row in &log.rows {
        if row.weight <= 0.0 || row.time > as_of {
            continue;
        }
        let day = row.time.0.div_euclid(DAY);
        if latest.insert((row.user, row.item), day) == Some(day) {
            continue;
        }
        let faded = half_life.map_or(1.0, |half_life| {
            let halves = as_of.0.saturating_sub(row.time.0) as f64 / half_life.0.max(1) as f64;
            (-halves).exp2()
        });
        counts[row.item as usize] += faded;
    }
    counts.into_iter().map(|count| count as f32).collect()
}

/// What scores are multiplied by: (popularity + a tenth of its mean) to the power of `exponent`, scaled to
/// a mean near 1. The tenth keeps an item that nobody bought lately, or a new one, from being ruled out.
#[must_use]
pub fn lift(popularity: &[f32], exponent: f32) -> Vec<f32> {
    let mean = popularity.iter().map(|p| f64::from(*p)).sum::<f64>() / popularity.len().max(1) as f64;
    if exponent == 0.0 || mean <= 0.0 {
        return vec![1.0; popularity.len()];
    }
    let mean = mean as f32;
    popularity.iter().map(|p| ((p / mean + 0.1) / 1.1).powf(exponent)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::log::{LogBuilder, Named};
    use super::*;

    fn log(rows: &[(&str, &str, i64)]) -> InteractionLog {
        let mut builder = LogBuilder::new(true);
        for (user, item, day) in rows {
            let time = Some(Timestamp(day * DAY));
            builder.add(Named { user, item, weight: 1.0, time, basket: None });
        }
        builder.finish()
    }

    #[test]
    fn recent_interactions_count_more_and_repeated_rows_once() {
        let log = log(&[("a", "x", 0), ("b", "x", 0), ("a", "y", 10), ("a", "y", 10), ("c", "y", 20)]);
        let counts = popularity(&log, Some(Span(10 * DAY)), Timestamp(10 * DAY));
        assert_eq!(counts, vec![1.0, 1.0]);
        let counts = popularity(&log, None, Timestamp(20 * DAY));
        assert_eq!(counts, vec![2.0, 2.0]);
    }

    #[test]
    fn a_lift_keeps_the_order_of_popularity_and_stays_positive() {
        let lifts = lift(&[0.0, 1.0, 5.0], 0.5);
        assert!(lifts[0] > 0.0 && lifts[0] < lifts[1] && lifts[1] < lifts[2]);
        assert_eq!(lift(&[0.0, 0.0], 0.5), vec![1.0, 1.0]);
        assert_eq!(lift(&[1.0, 2.0], 0.0), vec![1.0, 1.0]);
    }
}
