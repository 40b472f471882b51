//! Vectors in eight bits a number, and how far off they can be.
//!
//! What scoring all items waits for is memory. Most items are nowhere near the best, and half the bits tell as much: the
//! product with a rounded vector is off by no more than the length of what rounding took away, times the length of the
//! other (Cauchy and Schwarz). So a scan of the rounded vectors gives every item a bound that its score cannot exceed, and
//! only those whose bound reaches the best are scored at full precision. The answer is the one of the full scan, bit for
//! bit.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, i8x32, i16x32, i32x16};

use super::factors::Factors;
use super::halves::widen;
use super::system::Symmetric;

/// Items whose bounds are computed together, side by side: no sum ever goes across a vector.
const ITEMS: usize = 16;
/// What two numbers of each of [`ITEMS`] vectors take.
const PAIRS: usize = 2 * ITEMS;

/// Half the distance between 1 and the next `f32`: what one rounding is off at most, relatively.
const ROUNDING: f64 = 1.0 / (1 << 24) as f64;

/// The output vectors of [`Factors`], rounded.
#[derive(Debug, Clone)]
pub(super) struct Coarse {
    items: usize,
    /// Pairs of numbers of one vector, an even number of them; filled up with zeros.
    pairs: usize,
    /// [`ITEMS`] vectors after another; of these, one pair of numbers of each after the other.
    numbers: Vec<i8>,
    /// What one step of each item's numbers is worth.
    steps: Vec<f32>,
    /// At least the length of what rounding took away from each item.
    taken: Vec<f32>,
    /// At least the length of each item's vector.
    lengths: Vec<f32>,
    /// The sum of `v vᵀ` over the vectors themselves.
    squares: Symmetric,
}

/// A vector that is multiplied with all items, rounded as well.
struct Asked {
    /// Each pair of numbers, once for every one of [`ITEMS`] vectors.
    numbers: Vec<[i16; PAIRS]>,
    /// What the product of two steps is worth, but for the item's step.
    near: f32,
    /// What a unit of length that rounding took from an item may be off.
    by_taken: f32,
    /// What a unit of an item's length may be off.
    by_length: f32,
}

impl Coarse {
    pub(super) fn of(factors: &Factors) -> Self {
        let (width, output) = (factors.width, &factors.output);
        let (items, pairs) = (output.len() / width, width.div_ceil(4) * 2);
        let whole = items.next_multiple_of(ITEMS);
        let mut coarse = Self {
            items,
            pairs,
            numbers: vec![0; whole * pairs * 2],
            steps: vec![0.0; whole],
            taken: vec![0.0; whole],
            lengths: vec![0.0; whole],
            squares: Symmetric::zeros(width),
        };
        for (item, vector) in output.0.chunks_exact(width).enumerate() {
            coarse.put(item, vector);
        }
        coarse.squares.add_products(output.0.chunks_exact(width).map(|vector| (1.0, vector)));
        coarse
    }

    fn put(&mut self, item: usize, vector: &[u16]) {
        let largest = vector.iter().map(|half| widen(*half).abs()).fold(0.0, f32::max);
        let step = largest / 127.0;
        let (mut taken, mut length) = (0.0, 0.0);
        let start = item / ITEMS * self.pairs * PAIRS + item % ITEMS * 2;
        for (at, half) in vector.iter().enumerate() {
            let number = f64::from(widen(*half));
            let rounded = steps(number, step, 127.0);
            self.numbers[start + at / 2 * PAIRS + at % 2] = rounded as i8;
            taken += (number - rounded * f64::from(step)).powi(2);
            length += number * number;
        }
        self.steps[item] = step;
        self.taken[item] = at_least(taken.sqrt());
        self.lengths[item] = at_least(length.sqrt());
    }

    /// The root of the mean square of the products of all items with `vector`; 0 when they vanish but for rounding.
    pub(super) fn size(&self, vector: &[f32]) -> f32 {
        let length: f64 = vector.iter().map(|v| f64::from(*v).powi(2)).sum();
        let square = self.squares.quadratic(vector);
        if square > 1e-13 * length * self.squares.trace() {
            (square / self.items as f64).sqrt() as f32
        } else {
            0.0
        }
    }

    /// Adds to each of `bounds` at least `factor` times the product of its item with `vector`, however that product and a
    /// sum of `terms` of them is rounded.
    pub(super) fn add_bounds(&self, vector: &[f32], (factor, terms): (f32, usize), bounds: &mut [f32]) {
        let asked = Asked::of(vector, (factor, terms), self.pairs);
        dispatch!(Level::new(), simd => add_bounds(simd, self, &asked, bounds));
    }
}

