//! A customer's past in three numbers.

use scorehouse_features::time::Timestamp;

/// Purchases of one customer up to a moment, days with several counted once.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Past {
    /// Days with a purchase after the first such day.
    pub repeats: f64,
    /// Days from the first purchase to the last.
    pub recency: f64,
    /// Days from the first purchase to the moment.
    pub age: f64,
}

impl Past {
    /// What was bought up to `until`, by moments in any order; none for who had bought nothing yet.
    #[must_use]
    pub fn of(purchases: &[Timestamp], until: Timestamp) -> Option<Self> {
        let days = days_with_a_purchase(purchases, Timestamp::MIN, until);
        let (first, last) = (days.first()?, days.last()?);
        let today = day(until);
        Some(Self {
            repeats: (days.len() - 1) as f64,
            recency: (last - first) as f64,
            age: (today - first).max(last - first) as f64,
        })
    }

    /// Days with a purchase after `from`'s day, up to `until`'s.
    #[must_use]
    pub fn count(purchases: &[Timestamp], from: Timestamp, until: Timestamp) -> usize {
        days_with_a_purchase(purchases, from, until).len()
    }
}

fn day(moment: Timestamp) -> i64 {
    moment.0.div_euclid(scorehouse_features::time::DAY)
}

fn days_with_a_purchase(purchases: &[Timestamp], from: Timestamp, until: Timestamp) -> Vec<i64> {
    let counts = |at: &i64| *at > day(from) && *at <= day(until);
    let mut days: Vec<i64> = purchases.iter().map(|at| day(*at)).filter(counts).collect();
    days.sort_unstable();
    days.dedup();
    days
}
