//! Vectors kept in sixteen bits a number.
//!
//! Scoring forty thousand items reads all their vectors once, and memory is what that waits for. A bfloat16 is
//! the upper half of an `f32`: widening it is a shift, its range is the same, and the three decimal digits it
//! keeps are more than the vectors are known to.

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
    let mut sums = [0.0f32; 16];
    let (wide_whole, wide_rest) = wide.as_chunks::<16>();
    let (narrow_whole, narrow_rest) = narrow.as_chunks::<16>();
    for (a, b) in wide_whole.iter().zip(narrow_whole) {
        for lane in 0..16 {
            sums[lane] += a[lane] * widen(b[lane]);
        }
    }
    let rest: f32 = wide_rest.iter().zip(narrow_rest).map(|(a, b)| a * widen(*b)).sum();
    sums.iter().sum::<f32>() + rest
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
    fn products_are_those_of_the_rounded_numbers() {
        let a: Vec<f32> = (0..37).map(|n| n as f32 / 7.0 - 2.0).collect();
        let b = Halves::of(&a.iter().rev().copied().collect::<Vec<_>>());
        let expected: f32 = a.iter().zip(b.wide()).map(|(x, y)| x * y).sum();
        assert!((dot(&a, b.row(0, 37)) - expected).abs() < 1e-4);
        assert!(b.finite() && !Halves::of(&[f32::MAX]).finite());
    }
}
