//! Many rows times one square matrix, over and over: the matrix is laid out once so that a product reads it in order.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f32x16};

use super::lanes::LANES;

/// Rows that share one reading of a strip: as many sums as keep the adders busy and fit the registers.
const ROWS: usize = 4;

/// A `width` × `width` matrix in strips of [`LANES`] columns, the last filled up with zeros.
#[derive(Debug)]
pub struct Square {
    width: usize,
    strips: Vec<[f32; LANES]>,
}

impl Square {
    /// Lays out a matrix that is given row by row.
    #[must_use]
    pub fn new(values: &[f32], width: usize) -> Self {
        let mut strips = vec![[0.0f32; LANES]; width.div_ceil(LANES) * width];
        for (row, values) in values.chunks_exact(width.max(1)).enumerate() {
            for (strip, part) in values.chunks(LANES).enumerate() {
                strips[strip * width + row][..part.len()].copy_from_slice(part);
            }
        }
        Self { width, strips }
    }

    /// `rows` (each `width` long) times the matrix, into `out`, which has their length.
    pub fn product(&self, rows: &[f32], out: &mut [f32]) {
        if self.width == 0 {
            return;
        }
        dispatch!(Level::new(), simd => self.product_in(simd, rows, out));
    }

    #[inline(always)]
    fn product_in<S: Simd>(&self, simd: S, rows: &[f32], out: &mut [f32]) {
        simd.vectorize(
            #[inline(always)]
            || {
                for (strip, lines) in self.strips.chunks_exact(self.width).enumerate() {
                    self.strip(simd, (lines, strip * LANES), rows, out);
                }
            },
        );
    }

    /// The columns from `first` on, for all rows: four rows at a time, then those left over.
    #[inline(always)]
    fn strip<S: Simd>(&self, simd: S, strip: (&[[f32; LANES]], usize), rows: &[f32], out: &mut [f32]) {
        let group = ROWS * self.width;
        let (mut of, mut to) = (rows.chunks_exact(group), out.chunks_exact_mut(group));
        for (rows, out) in (&mut of).zip(&mut to) {
            self.tile::<ROWS, S>(simd, strip, rows, out);
        }
        let rest = of.remainder().chunks_exact(self.width);
        for (row, out) in rest.zip(to.into_remainder().chunks_exact_mut(self.width)) {
            self.tile::<1, S>(simd, strip, row, out);
        }
    }

    #[inline(always)]
    fn tile<const N: usize, S: Simd>(
        &self,
        simd: S,
        (lines, first): (&[[f32; LANES]], usize),
        rows: &[f32],
        out: &mut [f32],
    ) {
        let mut sums = [f32x16::splat(simd, 0.0); N];
        let rows: [&[f32]; N] = std::array::from_fn(|row| &rows[row * self.width..(row + 1) * self.width]);
        for (k, line) in lines.iter().enumerate() {
            let line = f32x16::from_slice(simd, line);
            for (sums, row) in sums.iter_mut().zip(rows) {
                *sums += line * row[k];
            }
        }
        let valid = LANES.min(self.width - first);
        for (sums, out) in sums.iter().zip(out.chunks_exact_mut(self.width)) {
            out[first..first + valid].copy_from_slice(&sums.as_slice()[..valid]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_that_of_the_definition_whatever_the_width_and_number_of_rows() {
        for (width, height) in [(1, 1), (3, 5), (16, 4), (17, 7), (40, 9)] {
            let square: Vec<f32> = (0..width * width).map(|i| ((i * 31) % 17) as f32 - 8.0).collect();
            let rows: Vec<f32> = (0..width * height).map(|i| ((i * 13) % 11) as f32 - 5.0).collect();
            let mut out = vec![f32::NAN; rows.len()];
            Square::new(&square, width).product(&rows, &mut out);
            for row in 0..height {
                for column in 0..width {
                    let sum: f32 =
                        (0..width).map(|k| rows[row * width + k] * square[k * width + column]).sum();
                    assert_eq!(out[row * width + column], sum, "{width} {row} {column}");
                }
            }
        }
    }
}
