//! Fitting the map from raw scores to honest probabilities, on scores of rows that were not learnt from.

use scorehouse_models::{Calibration, Scale};

/// Parts in which a map is fitted on the others and judged on this.
const PARTS: usize = 5;
/// Rows of the rarer kind below which only the two-parameter map is tried.
const FEW: usize = 200;
/// Rows of the rarer kind below which isotonic regression is not tried.
const MANY: usize = 1000;
/// How much better, in nats, a map with more freedom must be.
const WORTH: f64 = 1e-4;

/// A kind of map, simplest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Platt,
    Beta,
    Isotonic,
}

/// Fits the map with the least held-out log loss; the simpler one unless another is clearly better. `raw` are
/// log-odds.
#[must_use]
pub fn calibrate(raw: &[f64], label: &[f64]) -> Calibration {
    let with = label.iter().filter(|y| **y > 0.5).count();
    let rarer = with.min(label.len() - with);
    if rarer < FEW {
        return fit(Kind::Platt, raw, label);
    }
    let kinds: &[Kind] =
        if rarer < MANY { &[Kind::Platt, Kind::Beta] } else { &[Kind::Platt, Kind::Beta, Kind::Isotonic] };
    let mut best = (Kind::Platt, held_out_loss(Kind::Platt, raw, label));
    for kind in &kinds[1..] {
        let loss = held_out_loss(*kind, raw, label);
        if loss < best.1 - WORTH {
            best = (*kind, loss);
        }
    }
    fit(best.0, raw, label)
}

fn held_out_loss(kind: Kind, raw: &[f64], label: &[f64]) -> f64 {
    let mut loss = 0.0;
    for part in 0..PARTS {
        let pick = |inside: bool| -> (Vec<f64>, Vec<f64>) {
            let rows = (0..raw.len()).filter(|row| (row % PARTS == part) == inside);
            rows.map(|row| (raw[row], label[row])).unzip()
        };
        let ((learn, learn_y), (judge, judge_y)) = (pick(false), pick(true));
        let map = fit(kind, &learn, &learn_y);
        let p: Vec<f64> = judge.iter().map(|raw| map.apply(*raw, Scale::LogOdds).get()).collect();
        loss += crate::metric::log_loss(&p, &judge_y) * judge.len() as f64;
    }
    loss / raw.len() as f64
}

fn fit(kind: Kind, raw: &[f64], label: &[f64]) -> Calibration {
    match kind {
        Kind::Platt => platt(raw, label),
        Kind::Beta => beta(raw, label).unwrap_or_else(|| platt(raw, label)),
        Kind::Isotonic => isotonic(raw, label).unwrap_or_else(|| platt(raw, label)),
    }
}

/// Maximum a posteriori with slope about 1 and intercept about 0: on few rows the map stays near identity.
fn platt(raw: &[f64], label: &[f64]) -> Calibration {
    let rows = raw.iter().map(|z| [*z, 1.0]);
    let fitted = newton(rows, label, [1.0, 0.0], [4.0, 1.0]);
    match fitted {
        Some([a, b]) if a > 0.01 => Calibration::Platt { a, b },
        // The score says nothing, or worse: everybody gets nearly the base rate.
        Some(_) => Calibration::Platt { a: 0.01, b: base_rate_log_odds(label) },
        None => Calibration::Identity,
    }
}

fn base_rate_log_odds(label: &[f64]) -> f64 {
    let with: f64 = label.iter().sum();
    ((with + 0.5) / (label.len() as f64 - with + 0.5)).ln()
}

fn beta(raw: &[f64], label: &[f64]) -> Option<Calibration> {
    // ln p and -ln(1-p) of p = sigmoid(z).
    let ln_p = |z: f64| -softplus(-z);
    let ln_q = |z: f64| softplus(z);
    let rows = raw.iter().map(|z| [ln_p(*z), ln_q(*z), 1.0]);
    let [a, b, c] = newton(rows, label, [1.0, 1.0, 0.0], [1.0, 1.0, 1.0])?;
    if a >= 0.0 && b >= 0.0 {
        return Some(Calibration::Beta { a, b, c });
    }
    // One side at its bound: fit the other alone (Kull et al., section 3).
    let one = |side: fn(f64) -> f64| {
        newton(raw.iter().map(move |z| [side(*z), 1.0]), label, [1.0, 0.0], [1.0, 1.0])
    };
    if a < 0.0 {
        let [b, c] = one(softplus)?;
        return (b > 0.0).then_some(Calibration::Beta { a: 0.0, b, c });
    }
    let [a, c] = one(|z| -softplus(-z))?;
    (a > 0.0).then_some(Calibration::Beta { a, b: 0.0, c })
}

/// ln(1 + eˣ) without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Logistic regression of few columns by Newton's method, with a normal prior about `center` of precision
/// `precision`; none when it does not settle.
fn newton<const N: usize>(
    rows: impl Iterator<Item = [f64; N]> + Clone,
    label: &[f64],
    center: [f64; N],
    precision: [f64; N],
) -> Option<[f64; N]> {
    let mut w = center;
    for _ in 0..100 {
        let mut gradient = [0.0; N];
        let mut hessian = [[0.0; N]; N];
        for i in 0..N {
            gradient[i] = precision[i] * (center[i] - w[i]);
            hessian[i][i] = precision[i];
        }
        for (x, y) in rows.clone().zip(label) {
            let z: f64 = x.iter().zip(&w).map(|(x, w)| x * w).sum();
            let p = 1.0 / (1.0 + (-z).exp());
            let weight = p * (1.0 - p);
            for i in 0..N {
                gradient[i] += (y - p) * x[i];
                for j in 0..N {
                    hessian[i][j] += weight * x[i] * x[j];
                }
            }
        }
        let step = solve(hessian, gradient)?;
        let size = step.iter().fold(0.0_f64, |size, s| size.max(s.abs()));
        let damp = (5.0 / size.max(1e-300)).min(1.0);
        w.iter_mut().zip(step).for_each(|(w, step)| *w += damp * step);
        if size < 1e-10 {
            break;
        }
    }
    w.iter().all(|w| w.is_finite()).then_some(w)
}

