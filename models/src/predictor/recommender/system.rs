//! Products of vectors with themselves, and the linear systems made of them.
//!
//! A matrix here is symmetric, stands row by row, and only what stands on and right of its diagonal is kept up; every
//! row is filled up with zeros to a whole number of [`LANES`]. All sums run in a fixed order, whatever vectors the
//! processor has, so that every machine gets the same bits.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f64x8};

use super::halves::widen;

/// Numbers that are worked on side by side.
const LANES: usize = 8;
/// Right-hand sides that are solved together.
pub(super) const SIDES: usize = 8;
/// Vectors that are added up before the sums are put back.
const TOGETHER: usize = 32;

/// A symmetric matrix.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Symmetric {
    width: usize,
    /// Length of a row as it stands.
    stride: usize,
    rows: Vec<f64>,
}

/// The factor U of `Uᵀ U`, in place of the matrix.
#[derive(Debug, Clone, Default)]
pub(super) struct Factorised(Symmetric);

impl Symmetric {
    /// Nothing but zeros.
    pub(super) fn zeros(width: usize) -> Self {
        let stride = width.next_multiple_of(LANES);
        Self { width, stride, rows: vec![0.0; width * stride] }
    }

    /// `factor` times a full matrix.
    pub(super) fn scaled(full: &[f32], width: usize, factor: f64) -> Self {
        let mut matrix = Self::zeros(width);
        let rows = matrix.rows.chunks_exact_mut(matrix.stride.max(1));
        for (row, full) in rows.zip(full.chunks_exact(width.max(1))) {
            row.iter_mut().zip(full).for_each(|(number, given)| *number = factor * f64::from(*given));
        }
        matrix
    }

    /// Adds `weight · v vᵀ` for every weight and vector, in their order.
    pub(super) fn add_products<'a>(&mut self, vectors: impl Iterator<Item = (f32, &'a [u16])>) {
        let mut block = Block { stride: self.stride, vectors: Vec::new(), weights: Vec::new() };
        for (weight, vector) in vectors {
            block.weights.push(f64::from(weight));
            block.vectors.extend(vector.iter().map(|half| f64::from(widen(*half))));
            block.vectors.resize(block.weights.len() * self.stride, 0.0);
            if block.weights.len() == TOGETHER {
                self.add_block(&block);
                block.weights.clear();
                block.vectors.clear();
            }
        }
        self.add_block(&block);
    }

    fn add_block(&mut self, block: &Block) {
        dispatch!(Level::new(), _simd => add_block(&mut self.rows, block));
    }

    /// Adds `number` along the diagonal.
    pub(super) fn add_to_diagonal(&mut self, number: f64) {
        (0..self.width).for_each(|at| self.rows[at * self.stride + at] += number);
    }

    /// `vᵀ M v`.
    pub(super) fn quadratic(&self, vector: &[f32]) -> f64 {
        let wide: Vec<f64> = vector.iter().map(|v| f64::from(*v)).collect();
        let rows = self.rows.chunks_exact(self.stride.max(1));
        let of_row = |(at, row): (usize, &[f64])| {
            let right = dot(&row[at + 1..self.width], &wide[at + 1..]);
            wide[at] * (row[at] * wide[at] + 2.0 * right)
        };
        rows.enumerate().map(of_row).sum()
    }

    /// The sum along the diagonal.
    pub(super) fn trace(&self) -> f64 {
        (0..self.width).map(|at| self.rows[at * self.stride + at]).sum()
    }

    /// The whole matrix, both sides of the diagonal, without filling.
    pub(super) fn full(&self) -> Vec<f32> {
        let at = |row: usize, column: usize| self.rows[row.min(column) * self.stride + row.max(column)];
        (0..self.width * self.width).map(|n| at(n / self.width, n % self.width) as f32).collect()
    }

    /// Factorises a positive definite matrix (Cholesky).
    pub(super) fn factorise(mut self) -> Factorised {
        dispatch!(Level::new(), _simd => factorise(&mut self.rows, self.stride));
        Factorised(self)
    }
}

impl Factorised {
    /// Solves `Uᵀ U x = right`, in place.
    pub(super) fn solve(&self, right: &mut [f64]) {
        dispatch!(Level::new(), _simd => solve(&self.0.rows, self.0.stride, right));
    }

    /// Solves for [`SIDES`] right-hand sides at once, in place: number `at` of each stands in `right[at]`. Within rounding
    /// the same as [`Factorised::solve`] for each, several times as fast.
    pub(super) fn solve_together(&self, right: &mut [[f64; SIDES]]) {
        dispatch!(Level::new(), simd => solve_together(simd, &self.0.rows, self.0.stride, right));
    }
}

/// Vectors that are added up together.
struct Block {
    stride: usize,
    vectors: Vec<f64>,
    weights: Vec<f64>,
}

#[inline(always)]
fn add_block(rows: &mut [f64], block: &Block) {
    for (at, row) in rows.chunks_exact_mut(block.stride.max(1)).enumerate() {
        let start = at / LANES * LANES;
        for (lanes, sums) in row[start..].as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let from = start + lanes * LANES;
            let mut wide = *sums;
            for (vector, weight) in block.vectors.chunks_exact(block.stride).zip(&block.weights) {
                let scaled = weight * vector[at];
                let Some(others) = vector[from..].first_chunk::<LANES>() else { continue };
                for lane in 0..LANES {
                    wide[lane] += scaled * others[lane];
                }
            }
            *sums = wide;
        }
    }
}

