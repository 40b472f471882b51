//! Vectors kept in sixteen bits a number.
//!
//! Scoring forty thousand items reads all their vectors once, and memory is what that waits for. A bfloat16 is
//! the upper half of an `f32`: widening it is a shift, its range is the same, and the three decimal digits it
//! keeps are more than the vectors are known to.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f32x16, u16x16};

/// Numbers in sixteen bits each (bfloat16).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Halves(pub(super) Vec<u16>);

impl Halves {
    /// Rounds `numbers` to the nearest, ties to even.
    pub(super) fn of(numbers: &[f32]) -> Self {
        Self(numbers.iter().map(|number| narrow(*number)).collect())
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True when every number is finite.
    pub(super) fn finite(&self) -> bool {
        self.0.iter().all(|half| widen(*half).is_finite())
    }

    /// One row of `width` numbers.
    pub(super) fn row(&self, row: usize, width: usize) -> &[u16] {
        &self.0[row * width..(row + 1) * width]
    }

    /// All numbers at full width.
    pub(super) fn wide(&self) -> Vec<f32> {
        self.0.iter().map(|half| widen(*half)).collect()
    }
}

fn narrow(number: f32) -> u16 {
    let bits = number.to_bits();
    if number.is_nan() {
        // Rounding could carry a NaN into an infinity; a set bit keeps it one.
        return (bits >> 16) as u16 | 1;
    }
    let odd = bits >> 16 & 1;
    (bits.wrapping_add(0x7fff + odd) >> 16) as u16
}

/// One number at full width.
pub(super) fn widen(half: u16) -> f32 {
    f32::from_bits(u32::from(half) << 16)
}

/// The product of a vector with a narrow one of the same length, in sixteen running sums.
pub(super) fn dot(wide: &[f32], narrow: &[u16]) -> f32 {
    dispatch!(Level::new(), simd => dot_in(simd, wide, narrow))
}

/// [`dot`], within instructions that were chosen before; the same to the bit.
#[inline(always)]
pub(super) fn dot_in<S: Simd>(simd: S, wide: &[f32], narrow: &[u16]) -> f32 {
    let mut sums = f32x16::splat(simd, 0.0);
    let (wide_whole, wide_rest) = wide.as_chunks::<16>();
    let (narrow_whole, narrow_rest) = narrow.as_chunks::<16>();
    for (a, b) in wide_whole.iter().zip(narrow_whole) {
        let (low, high) = u16x16::from_slice(simd, b).widen();
        let b: f32x16<S> = (low.combine(high) << 16).bitcast();
        sums += f32x16::from_slice(simd, a) * b;
    }
    let rest: f32 = wide_rest.iter().zip(narrow_rest).map(|(a, b)| a * widen(*b)).sum();
    let mut lanes = [0.0f32; 16];
    sums.store_slice(&mut lanes);
    // One after the other: scores in logs were added up so.
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rounding_is_within_a_part_in_256_and_never_makes_up_a_number(number in prop::num::f32::ANY) {
            let back = widen(narrow(number));
            if number.is_nan() {
                prop_assert!(back.is_nan());
            } else if number.is_normal() && back.is_finite() {
                prop_assert!((back - number).abs() <= number.abs() / 256.0);
            }
        }
    }

    #[test]
    fn products_are_the_same_to_the_bit_in_any_instructions() {
        let wide: Vec<f32> = (0..131).map(|n| ((n * 7919 + 13) % 101) as f32 / 7.0 - 6.3).collect();
        for length in [0, 3, 16, 128, 131] {
            let (a, b) = (&wide[..length], Halves::of(&wide[131 - length..]));
            let mut sums = [0.0f32; 16];
            let whole = length / 16 * 16;
            for at in 0..whole {
                sums[at % 16] += a[at] * widen(b.0[at]);
            }
            let rest: f32 = (whole..length).map(|at| a[at] * widen(b.0[at])).sum();
            let one_by_one = sums.iter().sum::<f32>() + rest;
            let run = |level: Level| dispatch!(level, simd => dot_in(simd, a, &b.0)).to_bits();
            assert_eq!(run(Level::new()), one_by_one.to_bits(), "{length}");
            assert_eq!(run(Level::baseline()), one_by_one.to_bits(), "{length}");
        }
    }

    #[test]
    fn products_are_those_of_the_rounded_numbers() {
        let a: Vec<f32> = (0..37).map(|n| n as f32 / 7.0 - 2.0).collect();
        let b = Halves::of(&a.iter().rev().copied().collect::<Vec<_>>());
        let expected: f32 = a.iter().zip(b.wide()).map(|(x, y)| x * y).sum();
        assert!((dot(&a, b.row(0, 37)) - expected).abs() < 1e-4);
        assert!(b.finite() && !Halves::of(&[f32::MAX]).finite());
    }
}