/// Gaussian elimination with pivoting.
fn solve<const N: usize>(mut a: [[f64; N]; N], mut b: [f64; N]) -> Option<[f64; N]> {
    for column in 0..N {
        let pivot = (column..N).max_by(|i, j| a[*i][column].abs().total_cmp(&a[*j][column].abs()))?;
        a.swap(column, pivot);
        b.swap(column, pivot);
        if a[column][column].abs() < 1e-300 {
            return None;
        }
        for row in column + 1..N {
            let factor = a[row][column] / a[column][column];
            for k in column..N {
                a[row][k] -= factor * a[column][k];
            }
            b[row] -= factor * b[column];
        }
    }
    let mut x = [0.0; N];
    for row in (0..N).rev() {
        let known: f64 = (row + 1..N).map(|k| a[row][k] * x[k]).sum();
        x[row] = (b[row] - known) / a[row][row];
    }
    Some(x)
}

/// Pool adjacent violators (Ayer et al. 1955); each block at its mean score, its rate kept from 0 and 1 by half
/// a row, and straight lines between blocks.
fn isotonic(raw: &[f64], label: &[f64]) -> Option<Calibration> {
    let mut order: Vec<usize> = (0..raw.len()).filter(|row| raw[*row].is_finite()).collect();
    order.sort_by(|a, b| raw[*a].total_cmp(&raw[*b]));
    // Sum of scores, sum of outcomes, rows.
    let mut blocks: Vec<[f64; 3]> = Vec::new();
    let rate = |block: &[f64; 3]| block[1] / block[2];
    for row in order {
        blocks.push([raw[row], label[row], 1.0]);
        while let [.., before, last] = &blocks[..]
            && rate(before) >= rate(last)
        {
            let merged = [before[0] + last[0], before[1] + last[1], before[2] + last[2]];
            blocks.truncate(blocks.len() - 2);
            blocks.push(merged);
        }
    }
    let (mut x, mut y): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    for [scores, with, rows] in blocks {
        let (at, rate) = (scores / rows, (with + 0.5) / (rows + 1.0));
        if x.last().is_none_or(|last| at > *last) {
            x.push(at);
            // Moving rates off their ends may break the order between a small block and a large one.
            y.push(y.last().map_or(rate, |last: &f64| rate.max(*last)));
        }
    }
    (x.len() >= 2).then_some(Calibration::Isotonic { x, y })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{calibration_fit, ece};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Scores whose true log-odds are `truth(z)`.
    fn draw(rows: usize, truth: fn(f64) -> f64) -> (Vec<f64>, Vec<f64>) {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        (0..rows)
            .map(|_| {
                let z = rng.random_range(-4.0..4.0);
                let p = 1.0 / (1.0 + (-truth(z)).exp());
                (z, f64::from(u8::from(rng.random::<f64>() < p)))
            })
            .unzip()
    }

    fn mapped(map: &Calibration, raw: &[f64]) -> Vec<f64> {
        raw.iter().map(|z| map.apply(*z, Scale::LogOdds).get()).collect()
    }

    #[test]
    fn scores_that_are_too_sure_are_drawn_in() {
        let (raw, label) = draw(4000, |z| 0.5 * z - 0.3);
        let map = calibrate(&raw, &label);
        let Calibration::Platt { a, b } = map else { panic!("{map:?}") };
        assert!((a - 0.5).abs() < 0.06 && (b + 0.3).abs() < 0.12, "{a} {b}");
        let (fresh, fresh_y) = draw(3000, |z| 0.5 * z - 0.3);
        let fit = calibration_fit(&mapped(&calibrate(&raw, &label), &fresh), &fresh_y);
        assert!((fit.slope - 1.0).abs() < 0.15, "{fit:?}");
    }

    #[test]
    fn a_bent_relation_gets_a_map_with_more_freedom() {
        let (raw, label) = draw(20_000, |z| if z < 0.0 { 2.0 * z } else { 0.2 * z });
        let map = calibrate(&raw, &label);
        assert!(!matches!(map, Calibration::Platt { .. }), "{map:?}");
        assert!(ece(&mapped(&map, &raw), &label, 15) < 0.015);
    }

    #[test]
    fn few_rows_move_the_map_little() {
        let map = calibrate(&[1.0, 2.0, -1.0], &[0.0, 1.0, 0.0]);
        let Calibration::Platt { a, b } = map else { panic!("{map:?}") };
        assert!((a - 1.0).abs() < 0.5 && b.abs() < 1.0, "{a} {b}");
    }

    #[test]
    fn every_fitted_map_passes_the_check_that_loading_makes() {
        for truth in [|z: f64| z, |z: f64| -z, |_: f64| -3.0, |z: f64| z * z - 4.0] {
            let (raw, label) = draw(8000, truth);
            for kind in [Kind::Platt, Kind::Beta, Kind::Isotonic] {
                fit(kind, &raw, &label).check().unwrap();
            }
        }
    }
}