impl Asked {
    fn of(vector: &[f32], (factor, terms): (f32, usize), pairs: usize) -> Self {
        let largest = vector.iter().fold(0.0f32, |largest, v| largest.max(v.abs()));
        // No sum of products with an item's numbers exceeds an i32.
        let most = f64::from(i32::MAX) / (127 * 2 * pairs) as f64;
        let most = most.floor().min(f64::from(i16::MAX));
        let step = largest / most as f32;
        let mut numbers = vec![[0; PAIRS]; pairs];
        let (mut taken, mut length) = (0.0, 0.0);
        for (at, number) in vector.iter().map(|v| f64::from(*v)).enumerate() {
            let rounded = steps(number, step, most);
            numbers[at / 2].iter_mut().skip(at % 2).step_by(2).for_each(|place| *place = rounded as i16);
            taken += (number - rounded * f64::from(step)).powi(2);
            length += number * number;
        }
        let (taken, length, weight) = (taken.sqrt(), length.sqrt(), f64::from(factor.abs()));
        // Every sum of the exact product, of the bound and of the blend rounds once more; this is more than all of them.
        let roundings = ROUNDING * (2 * vector.len() + 64 + 32 * terms) as f64;
        Self {
            numbers,
            near: factor * step,
            by_taken: at_least(weight * (length + taken)),
            by_length: at_least(weight * (taken + roundings * length)),
        }
    }
}

/// The whole number of steps nearest to `number`, at most `most` either way.
fn steps(number: f64, step: f32, most: f64) -> f64 {
    let steps = (number / f64::from(step)).round().clamp(-most, most);
    if steps.is_finite() { steps } else { 0.0 }
}

/// A number that is not below `number`, with room for the roundings that led to it.
fn at_least(number: f64) -> f32 {
    (number * 1.000_001) as f32 + f32::MIN_POSITIVE
}

#[inline(always)]
fn add_bounds<S: Simd>(simd: S, coarse: &Coarse, asked: &Asked, bounds: &mut [f32]) {
    let Coarse { pairs, numbers, steps, taken, lengths, .. } = coarse;
    let blocks = numbers.chunks_exact(pairs * PAIRS).zip(bounds.chunks_mut(ITEMS));
    let sizes = by_block(steps).iter().zip(by_block(taken).iter().zip(by_block(lengths)));
    for ((numbers, bounds), (steps, (taken, lengths))) in blocks.zip(sizes) {
        let products = whole_products(simd, &asked.numbers, numbers);
        let near = |at: usize| asked.near * steps[at] * products[at] as f32;
        let most = |at: usize| near(at) + (asked.by_taken * taken[at] + asked.by_length * lengths[at]);
        let most: [f32; ITEMS] = std::array::from_fn(most);
        bounds.iter_mut().zip(most).for_each(|(bound, most)| *bound += most);
    }
}

#[inline(always)]
fn by_block(numbers: &[f32]) -> &[[f32; ITEMS]] {
    numbers.as_chunks().0
}

/// The products of a vector with [`ITEMS`] others.
#[inline(always)]
fn whole_products<S: Simd>(simd: S, asked: &[[i16; PAIRS]], numbers: &[i8]) -> [i32; ITEMS] {
    let mut sums = [i32x16::splat(simd, 0); 2];
    let (numbers, _) = numbers.as_chunks::<PAIRS>();
    for (asked, numbers) in asked.as_chunks::<2>().0.iter().zip(numbers.as_chunks::<2>().0) {
        for one in 0..2 {
            let (low, high) = i8x32::from_slice(simd, &numbers[one]).widen();
            let wide: i16x32<S> = low.combine(high);
            sums[one] += wide.pairwise_dot_product(i16x32::from_slice(simd, &asked[one]));
        }
    }
    let mut products = [0; ITEMS];
    (sums[0] + sums[1]).store_slice(&mut products);
    products
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::factors::Fold;
    use super::super::halves::dot;
    use super::*;

    proptest! {
        #[test]
        fn no_product_exceeds_its_bound(
            width in 1usize..70, seed in any::<u32>(), scale in -30i32..30, spread in 0i32..12, factor in -9.0f32..9.0,
        ) {
            let number = |n: usize| {
                let mixed = (n as u32 ^ seed).wrapping_mul(0x9E37_79B9).rotate_left(13).wrapping_mul(0x85EB_CA6B);
                let size = f64::from(scale + (mixed >> 3) as i32 % (spread + 1)).exp2() as f32;
                (f64::from(mixed) / f64::from(u32::MAX) - 0.5) as f32 * size
            };
            let vectors: Vec<f32> = (0..40 * width).map(number).collect();
            let factors = Factors::new(40, width, Fold::Sum, &[], &vectors).unwrap();
            let vector: Vec<f32> = (0..width).map(|n| number(n + 1_000_000)).collect();
            let coarse = Coarse::of(&factors);
            let mut bounds = vec![0.0; 40];
            coarse.add_bounds(&vector, (factor, 1), &mut bounds);
            let (asked, mut narrow) = (Asked::of(&vector, (factor, 1), coarse.pairs), vec![0.0; 40]);
            dispatch!(Level::baseline(), simd => add_bounds(simd, &coarse, &asked, &mut narrow));
            prop_assert_eq!(&bounds, &narrow);
            let mut sum = 0.0;
            for (item, bound) in bounds.iter().enumerate() {
                let product = dot(&vector, factors.output.row(item, width));
                prop_assert!(factor * product <= *bound, "{} {bound}", factor * product);
                sum += f64::from(product).powi(2);
            }
            let size = (sum / 40.0).sqrt();
            prop_assert!((f64::from(coarse.size(&vector)) - size).abs() <= 1e-3 * size, "{size}");
        }
    }
}
