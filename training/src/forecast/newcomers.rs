//! Deals that are yet to come: as many, and as good, as those that came before.

use scorehouse_features::time::{DAY, Span, Timestamp};

use crate::forecast::Period;
use crate::forecast::book::{Book, PastDeal};

/// Days over which the pace of new deals is counted: the one that told the past best.
const WINDOWS: [f64; 4] = [60.0, 120.0, 240.0, 365.0];
/// Past stretches, as long as what is ahead, on which the pace is tried at most.
const TRIED: usize = 12;
/// Days back from which deals that came are taken as examples.
const EXAMPLES: f64 = 365.0;
/// Share of the ends by which a deal's time has passed.
const MATURE: f64 = 0.95;
/// How far the number of new deals is off, squared and relative, where nothing is known of it, and how many past
/// stretches that weighs.
const UNSURE: f64 = 0.01;
const UNSURE_WEIGHS: f64 = 2.0;

/// How many deals come, and what they are like.
#[derive(Debug, Clone, Default)]
pub(super) struct Newcomers {
    /// Days ahead in which deals may come and still count, 0 when the period is over.
    pub days: f64,
    /// The period in days ahead.
    pub period: [f64; 2],
    /// For each group, how many came in the days that were counted.
    pub seen: Vec<f64>,
    /// How many come ahead for each that was seen.
    pub pace: f64,
    /// Variance of the factor, 1 on average, by which all groups' numbers are off alike.
    pub spread: f64,
    /// Examples, with the days from coming to the end; no end for those that did not end in time.
    pub won: Vec<Example>,
    /// How many examples were not won, by group.
    pub others: Vec<usize>,
}

/// A deal that came before and was won.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Example {
    pub days: f64,
    pub amount: f64,
    pub group: usize,
}

impl Newcomers {
    /// What came before `as_of` tells what comes after it.
    pub fn of(book: &Book, as_of: Timestamp, period: &Period) -> Self {
        let days = period.to.days_since(as_of).max(0.0);
        let ahead = [period.from.days_since(as_of), days];
        let mut came: Vec<(f64, usize)> = book
            .past
            .iter()
            .map(|deal| (deal.appeared, deal.group))
            .chain(book.open_since.iter().copied().zip(book.open.iter().map(|open| open.group)))
            .map(|(at, group)| (at.days_since(as_of), group))
            .collect();
        came.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let at: Vec<f64> = came.iter().map(|(at, _)| *at).collect();
        let Some(found) = Pace::find(&at, days) else {
            return Self { period: ahead, others: vec![0; book.groups.len()], ..Self::default() };
        };
        let mut seen = vec![0.0; book.groups.len()];
        for (_, group) in came.iter().filter(|(at, _)| *at > -found.window) {
            seen[*group] += 1.0;
        }
        let pace = found.bias * days / found.window;
        let mut newcomers = Self { days, period: ahead, seen, pace, spread: found.spread, ..Self::default() };
        newcomers.learn(book, as_of);
        newcomers
    }

    /// Takes deals that came long enough ago to have ended as examples.
    fn learn(&mut self, book: &Book, as_of: Timestamp) {
        let length = |deal: &PastDeal| deal.ended.days_since(deal.appeared).max(0.0);
        let mut lengths: Vec<f64> = book.past.iter().map(length).collect();
        lengths.sort_unstable_by(f64::total_cmp);
        let mature = lengths.get((lengths.len() as f64 * MATURE) as usize).copied().unwrap_or(0.0);
        let first = book.past.iter().map(|deal| deal.appeared).min().unwrap_or(as_of);
        // In a short past, half of it must do.
        let mature = mature.min(as_of.days_since(first) / 2.0);
        let until = as_of.before(Span((mature * DAY as f64) as i64));
        let since = until.before(Span((EXAMPLES * DAY as f64) as i64));
        let counts = |at: Timestamp| since < at && at <= until;
        self.others = vec![0; book.groups.len()];
        for deal in book.past.iter().filter(|deal| counts(deal.appeared)) {
            if deal.won {
                let (days, amount, group) = (length(deal), deal.amount, deal.group);
                self.won.push(Example { days, amount, group });
            } else {
                self.others[deal.group] += 1;
            }
        }
        for (open, since) in book.open.iter().zip(&book.open_since) {
            self.others[open.group] += usize::from(counts(*since));
        }
    }
}

