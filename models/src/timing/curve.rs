//! The course of one deal: won or lost by any day.

/// Hazards of both ends together are kept below this.
const MOST: f64 = 0.999;
/// A deal that is open after the last stretch is taken to end within this many times all the days before, about.
const SLOWEST: f64 = 5.0;

/// How likely a deal is won, and lost, by any day ahead.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The probability that it is won at all.
    probability: f64,
    edges: Vec<f64>,
    /// Of the deals that are won, the share won by the end of each stretch.
    won: Vec<f64>,
    /// Of the deals that are lost, the share lost by then.
    lost: Vec<f64>,
    /// Ends a day after the last stretch, of those still open.
    rate: f64,
}

impl Curve {
    /// From hazards by stretch. Their cumulative incidences are scaled so that they tend to `probability` and its
    /// complement.
    pub(super) fn new(edges: &[f64], won: &[f64], lost: &[f64], probability: f64) -> Self {
        let (mut open, mut last) = (1.0, (0.0, 0.0));
        let (mut by_won, mut by_lost) = (Vec::new(), Vec::new());
        let mut sums = (0.0, 0.0);
        for (won, lost) in won.iter().zip(lost) {
            let cut = (MOST / (won + lost)).min(1.0);
            last = (won * cut, lost * cut);
            sums = (sums.0 + open * last.0, sums.1 + open * last.1);
            by_won.push(sums.0);
            by_lost.push(sums.1);
            open *= 1.0 - last.0 - last.1;
        }
        let ends = (last.0 + last.1).max(f64::MIN_POSITIVE);
        let all = (sums.0 + open * last.0 / ends, sums.1 + open * last.1 / ends);
        let share = |sums: Vec<f64>, all: f64| -> Vec<f64> {
            sums.into_iter().map(|sum| (sum / all.max(f64::MIN_POSITIVE)).min(1.0)).collect()
        };
        let end = edges.last().copied().unwrap_or(1.0);
        let width = end - edges.len().checked_sub(2).map_or(0.0, |before| edges[before]);
        let rate = (-(-ends.min(MOST)).ln_1p() / width).max(1.0 / (SLOWEST * end));
        let (won, lost) = (share(by_won, all.0), share(by_lost, all.1));
        Self { probability: probability.clamp(0.0, 1.0), edges: edges.to_vec(), won, lost, rate }
    }

    /// The probability that the deal is won at all, 0 to 1.
    #[must_use]
    pub const fn probability(&self) -> f64 {
        self.probability
    }

    /// The probability that it is won within this many days. It rises from 0 to [`Curve::probability`].
    #[must_use]
    pub fn won_by(&self, days: f64) -> f64 {
        self.probability * self.share(&self.won, days)
    }

    /// The probability that it is lost within this many days.
    #[must_use]
    pub fn lost_by(&self, days: f64) -> f64 {
        (1.0 - self.probability) * self.share(&self.lost, days)
    }

    /// Days within which this share (0 to 1) of such deals, if they are won, are won: 0.5 gives the likely day.
    #[must_use]
    pub fn days_if_won(&self, share: f64) -> f64 {
        let share = share.clamp(0.0, 1.0 - 1e-9);
        let stretch = self.won.partition_point(|won| *won < share);
        let (from, begun) = self.start(&self.won, stretch);
        match (self.edges.get(stretch), self.won.get(stretch)) {
            (Some(to), Some(won)) if *won > begun => from + (to - from) * (share - begun) / (won - begun),
            (Some(to), _) => *to,
            _ => from - ((1.0 - share) / (1.0 - begun)).ln() / self.rate,
        }
    }

    /// The day on which a stretch begins and the share that has ended by then.
    fn start(&self, by: &[f64], stretch: usize) -> (f64, f64) {
        stretch.checked_sub(1).map_or((0.0, 0.0), |before| (self.edges[before], by[before]))
    }

    fn share(&self, by: &[f64], days: f64) -> f64 {
        if days <= 0.0 {
            return 0.0;
        }
        let stretch = self.edges.partition_point(|edge| *edge < days);
        let (from, begun) = self.start(by, stretch);
        match (self.edges.get(stretch), by.get(stretch)) {
            (Some(to), Some(ended)) => begun + (ended - begun) * (days - from) / (to - from),
            _ => 1.0 - (1.0 - begun) * (-(days - from) * self.rate).exp(),
        }
    }
}
