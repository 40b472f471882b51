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

    /// Mean loss of `rows` at log-odds `raw` (by row number), in nats.
    pub(super) fn loss(&self, raw: &[f64], rows: &[u32]) -> f64 {
        let parts: Vec<[f64; 2]> = rows
            .par_chunks(CHUNK)
            .map(|rows| {
                rows.iter().fold([0.0, 0.0], |[loss, all], row| {
                    let row = *row as usize;
                    let signed = if self.label[row] > 0.5 { -raw[row] } else { raw[row] };
                    let weight = self.weight(row);
                    [loss + weight * softplus(signed), all + weight]
                })
            })
            .collect();
        let [loss, all] = parts.iter().fold([0.0, 0.0], |sum, part| [sum[0] + part[0], sum[1] + part[1]]);
        loss / all.max(f64::MIN_POSITIVE)
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
                target.loss(&moved, &[0, 1]) * 3.0
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((slope - f64::from(out[row][0])).abs() < 1e-5, "{slope} {:?}", out[row]);
        }
    }

    #[test]
    fn the_base_of_one_kind_of_rows_is_finite() {
        let target = Target { label: &[1.0, 1.0], weight: None };
        assert!(target.base(&[0, 1]).is_finite());
    }
}
