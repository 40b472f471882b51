//! Dense linear algebra in blocks: the same sums in the same order on any number of threads.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

/// Rows that one task works on.
const BLOCK: usize = 512;

/// A dense matrix, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// Numbers in a row.
    pub width: usize,
    /// All rows, one after the other.
    pub values: Vec<f32>,
}

impl Dense {
    /// One row.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.width..(row + 1) * self.width]
    }

    /// Its transpose times itself, `width` × `width`, in double precision between blocks.
    #[must_use]
    pub fn gram(&self) -> Vec<f64> {
        let width = self.width;
        let blocks: Vec<Vec<f32>> = self
            .values
            .par_chunks((BLOCK * width).max(1))
            .map(|block| {
                let mut product = vec![0.0f32; width * width];
                multiply(block, block, width, true, &mut product);
                product
            })
            .collect();
        let mut sum = vec![0.0f64; width * width];
        for block in blocks {
            sum.iter_mut().zip(block).for_each(|(s, b)| *s += f64::from(b));
        }
        sum
    }

    /// Its product with a `width` × `width` matrix, in place.
    pub fn times_square(&mut self, square: &[f32]) {
        let width = self.width;
        self.values
            .par_chunks_mut((BLOCK * width).max(1))
            .for_each(|block| block.copy_from_slice(&product(block, square, width)));
    }

    /// Makes its columns orthonormal (Cholesky QR, twice for accuracy); a column that depends on those before
    /// it becomes zero.
    pub fn orthonormalise(&mut self) {
        for _ in 0..2 {
            let mut gram = self.gram();
            let inverse = inverse_upper_factor(&mut gram, self.width);
            self.times_square(&inverse);
        }
    }
}

/// `into` = `a` `b`, or `aᵀ` `b` when `turned`; all of them row by row, `b` and `into` of the same width.
fn multiply(a: &[f32], b: &[f32], width: usize, turned: bool, into: &mut [f32]) {
    let height = |values: &[f32]| values.len() / width.max(1);
    let a = ArrayView2::from_shape((height(a), width), a);
    let b = ArrayView2::from_shape((height(b), width), b);
    let into = ArrayViewMut2::from_shape((into.len() / width.max(1), width), into);
    // Every caller passes whole rows, so the shapes always fit.
    if let (Ok(a), Ok(b), Ok(mut into)) = (a, b, into) {
        general_mat_mul(1.0, &if turned { a.reversed_axes() } else { a }, &b, 0.0, &mut into);
    }
}

/// `rows` (each `width` long) times the `width` × `width` matrix `square`.
#[must_use]
fn product(rows: &[f32], square: &[f32], width: usize) -> Vec<f32> {
    let mut out = vec![0.0f32; rows.len()];
    multiply(rows, square, width, false, &mut out);
    out
}

