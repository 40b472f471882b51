//! What is minimised: the logistic loss of log-odds against outcomes, weighted by row.

use rayon::prelude::*;

/// Rows that one thread works on at a time; fixed, so that sums do not depend on the number of threads.
pub(super) const CHUNK: usize = 4096;

/// What is to be predicted.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Outcome of each row, 0 or 1.
    pub label: &'a [f64],
    /// Weight of each row, above 0; none: 1.
    pub weight: Option<&'a [f64]>,
}

impl Target<'_> {
    fn weight(&self, row: usize) -> f64 {
        self.weight.map_or(1.0, |weight| weight[row])
    }

    /// Log-odds of the outcome's rate among `rows`, kept away from infinity by half a row on either side.
    pub(super) fn base(&self, rows: &[u32]) -> f64 {
        let (mut with, mut all) = (0.0, 0.0);
        for row in rows {
            let weight = self.weight(*row as usize);
            with += weight * self.label[*row as usize];
            all += weight;
        }
        let (with, without) = (with, all - with);
        if with <= 0.0 || without <= 0.0 {
            return ((with + 0.5) / (without + 0.5)).ln();
        }
        (with / without).ln()
    }

    /// Gradient and hessian of the loss of every row in `rows` at its log-odds `raw`; others are untouched.
    pub(super) fn gradients(&self, raw: &[f64], out: &mut [[f32; 2]]) {
        out.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, out)| {
            let from = chunk * CHUNK;
            let rows = from..from + out.len();
            for ((out, raw), row) in out.iter_mut().zip(&raw[rows.clone()]).zip(rows) {
                let p = 1.0 / (1.0 + (-raw).exp());
                let weight = self.weight(row);
                *out = [(weight * (p - self.label[row])) as f32, (weight * p * (1.0 - p)) as f32];
            }
        });
    }

    /// How `rows` fare at log-odds `raw` (by row number), all raised by `shift`.
    pub(super) fn level(&self, raw: &[f64], rows: &[u32], shift: f64) -> Level {
        let one = |sum: Level, row: &u32| {
            let (row, label) = (*row as usize, self.label[*row as usize]);
            let at = raw[row] + shift;
            let (weight, p) = (self.weight(row), 1.0 / (1.0 + (-at).exp()));
            let loss = weight * softplus(if label > 0.5 { -at } else { at });
            sum.plus(Level { loss, slope: weight * (p - label), bend: weight * p * (1.0 - p), weight })
        };
        let parts: Vec<Level> =
            rows.par_chunks(CHUNK).map(|rows| rows.iter().fold(Level::default(), one)).collect();
        let sum = parts.into_iter().fold(Level::default(), Level::plus);
        let all = sum.weight.max(f64::MIN_POSITIVE);
        Level { loss: sum.loss / all, slope: sum.slope / all, bend: sum.bend / all, weight: sum.weight }
    }
}

/// A mean loss, in nats, and how it changes when all log-odds are raised.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Level {
    pub loss: f64,
    slope: f64,
    bend: f64,
    weight: f64,
}

impl Level {
    fn plus(self, other: Self) -> Self {
        Self {
            loss: self.loss + other.loss,
            slope: self.slope + other.slope,
            bend: self.bend + other.bend,
            weight: self.weight + other.weight,
        }
    }

    /// What is to be added to all log-odds so that they lose least (one step of Newton's method).
    pub fn step(self) -> f64 {
        if self.bend > 0.0 { (-self.slope / self.bend).clamp(-1.0, 1.0) } else { 0.0 }
    }

    /// The loss after that step, as the slope and its change tell.
    pub fn least(self) -> f64 {
        let step = self.step();
        self.loss + step * self.slope + 0.5 * step * step * self.bend
    }
}

/// ln(1 + eˣ) without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_are_the_slope_of_the_loss() {
        let label = [1.0, 0.0];
        let weight = [2.0, 1.0];
        let target = Target { label: &label, weight: Some(&weight) };
        let raw = [0.3, -1.2];
        let mut out = [[0.0; 2]; 2];
        target.gradients(&raw, &mut out);
        for row in 0..2 {
            let at = |shift: f64| {
                let mut moved = raw;
                moved[row] += shift;
                target.level(&moved, &[0, 1], 0.0).loss * 3.0
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((slope - f64::from(out[row][0])).abs() < 1e-5, "{slope} {:?}", out[row]);
        }
    }

    #[test]
    fn the_best_level_makes_the_rows_lose_least() {
        let label: Vec<f64> = (0..40).map(|row| f64::from(u8::from(row % 4 == 0))).collect();
        let raw: Vec<f64> = (0..40).map(|row| f64::from(row % 7) / 5.0).collect();
        let rows: Vec<u32> = (0..40).collect();
        let target = Target { label: &label, weight: None };
        let mut shift = 0.0;
        for _ in 0..8 {
            shift += target.level(&raw, &rows, shift).step();
        }
        let at = |shift| target.level(&raw, &rows, shift);
        assert!(at(shift).loss < at(shift + 0.01).loss && at(shift).loss < at(shift - 0.01).loss);
        assert!((at(shift).least() - at(shift).loss).abs() < 1e-12);
        assert!((at(shift + 0.02).least() - at(shift).loss).abs() < 1e-6);
    }

    #[test]
    fn the_base_of_one_kind_of_rows_is_finite() {
        let target = Target { label: &[1.0, 1.0], weight: None };
        assert!(target.base(&[0, 1]).is_finite());
    }
}
