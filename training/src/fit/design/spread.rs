//! Centre, spread and quantiles of a column of numbers.

use scorehouse_models::Scaling;

use crate::metric::quantile;

/// Stretches of a number over which a linear model may change its slope.
pub(super) const STRETCHES: usize = 5;
/// Centre and spread of a column of numbers over the rows learnt from.
pub(super) struct Spread {
    pub mean: f64,
    pub sd: f64,
    pub median: f64,
    pub missing: usize,
    /// Numbers that are there, ascending, each once.
    pub sorted: Vec<f64>,
    /// The same with repetitions.
    all: Vec<f64>,
}

impl Spread {
    pub fn of(numbers: &[f64], rows: &[u32]) -> Self {
        let mut all: Vec<f64> =
            rows.iter().map(|row| numbers[*row as usize]).filter(|x| !x.is_nan()).collect();
        all.sort_by(f64::total_cmp);
        let count = all.len().max(1) as f64;
        let mean = all.iter().sum::<f64>() / count;
        let variance = all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
        let median = if all.is_empty() { 0.0 } else { quantile(&all, 0.5) };
        let mut sorted = all.clone();
        sorted.dedup();
        Self { mean, sd: variance.sqrt(), median, missing: rows.len() - all.len(), sorted, all }
    }

    /// To mean 0 and standard deviation 1; none for a column without spread.
    pub fn scaling(&self, limit: f64) -> Option<Scaling> {
        let spreads = self.sd.is_finite() && self.sd > 1e-12 * self.mean.abs().max(1e-280);
        spreads.then_some(Scaling { mean: self.mean, scale: self.sd, fill: self.median, limit: Some(limit) })
    }

    /// True when a few numbers lie far beyond the rest, as amounts of money do.
    pub fn skewed(&self) -> bool {
        let count = self.all.len().max(1) as f64;
        let third = self.all.iter().map(|x| ((x - self.mean) / self.sd).powi(3)).sum::<f64>() / count;
        self.sd > 0.0 && third.abs() > 2.0
    }

    /// Ends of the stretches: quantiles, or every number where there are few.
    pub fn knots(&self) -> Vec<f64> {
        let mut knots = if self.sorted.len() <= STRETCHES + 1 {
            self.sorted.clone()
        } else {
            let quantiles = (0..=STRETCHES).map(|i| {
                let share = (i as f64 / STRETCHES as f64).clamp(0.005, 0.995);
                quantile(&self.all, share)
            });
            quantiles.collect()
        };
        knots.dedup();
        knots
    }
}