#[inline(always)]
fn factorise(rows: &mut [f64], stride: usize) {
    for at in 0..rows.len() / stride.max(1) {
        let (above, row) = rows.split_at_mut(at * stride);
        let row = &mut row[..stride];
        // From a whole number of lanes on: what comes before the diagonal is not read by anybody.
        let start = at / LANES * LANES;
        for (lanes, sums) in row[start..].as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let from = start + lanes * LANES;
            let mut wide = *sums;
            for earlier in above.chunks_exact(stride) {
                let factor = earlier[at];
                let Some(others) = earlier[from..].first_chunk::<LANES>() else { continue };
                for lane in 0..LANES {
                    wide[lane] -= factor * others[lane];
                }
            }
            *sums = wide;
        }
        // Rounding may push a pivot to zero or below; the smallest sensible one keeps the solution finite.
        let pivot = row[at].max(1e-12).sqrt();
        row[at] = pivot;
        row[at + 1..].iter_mut().for_each(|number| *number /= pivot);
    }
}

#[inline(always)]
fn solve(rows: &[f64], stride: usize, right: &mut [f64]) {
    let width = right.len();
    for (at, row) in rows.chunks_exact(stride.max(1)).enumerate() {
        let (done, rest) = right.split_at_mut(at + 1);
        done[at] /= row[at];
        let value = done[at];
        rest.iter_mut().zip(&row[at + 1..width]).for_each(|(number, factor)| *number -= factor * value);
    }
    for (at, row) in rows.chunks_exact(stride.max(1)).enumerate().rev() {
        let below = dot(&row[at + 1..width], &right[at + 1..]);
        right[at] = (right[at] - below) / row[at];
    }
}

#[inline(always)]
fn solve_together<S: Simd>(simd: S, rows: &[f64], stride: usize, right: &mut [[f64; SIDES]]) {
    let width = right.len();
    for (at, row) in rows.chunks_exact(stride.max(1)).enumerate() {
        let (done, rest) = right.split_at_mut(at + 1);
        let value = f64x8::from_slice(simd, &done[at]) / row[at];
        value.store_slice(&mut done[at]);
        for (side, factor) in rest.iter_mut().zip(&row[at + 1..width]) {
            (f64x8::from_slice(simd, side) - value * *factor).store_slice(side);
        }
    }
    for (at, row) in rows.chunks_exact(stride.max(1)).enumerate().rev() {
        let (above, below) = right.split_at_mut(at + 1);
        let mut sums = [f64x8::splat(simd, 0.0); 4];
        let (factors, factors_rest) = row[at + 1..width].as_chunks::<4>();
        let (sides, sides_rest) = below.as_chunks::<4>();
        for (factors, sides) in factors.iter().zip(sides) {
            for one in 0..4 {
                sums[one] += f64x8::from_slice(simd, &sides[one]) * factors[one];
            }
        }
        let mut sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        for (factor, side) in factors_rest.iter().zip(sides_rest) {
            sum += f64x8::from_slice(simd, side) * *factor;
        }
        let found = (f64x8::from_slice(simd, &above[at]) - sum) / row[at];
        found.store_slice(&mut above[at]);
    }
}

/// A product in eight running sums.
#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0f64; LANES];
    let (a_whole, a_rest) = a.as_chunks::<LANES>();
    let (b_whole, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_whole.iter().zip(b_whole) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::super::halves::Halves;
    use super::*;

    #[test]
    fn the_solution_of_a_system_satisfies_it() {
        for width in [1, 5, 8, 21] {
            let numbers: Vec<f32> =
                (0..50 * width).map(|n| ((n * 7919 + 13) % 101) as f32 / 101.0 - 0.4).collect();
            let vectors = Halves::of(&numbers);
            let mut system = Symmetric::zeros(width);
            system.add_products((0..50).map(|row| (1.0, vectors.row(row, width))));
            system.add_to_diagonal(0.5);
            let full = system.full();
            let wanted: Vec<f64> = (0..width).map(|n| 1.0 + n as f64).collect();
            let mut x = wanted.clone();
            let narrow: Vec<f32> = wanted.iter().map(|v| *v as f32).collect();
            let quadratic = system.quadratic(&narrow);
            let factorised = system.factorise();
            factorised.solve(&mut x);
            for (line, wanted) in full.chunks(width).zip(&wanted) {
                let got: f64 = line.iter().zip(&x).map(|(m, x)| f64::from(*m) * x).sum();
                assert!((got - wanted).abs() < 1e-4, "{got} {wanted}");
            }
            let solve = |level: Level| {
                let mut sides: Vec<[f64; SIDES]> =
                    wanted.iter().map(|n| std::array::from_fn(|side| n * (side as f64 - 2.5))).collect();
                let Factorised(system) = &factorised;
                dispatch!(level, simd => solve_together(simd, &system.rows, system.stride, &mut sides));
                sides
            };
            let sides = solve(Level::new());
            assert_eq!(
                sides,
                solve(Level::baseline()),
                "the same to the bit in narrow and wide instructions"
            );
            for (side, x) in sides.iter().zip(&x) {
                for (at, found) in side.iter().enumerate() {
                    let alone = x * (at as f64 - 2.5);
                    assert!((found - alone).abs() <= 1e-9 * alone.abs(), "{found} {alone}");
                }
            }
            let by_hand: f64 = full
                .chunks(width)
                .zip(&wanted)
                .map(|(line, a)| a * line.iter().zip(&wanted).map(|(m, b)| f64::from(*m) * b).sum::<f64>())
                .sum();
            assert!((quadratic - by_hand).abs() < 1e-5 * by_hand.abs());
        }
    }
}
