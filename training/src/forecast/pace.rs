//! How many deals come: the pace of those that came before.

use crate::forecast::level::TRIED;

/// Days over which the pace of new deals is counted: the one that told the past best.
const WINDOWS: [f64; 4] = [60.0, 120.0, 240.0, 365.0];
/// How far the number of new deals is off, squared and relative, where nothing is known of it, and how many past
/// stretches that weighs.
const UNSURE: f64 = 0.01;
const UNSURE_WEIGHS: f64 = 2.0;

/// The pace of new deals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    /// Days that are counted.
    pub window: f64,
    /// How many more came than the pace before told, on average over past stretches, drawn towards 1.
    pub bias: f64,
}

impl Pace {
    /// Tries every window on past stretches of `length` days; `came` are days before now, negative, ascending.
    pub fn find(came: &[f64], length: f64) -> Option<Self> {
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
        let shortest = Self { window: past.clamp(1.0, WINDOWS[0]), bias: 1.0 };
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
        (score, Self { window, bias })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_pace_is_found_steady() {
        let came: Vec<f64> = (0..2_000).map(|at| -400.0 + f64::from(at) * 0.2).collect();
        let pace = Pace::find(&came, 30.0).unwrap();
        assert!((pace.bias - 1.0).abs() < 0.02, "{pace:?}");
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