/// The product of two vectors of one length, in sixteen running sums that the compiler keeps in registers.
#[must_use]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let (a_whole, a_rest) = a.as_chunks::<16>();
    let (b_whole, b_rest) = b.as_chunks::<16>();
    for (a, b) in a_whole.iter().zip(b_whole) {
        for lane in 0..16 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// The inverse of the upper Cholesky factor R of a Gram matrix (Y R⁻¹ has orthonormal columns), row by row.
fn inverse_upper_factor(gram: &mut [f64], width: usize) -> Vec<f32> {
    let largest = (0..width).map(|i| gram[i * width + i]).fold(0.0, f64::max);
    // Lower factor L in place; R = Lᵀ. A pivot lost to rounding marks a dependent column.
    let mut dependent = vec![false; width];
    for column in 0..width {
        let done: f64 = (0..column).map(|k| gram[column * width + k].powi(2)).sum();
        let pivot = gram[column * width + column] - done;
        dependent[column] = pivot <= largest * 1e-10;
        let pivot = if dependent[column] { 1.0 } else { pivot.sqrt() };
        gram[column * width + column] = pivot;
        for line in column + 1..width {
            let (above, below) = gram.split_at_mut(line * width);
            let known = &above[column * width..column * width + column];
            let sum: f64 = below[..column].iter().zip(known).map(|(a, b)| a * b).sum();
            below[column] = if dependent[column] { 0.0 } else { (below[column] - sum) / pivot };
        }
    }
    let mut inverse = vec![0.0f64; width * width];
    for column in 0..width {
        if dependent[column] {
            continue;
        }
        inverse[column * width + column] = 1.0 / gram[column * width + column];
        for line in (0..column).rev() {
            let sum: f64 =
                (line + 1..=column).map(|k| gram[k * width + line] * inverse[k * width + column]).sum();
            inverse[line * width + column] = -sum / gram[line * width + line];
        }
    }
    inverse.into_iter().map(|v| v as f32).collect()
}

/// The eigenvalues of a symmetric matrix, descending, and its eigenvectors as columns, row by row (cyclic
/// Jacobi rotations, Golub and Van Loan 8.5).
#[must_use]
pub fn eigen(mut matrix: Vec<f64>, width: usize) -> (Vec<f64>, Vec<f64>) {
    // Vectors are kept as rows while rotating, so that a rotation touches memory in order.
    let mut vectors = vec![0.0f64; width * width];
    (0..width).for_each(|i| vectors[i * width + i] = 1.0);
    let total: f64 = matrix.iter().map(|v| v * v).sum();
    for _ in 0..30 {
        let off: f64 = (0..width)
            .flat_map(|p| (0..p).map(move |q| (p, q)))
            .map(|(p, q)| matrix[p * width + q].powi(2))
            .sum();
        if off <= total * 1e-22 {
            break;
        }
        for p in 1..width {
            for q in 0..p {
                rotate(&mut matrix, &mut vectors, width, (q, p));
            }
        }
    }
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|a, b| matrix[b * width + b].total_cmp(&matrix[a * width + a]).then_with(|| a.cmp(b)));
    let values = order.iter().map(|i| matrix[i * width + i]).collect();
    let mut columns = vec![0.0f64; width * width];
    for (place, from) in order.iter().enumerate() {
        for line in 0..width {
            columns[line * width + place] = vectors[from * width + line];
        }
    }
    (values, columns)
}

/// One Jacobi rotation that makes the element (p, q) zero, p < q.
fn rotate(matrix: &mut [f64], vectors: &mut [f64], width: usize, (p, q): (usize, usize)) {
    let (app, aqq, apq) = (matrix[p * width + p], matrix[q * width + q], matrix[p * width + q]);
    if apq.abs() <= 1e-300 || apq.abs() < 1e-18 * (app.abs() + aqq.abs()) {
        return;
    }
    let theta = (aqq - app) / (2.0 * apq);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let t = if theta == 0.0 { 1.0 } else { t };
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    for rows in [&mut *matrix, &mut *vectors] {
        let (before, after) = rows.split_at_mut(q * width);
        let (row_p, row_q) = (&mut before[p * width..(p + 1) * width], &mut after[..width]);
        for (x, y) in row_p.iter_mut().zip(row_q) {
            (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
        }
    }
    for line in matrix.chunks_exact_mut(width) {
        (line[p], line[q]) = (c * line[p] - s * line[q], s * line[p] + c * line[q]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tall(height: usize, width: usize) -> Dense {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        };
        Dense { width, values: (0..height * width).map(|_| next()).collect() }
    }

    #[test]
    fn orthonormal_columns_have_the_identity_as_gram_matrix() {
        let mut matrix = tall(1500, 20);
        // The last column repeats the first and must vanish.
        for row in 0..1500 {
            matrix.values[row * 20 + 19] = matrix.values[row * 20];
        }
        matrix.orthonormalise();
        let gram = matrix.gram();
        for i in 0..20 {
            for j in 0..20 {
                let expected = if i == j && i < 19 { 1.0 } else { 0.0 };
                assert!((gram[i * 20 + j] - expected).abs() < 1e-4, "{i} {j} {}", gram[i * 20 + j]);
            }
        }
    }

    #[test]
    fn eigenvectors_reproduce_the_matrix() {
        let width = 12;
        let gram = tall(40, width).gram();
        let (values, vectors) = eigen(gram.clone(), width);
        assert!(values.windows(2).all(|w| w[0] >= w[1]));
        for i in 0..width {
            for j in 0..width {
                let sum: f64 =
                    (0..width).map(|k| vectors[i * width + k] * values[k] * vectors[j * width + k]).sum();
                assert!((sum - gram[i * width + j]).abs() < 1e-9);
            }
        }
    }
}