/// The pace of new deals.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Pace {
    /// Days that are counted.
    window: f64,
    /// How many more came than the pace before told, on average over past stretches, drawn towards 1.
    bias: f64,
    /// How far the numbers were off beyond chance.
    spread: f64,
}

impl Pace {
    /// Tries every window on past stretches of `length` days; `came` are days before now, negative, ascending.
    fn find(came: &[f64], length: f64) -> Option<Self> {
        let past = -came.first()?;
        if length <= 0.0 {
            return None;
        }
        let tried: Vec<(f64, Self)> = WINDOWS
            .iter()
            .filter(|window| **window <= past)
            .map(|window| Self::with(came, length, *window))
            .collect();
        let least = |a: (f64, Self), b: (f64, Self)| if b.0 < a.0 { b } else { a };
        let shortest = Self { window: past.clamp(1.0, WINDOWS[0]), bias: 1.0, spread: UNSURE };
        Some(tried.into_iter().reduce(least).map_or(shortest, |(_, pace)| pace))
    }

    /// A window, and how far it was off on average.
    fn with(came: &[f64], length: f64, window: f64) -> (f64, Self) {
        let past = -came.first().copied().unwrap_or(0.0);
        let count = |from: f64, to: f64| {
            (came.partition_point(|at| *at <= to) - came.partition_point(|at| *at <= from)) as f64
        };
        let stretches: Vec<(f64, f64, f64)> = (1..=TRIED)
            .map(|back| -length * back as f64)
            .take_while(|start| start - window >= -past)
            .map(|start| {
                let seen = count(start - window, start);
                (seen * length / window, count(start, start + length), seen)
            })
            .filter(|(expected, _, _)| *expected > 0.0)
            .collect();
        let tried = stretches.len() as f64;
        let (expected, came): (f64, f64) =
            stretches.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let bias = if expected > 0.0 { 1.0 + (came / expected - 1.0) * tried / (tried + 2.0) } else { 1.0 };
        // What is left beyond the chance of the stretch itself and of the window that told its pace.
        let off = |(expected, came, seen): &(f64, f64, f64)| {
            let expected = expected * bias;
            ((came - expected).powi(2) - expected - expected * expected / seen.max(1.0))
                / (expected * expected)
        };
        let beyond = stretches.iter().map(off).sum::<f64>().max(0.0);
        let spread = (beyond + UNSURE_WEIGHS * UNSURE) / (tried + UNSURE_WEIGHS);
        // A window that was never tried is no better than chance makes it.
        let score = if tried > 0.0 { spread + bias.ln().powi(2) / tried } else { f64::MAX };
        (score, Self { window, bias, spread })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_pace_is_found_steady() {
        let came: Vec<f64> = (0..2_000).map(|at| -400.0 + f64::from(at) * 0.2).collect();
        let pace = Pace::find(&came, 30.0).unwrap();
        assert!((pace.bias - 1.0).abs() < 0.02 && pace.spread < 0.01, "{pace:?}");
    }

    #[test]
    fn a_growing_pace_is_told_by_how_much_more_came_than_before() {
        // The pace doubles over the time that was seen.
        let came: Vec<f64> =
            (0..3_000).map(|at| 400.0 * ((1.0 + f64::from(at) / 1_000.0).sqrt() - 2.0)).collect();
        let pace = Pace::find(&came, 30.0).unwrap();
        assert!(pace.bias > 1.05, "{pace:?}");
    }

    #[test]
    fn without_a_past_nothing_comes() {
        assert_eq!(Pace::find(&[], 30.0), None);
        assert!(Pace::find(&[-3.0, -1.0], 30.0).is_some_and(|pace| pace.window == 3.0));
    }
}
