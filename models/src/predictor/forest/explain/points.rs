//! A number for each point of the quadrature, all reckoned with at once.

use std::array::from_fn;
use std::ops::{Add, Mul, Sub};

use fearless_simd::Simd;
use fearless_simd::prelude::*;

use super::super::quadrature::Quadrature;

/// A number for each point, in `M` vectors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Points<V, const M: usize>([V; M]);

/// The points t, and what all splits share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule<S, V, const M: usize> {
    simd: S,
    pub(super) t: Points<V, M>,
    /// 1 - t.
    pub(super) rest: Points<V, M>,
    /// One over 1 - t, the factor of a column that does not let the row through.
    closed: Points<V, M>,
}

impl<S: Simd, V: SimdBase<S, Element = f64>, const M: usize> Rule<S, V, M> {
    #[inline(always)]
    pub(super) fn new<const N: usize>(simd: S, rule: &Quadrature<N>) -> Self {
        let rest = rule.points.map(|t| 1.0 - t);
        Self {
            simd,
            t: load(simd, &rule.points),
            rest: load(simd, &rest),
            closed: load(simd, &rest.map(|rest| 1.0 / rest)),
        }
    }

    #[inline(always)]
    pub(super) fn load<const N: usize>(&self, numbers: &[f64; N]) -> Points<V, M> {
        load(self.simd, numbers)
    }

    #[inline(always)]
    pub(super) fn splat(&self, number: f64) -> Points<V, M> {
        Points([V::splat(self.simd, number); M])
    }

    /// One over the factor of a column with this q: what is given for a column that lets the row through, else that of one
    /// that does not. No branch: which it is differs from row to row.
    #[inline(always)]
    pub(super) fn inverse<const N: usize>(&self, q: f64, if_open: &[f64; N]) -> Points<V, M> {
        let open = V::splat(self.simd, q).simd_gt(V::splat(self.simd, 0.0));
        let if_open = self.load(if_open);
        Points(from_fn(|m| open.select(if_open.0[m], self.closed.0[m])))
    }
}

#[inline(always)]
fn load<S: Simd, V: SimdBase<S, Element = f64>, const M: usize, const N: usize>(
    simd: S,
    numbers: &[f64; N],
) -> Points<V, M> {
    Points(from_fn(|m| V::from_slice(simd, &numbers[m * V::LEN..][..V::LEN])))
}

impl<V, const M: usize> Points<V, M> {
    #[inline(always)]
    pub(super) fn store<S: Simd, const N: usize>(&self, numbers: &mut [f64; N])
    where
        V: SimdBase<S, Element = f64>,
    {
        self.0.iter().zip(numbers.chunks_exact_mut(V::LEN)).for_each(|(v, to)| v.store_slice(to));
    }
}

impl<V: Add<Output = V> + Copy, const M: usize> Add for Points<V, M> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(from_fn(|m| self.0[m] + other.0[m]))
    }
}

impl<V: Sub<Output = V> + Copy, const M: usize> Sub for Points<V, M> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(from_fn(|m| self.0[m] - other.0[m]))
    }
}

impl<V: Mul<Output = V> + Copy, const M: usize> Mul for Points<V, M> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(from_fn(|m| self.0[m] * other.0[m]))
    }
}

/// The same number added at every point.
impl<V: Add<f64, Output = V> + Copy, const M: usize> Add<f64> for Points<V, M> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: f64) -> Self {
        Self(from_fn(|m| self.0[m] + other))
    }
}

/// Every number multiplied by the same.
impl<V: Mul<f64, Output = V> + Copy, const M: usize> Mul<f64> for Points<V, M> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: f64) -> Self {
        Self(from_fn(|m| self.0[m] * other))
    }
}
