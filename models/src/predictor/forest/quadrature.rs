//! Gauss–Legendre quadrature on 0 to 1: points and weights that integrate polynomials exactly.

use std::f64::consts::PI;

/// `N` points and weights; exact for polynomials of degree up to `2N - 1`, but for rounding.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quadrature<const N: usize> {
    /// Points, descending, strictly between 0 and 1.
    pub(super) points: [f64; N],
    /// Weights, above 0, adding up to 1.
    pub(super) weights: [f64; N],
}

impl<const N: usize> Quadrature<N> {
    /// Finds the roots of the Legendre polynomial by Newton's method from the usual first guess.
    pub(super) fn new() -> Self {
        let (mut points, mut weights) = ([0.0; N], [0.0; N]);
        for i in 0..N {
            let mut x = (PI * (i as f64 + 0.75) / (N as f64 + 0.5)).cos();
            // Newton's method doubles the digits each time; from this guess six rounds are more than enough.
            for _ in 0..6 {
                let (value, slope) = legendre(N, x);
                x -= value / slope;
            }
            let (_, slope) = legendre(N, x);
            points[i] = 0.5 * (1.0 + x);
            weights[i] = 1.0 / ((1.0 - x * x) * slope * slope);
        }
        Self { points, weights }
    }
}

/// The Legendre polynomial of degree `n` and its slope at `x`, by its recurrence.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (0.0, 1.0);
    for k in 0..n {
        let k = k as f64;
        let next = ((2.0 * k + 1.0) * x * value - k * before) / (k + 1.0);
        before = value;
        value = next;
    }
    (value, n as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integral_of_power<const N: usize>(power: i32) -> f64 {
        let rule = Quadrature::<N>::new();
        rule.points.iter().zip(rule.weights).map(|(t, w)| w * t.powi(power)).sum()
    }

    #[test]
    fn powers_are_integrated_exactly_up_to_twice_the_number_of_points() {
        for power in 0..=7 {
            assert!((integral_of_power::<4>(power) - 1.0 / f64::from(power + 1)).abs() < 1e-15);
        }
        for power in [0, 1, 31, 100, 127] {
            assert!((integral_of_power::<64>(power) - 1.0 / f64::from(power + 1)).abs() < 1e-15);
        }
        assert!((integral_of_power::<4>(8) - 1.0 / 9.0).abs() > 1e-7);
    }
}
