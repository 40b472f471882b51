//! Sums over vectors sixteen numbers at a time, in the widest instructions of the machine that runs them.
//!
//! Products and sums are rounded one by one and added up in one order, so that a result is the same to the bit whatever
//! the width. Every function here belongs inside [`Simd::vectorize`], into which it is inlined.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f32x16};

/// Numbers that are worked on at once.
pub(super) const LANES: usize = 16;

/// The product of two vectors of one length.
#[inline(always)]
pub(super) fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let (a_whole, a_rest) = a.as_chunks::<LANES>();
    let (b_whole, b_rest) = b.as_chunks::<LANES>();
    let mut sums = f32x16::splat(simd, 0.0);
    for (a, b) in a_whole.iter().zip(b_whole) {
        sums += f32x16::from_slice(simd, a) * f32x16::from_slice(simd, b);
    }
    sums.reduce_sum() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// Adds weighted vectors of one length to `sum`, in their order: `sum` is read and written once for all of them.
#[inline(always)]
pub(super) fn add_all<const N: usize, S: Simd>(simd: S, sum: &mut [f32], others: [&[f32]; N], by: [f32; N]) {
    let (whole, rest) = sum.as_chunks_mut::<LANES>();
    let start = whole.len() * LANES;
    for (at, sum) in whole.iter_mut().enumerate() {
        let mut held = f32x16::from_slice(simd, sum);
        for one in 0..N {
            held += f32x16::from_slice(simd, &others[one][at * LANES..(at + 1) * LANES]) * by[one];
        }
        held.store_slice(sum);
    }
    for (other, by) in others.iter().zip(by) {
        rest.iter_mut().zip(&other[start..]).for_each(|(sum, other)| *sum += by * other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fearless_simd::{Level, dispatch};

    fn numbers(length: usize, step: usize) -> Vec<f32> {
        (0..length).map(|i| ((i * step) % 101) as f32 / 7.0 - 6.5).collect()
    }

    #[test]
    fn sums_are_the_same_to_the_bit_in_narrow_and_wide_instructions() {
        for length in [0, 5, 16, 128, 131] {
            let (a, b) = (numbers(length, 37), numbers(length, 53));
            let run = |level: Level| {
                let mut sum = numbers(length, 11);
                dispatch!(level, simd => add_all(simd, &mut sum, [&a, &b], [0.3, -1.7]));
                (dispatch!(level, simd => dot(simd, &a, &b)).to_bits(), sum)
            };
            assert_eq!(run(Level::new()), run(Level::baseline()));
            let exact: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(a * b)).sum();
            let (found, sum) = run(Level::new());
            assert!((f64::from(f32::from_bits(found)) - exact).abs() < 1e-2);
            for (at, start) in numbers(length, 11).into_iter().enumerate() {
                assert!((sum[at] - (start + 0.3 * a[at] - 1.7 * b[at])).abs() < 1e-4);
            }
        }
    }
}
