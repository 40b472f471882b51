//! Thresholds in order, and how many of them a number exceeds.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f64x8};

/// Numbers of one rung; all of them are compared at once.
const RUNG: usize = 16;

/// Ascending numbers, found sixteen at a time: a rung of those that matter, and above each floor of rungs one with the last
/// number of each, up to a floor of a single rung. No branch that a processor could guess wrong.
#[derive(Debug, Clone, Default)]
pub(super) struct Ladder {
    /// Floor after floor from the top, filled up by what nothing exceeds.
    rungs: Vec<[f64; RUNG]>,
    /// Where each floor begins.
    floors: Vec<usize>,
}

impl Ladder {
    /// `numbers` ascend; none is NaN.
    pub(super) fn new(numbers: &[f64]) -> Self {
        let mut floors = vec![rungs(numbers.iter().copied())];
        while let Some(top) = floors.last().filter(|top| top.len() > 1) {
            floors.push(rungs(top.iter().map(|rung| rung[RUNG - 1])));
        }
        floors.reverse();
        let mut ladder = Self::default();
        for floor in floors {
            ladder.floors.push(ladder.rungs.len());
            ladder.rungs.extend(floor);
        }
        ladder
    }

    /// Writes for each of `values` how many of the numbers are below it; none are for NaN.
    #[inline(always)]
    pub(super) fn exceeded<S: Simd>(&self, simd: S, values: &[f64], counts: &mut [u32]) {
        let Some((top, below)) = self.rungs.split_first() else { return };
        let top = halves(simd, top);
        // Most columns are asked for fewer numbers than two floors hold: then the top stays in registers.
        if let [_] = *self.floors {
            values.iter().zip(counts).for_each(|(x, count)| *count = exceeded(simd, top, *x));
        } else if let [_, _] = *self.floors {
            values.iter().zip(counts).for_each(|(x, count)| {
                let at = exceeded(simd, top, *x);
                *count = at * RUNG as u32 + exceeded(simd, halves(simd, &below[at as usize]), *x);
            });
        } else {
            values.iter().zip(counts).for_each(|(x, count)| {
                *count = self.floors.iter().fold(0, |at, floor| {
                    at * RUNG as u32 + exceeded(simd, halves(simd, &self.rungs[floor + at as usize]), *x)
                });
            });
        }
    }
}

#[inline(always)]
fn halves<S: Simd>(simd: S, rung: &[f64; RUNG]) -> [f64x8<S>; 2] {
    [&rung[..8], &rung[8..]].map(|half| f64x8::from_slice(simd, half))
}

/// How many numbers of a rung are below `x`.
#[inline(always)]
fn exceeded<S: Simd>(simd: S, rung: [f64x8<S>; 2], x: f64) -> u32 {
    let x = f64x8::splat(simd, x);
    let [low, high] = rung.map(|half| half.simd_lt(x).to_bitmask());
    // They ascend: those below come first.
    (low | high << 8).trailing_ones()
}

/// Numbers sixteen by sixteen. The last rung ends in at least one that nothing exceeds, so that a search never leads past it.
fn rungs(numbers: impl ExactSizeIterator<Item = f64>) -> Vec<[f64; RUNG]> {
    let mut rungs = vec![[f64::INFINITY; RUNG]; numbers.len() / RUNG + 1];
    for (place, number) in rungs.as_flattened_mut().iter_mut().zip(numbers) {
        *place = number;
    }
    rungs
}

#[cfg(test)]
mod tests {
    use super::*;
    use fearless_simd::{Level, dispatch};
    use proptest::prelude::*;

    fn number() -> impl Strategy<Value = f64> {
        let odd = prop::sample::select(vec![0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 5e-324]);
        prop_oneof![4 => (-40_i32..40).prop_map(|x| f64::from(x) / 4.0), 1 => odd]
    }

    proptest! {
        #[test]
        fn it_counts_what_is_below(
            mut numbers in prop_oneof![prop::collection::vec(number(), 0..40), prop::collection::vec(number(), 200..700)],
            asked in prop::collection::vec(prop_oneof![9 => number(), 1 => Just(f64::NAN)], 1..40),
        ) {
            numbers.sort_unstable_by(f64::total_cmp);
            let ladder = Ladder::new(&numbers);
            for x in asked.into_iter().chain(numbers.clone()) {
                let below = numbers.iter().filter(|number| x > **number).count();
                for level in [Level::new(), Level::baseline()] {
                    let mut found = [0];
                    dispatch!(level, simd => ladder.exceeded(simd, &[x], &mut found));
                    prop_assert_eq!(found[0] as usize, below, "{} among {:?}", x, numbers);
                }
            }
        }
    }
}
