//! How sure it is that some rows have other odds than the rest.

use crate::metric::wilson;

/// Rows and how many of them have the outcome, as far as they are independent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Count {
    pub rows: f64,
    pub with: f64,
}

impl Count {
    pub fn add(&mut self, label: f64) {
        self.rows += 1.0;
        self.with += label;
    }

    pub fn and(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, with: self.with + other.with }
    }

    pub fn without(self, other: Self) -> Self {
        Self { rows: self.rows - other.rows, with: self.with - other.with }
    }

    /// Share of rows with the outcome.
    pub fn rate(self) -> f64 {
        self.with / self.rows.max(1e-9)
    }

    /// Odds of the outcome; half a row more of either kind keeps them finite.
    pub fn odds(self) -> f64 {
        (self.with + 0.5) / (self.rows - self.with + 0.5)
    }

    /// The odds' 95 % interval when every `1 / share` rows speak as one.
    fn odds_interval(self, share: f64) -> (f64, f64) {
        let (low, high) = wilson(self.rate(), (self.rows * share).max(1.0));
        (low / (1.0 - low).max(1e-12), high / (1.0 - high).max(1e-12))
    }
}

/// By what factor the odds of `some` rows are at least above (first) or below (second) those of `others`, each
/// at the nearer end of its 95 % interval; below 1 when they may be on the other side.
pub(super) fn factors(some: Count, others: Count, independent: f64) -> (f64, f64) {
    let (low, high) = some.odds_interval(independent);
    let (rest_low, rest_high) = others.odds_interval(independent);
    (low / rest_high.max(1e-12), rest_low / high.max(1e-12))
}

/// A rate in words.
pub(super) fn percent(rate: f64) -> String {
    match 100.0 * rate {
        0.0 => "0 %".to_owned(),
        p if p >= 100.0 => "100 %".to_owned(),
        p if !(1.0..=99.0).contains(&p) => format!("{p:.2} %"),
        p => format!("{p:.0} %"),
    }
}
