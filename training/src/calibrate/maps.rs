//! Maps from log-odds to probabilities, each fitted to weighted outcomes.

use scorehouse_models::Calibration;

/// A kind of map, simplest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Identity,
    Platt,
    Beta,
    Isotonic,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Platt => "platt",
            Self::Beta => "beta",
            Self::Isotonic => "isotonic",
        }
    }
}

/// What a map is fitted to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seen {
    /// Log-odds.
    pub raw: f64,
    /// The outcome, or a share of it, 0 to 1.
    pub label: f64,
    /// How much the row counts.
    pub weight: f64,
}

/// The map of a kind; a simpler one when the rows do not bear it.
pub(super) fn fit(kind: Kind, seen: &[Seen]) -> Calibration {
    match kind {
        Kind::Identity => Calibration::Identity,
        Kind::Platt => platt(seen),
        Kind::Beta => beta(seen).unwrap_or_else(|| platt(seen)),
        Kind::Isotonic => isotonic(seen).unwrap_or_else(|| platt(seen)),
    }
}

/// Maximum a posteriori with slope about 1 and intercept about 0: on few rows the map stays near identity.
fn platt(seen: &[Seen]) -> Calibration {
    let rows = seen.iter().map(|row| [row.raw, 1.0]);
    match newton(rows, seen, [1.0, 0.0], [4.0, 1.0]) {
        Some([a, b]) if a > 0.01 => Calibration::Platt { a, b },
        // The score says nothing, or worse: everybody gets nearly the base rate.
        Some(_) => Calibration::Platt { a: 0.01, b: base_rate_log_odds(seen) },
        None => Calibration::Identity,
    }
}

fn base_rate_log_odds(seen: &[Seen]) -> f64 {
    let with: f64 = seen.iter().map(|row| row.weight * row.label).sum();
    let all: f64 = seen.iter().map(|row| row.weight).sum();
    ((with + 0.5) / (all - with + 0.5)).ln()
}

fn beta(seen: &[Seen]) -> Option<Calibration> {
    // ln p and -ln(1-p) of p = sigmoid(z).
    let ln_p = |z: f64| -softplus(-z);
    let rows = seen.iter().map(|row| [ln_p(row.raw), softplus(row.raw), 1.0]);
    let [a, b, c] = newton(rows, seen, [1.0, 1.0, 0.0], [1.0, 1.0, 1.0])?;
    if a >= 0.0 && b >= 0.0 {
        return Some(Calibration::Beta { a, b, c });
    }
    // One side at its bound: fit the other alone (Kull et al., section 3).
    let one = |side: fn(f64) -> f64| {
        newton(seen.iter().map(move |row| [side(row.raw), 1.0]), seen, [1.0, 0.0], [1.0, 1.0])
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
    seen: &[Seen],
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
        for (x, row) in rows.clone().zip(seen) {
            let z: f64 = x.iter().zip(&w).map(|(x, w)| x * w).sum();
            let p = 1.0 / (1.0 + (-z).exp());
            let weight = row.weight * p * (1.0 - p);
            for i in 0..N {
                gradient[i] += row.weight * (row.label - p) * x[i];
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

/// Pool adjacent violators (Ayer et al. 1955), rows of one score being one from the start; each block at its mean score,
/// its rate kept from 0 and 1 by half a row, and straight lines between blocks.
fn isotonic(seen: &[Seen]) -> Option<Calibration> {
    let mut order: Vec<&Seen> = seen.iter().filter(|row| row.raw.is_finite() && row.weight > 0.0).collect();
    order.sort_by(|a, b| a.raw.total_cmp(&b.raw));
    // Sums of scores, of outcomes and of weights.
    let mut blocks: Vec<[f64; 3]> = Vec::new();
    let rate = |block: &[f64; 3]| block[1] / block[2];
    for equal in order.chunk_by(|a, b| a.raw == b.raw) {
        let sum = |of: fn(&Seen) -> f64| equal.iter().map(|row| row.weight * of(row)).sum::<f64>();
        blocks.push([sum(|row| row.raw), sum(|row| row.label), sum(|_| 1.0)]);
        while let [.., before, last] = &blocks[..]
            && rate(before) >= rate(last)
        {
            let merged = [before[0] + last[0], before[1] + last[1], before[2] + last[2]];
            blocks.truncate(blocks.len() - 2);
            blocks.push(merged);
        }
    }
    let (mut x, mut y): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    for [scores, with, weight] in blocks {
        let (at, rate) = (scores / weight, (with + 0.5) / (weight + 1.0));
        if x.last().is_none_or(|last| at > *last) {
            x.push(at);
            // Moving rates off their ends may break the order between a small block and a large one.
            y.push(y.last().map_or(rate, |last: &f64| rate.max(*last)));
        }
    }
    (x.len() >= 2).then_some(Calibration::Isotonic { x, y })
}
