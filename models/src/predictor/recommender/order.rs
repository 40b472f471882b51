//! The order of answers: by score, then by popularity, then by number.

use std::collections::BinaryHeap;

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f32x16};

/// Every item's place by popularity, so that one integer compares score and popularity at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    /// Item by place, the least popular first.
    by_place: Vec<u32>,
    /// Place by item.
    places: Vec<u32>,
}

impl Order {
    pub(super) fn by_popularity(popularity: &[f32]) -> Self {
        let mut by_place: Vec<u32> = (0..popularity.len() as u32).collect();
        by_place.sort_by(|a, b| {
            let (pa, pb) = (popularity[*a as usize], popularity[*b as usize]);
            pa.total_cmp(&pb).then_with(|| b.cmp(a))
        });
        let mut places = vec![0; by_place.len()];
        for (place, item) in by_place.iter().enumerate() {
            places[*item as usize] = place as u32;
        }
        Self { by_place, places }
    }

    /// One number that compares like score, then popularity, then number.
    fn key(&self, item: u32, score: f32) -> u64 {
        u64::from(ascending(score)) << 32 | u64::from(self.places[item as usize])
    }

    fn item(&self, key: u64) -> u32 {
        self.by_place[(key & u64::from(u32::MAX)) as usize]
    }
}

/// Items that are looked through together.
const BLOCK: usize = 32;
/// Stands in place of the bound of an item that is left out: no comparison with it holds.
const LEFT_OUT: f32 = f32::NAN;

/// Room to work in.
#[derive(Debug, Clone, Default)]
pub(super) struct Space {
    tops: Vec<f32>,
    sorted: Vec<f32>,
    bounded: Vec<u64>,
    scored: BinaryHeap<u64>,
}

/// All items, handed out from the best down.
///
/// It is given a bound for each item that its score does not exceed, and asks for the score itself only of those whose
/// bound reaches what is handed out. Nothing is sorted that nobody asks for.
pub(super) struct Ranked<'a> {
    order: &'a Order,
    bounds: &'a mut [f32],
    /// The largest bound of every block.
    tops: &'a [f32],
    sorted: &'a mut Vec<f32>,
    /// Bounds from here up have been taken out; none yet if there is none.
    floor: Option<f32>,
    /// Blocks that the next round looks into at least.
    blocks: usize,
    /// Keys by bound, ascending: items that were taken out and not scored yet.
    bounded: &'a mut Vec<u64>,
    /// Keys by score, the largest first: items that were scored and not handed out yet.
    scored: &'a mut BinaryHeap<u64>,
}

impl<'a> Ranked<'a> {
    /// Ranks items by what their scores do not exceed.
    pub(super) fn new(order: &'a Order, bounds: &'a mut [f32], space: &'a mut Space) -> Self {
        let Space { tops, sorted, bounded, scored } = space;
        tops.clear();
        tops.resize(bounds.len().div_ceil(BLOCK), f32::NEG_INFINITY);
        dispatch!(Level::new(), simd => largest(simd, bounds, tops));
        bounded.clear();
        scored.clear();
        Self { order, bounds, tops, sorted, floor: None, blocks: 0, bounded, scored }
    }

    /// Leaves items out. To be called before the first is handed out.
    pub(super) fn without(&mut self, items: &[u32]) {
        for item in items {
            self.bounds[*item as usize] = LEFT_OUT;
        }
    }

    /// The best item not handed out yet, with its score; `hint` is how many the caller is likely to want, `score` gives
    /// the score of an item.
    pub(super) fn next(&mut self, hint: usize, score: impl Fn(u32) -> f32) -> Option<(u32, f32)> {
        loop {
            let best = self.scored.peek().copied();
            match self.bounded.last().copied() {
                // Whatever was not scored yet stays below.
                Some(bound) if best.is_some_and(|best| best > bound) => return self.hand_out(),
                Some(bound) => {
                    self.bounded.pop();
                    let item = self.order.item(bound);
                    self.scored.push(self.order.key(item, score(item)));
                }
                None if self.nothing_above(best) => return self.hand_out(),
                None => self.take_more(hint),
            }
        }
    }

    fn hand_out(&mut self) -> Option<(u32, f32)> {
        let key = self.scored.pop()?;
        Some((self.order.item(key), score_of(key)))
    }

    /// True when no item that was not taken out yet can come before `best`.
    fn nothing_above(&self, best: Option<u64>) -> bool {
        let Some(floor) = self.floor else { return false };
        floor == f32::NEG_INFINITY || best.is_some_and(|best| score_of(best) >= floor)
    }

    /// Takes out the items with the largest bounds below the floor, and lowers it.
    fn take_more(&mut self, hint: usize) {
        // Grows with every round, so that a rule that refuses almost everything costs a few rounds at most.
        self.blocks = hint.saturating_mul(2).max(64).max(self.blocks.saturating_mul(2));
        let floor = self.floor_of(self.blocks);
        let above = self.floor;
        let blocks = self.bounds.chunks(BLOCK).zip(self.tops).enumerate();
        for (block, (bounds, _)) in blocks.filter(|(_, (_, top))| **top >= floor) {
            for (at, bound) in bounds.iter().enumerate() {
                if *bound >= floor && above.is_none_or(|above| *bound < above) {
                    self.bounded.push(self.order.key((block * BLOCK + at) as u32, *bound));
                }
            }
        }
        self.bounded.sort_unstable();
        self.floor = Some(floor);
    }

    /// What the largest bounds of so many blocks reach.
    fn floor_of(&mut self, blocks: usize) -> f32 {
        if blocks >= self.tops.len() {
            return f32::NEG_INFINITY;
        }
        self.sorted.clear();
        self.sorted.extend_from_slice(self.tops);
        *self.sorted.select_nth_unstable_by(blocks, |a, b| b.total_cmp(a)).1
    }
}

/// The largest bound of each block. Bounds that are no number count as infinite from here on.
#[inline(always)]
fn largest<S: Simd>(simd: S, bounds: &mut [f32], tops: &mut [f32]) {
    let (infinity, mut tops) = (f32x16::splat(simd, f32::INFINITY), tops.iter_mut());
    let (blocks, rest) = bounds.as_chunks_mut::<BLOCK>();
    for (block, top) in blocks.iter_mut().zip(&mut tops) {
        let mut best = f32x16::splat(simd, f32::NEG_INFINITY);
        for some in block.as_chunks_mut::<16>().0 {
            // Adding zero turns a negative zero, which is equal to a positive one but comes before it, into that.
            let given = f32x16::from_slice(simd, some) + 0.0;
            let given = given.simd_eq(given).select(given, infinity);
            given.store_slice(some);
            best = best.max(given);
        }
        *top = best.reduce_max();
    }
    let Some(top) = tops.next() else { return };
    for bound in rest {
        *bound = if bound.is_nan() { f32::INFINITY } else { *bound + 0.0 };
        *top = if *bound > *top { *bound } else { *top };
    }
}

/// A number's bits, turned so that they compare like the number.
fn ascending(score: f32) -> u32 {
    let bits = score.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// The score in a key.
fn score_of(key: u64) -> f32 {
    let turned = (key >> 32) as u32;
    f32::from_bits(if turned >> 31 == 1 { turned & !(1 << 31) } else { !turned })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn items_come_by_score_then_popularity_then_number(
            rows in prop::collection::vec((-3i8..3, 0u8..3, 0u8..4), 0..400),
            out in prop::collection::vec(0usize..400, 0..9),
        ) {
            let scores: Vec<f32> = rows.iter().map(|r| f32::from(r.0) / 2.0).collect();
            let popularity: Vec<f32> = rows.iter().map(|r| f32::from(r.1)).collect();
            let mut bounds: Vec<f32> = rows.iter().zip(&scores).map(|(r, s)| s + f32::from(r.2)).collect();
            let out: Vec<u32> = out.into_iter().filter(|i| *i < rows.len()).map(|i| i as u32).collect();
            let mut expected: Vec<u32> = (0..rows.len() as u32).filter(|i| !out.contains(i)).collect();
            expected.sort_by(|a, b| {
                let (a_at, b_at) = (*a as usize, *b as usize);
                scores[b_at].total_cmp(&scores[a_at])
                    .then_with(|| popularity[b_at].total_cmp(&popularity[a_at]))
                    .then_with(|| a.cmp(b))
            });
            let order = Order::by_popularity(&popularity);
            let mut space = Space::default();
            let mut ranked = Ranked::new(&order, &mut bounds, &mut space);
            ranked.without(&out);
            let score = |item: u32| scores[item as usize];
            let got: Vec<(u32, f32)> = std::iter::from_fn(|| ranked.next(2, score)).collect();
            prop_assert!(got.iter().all(|(item, given)| given.to_bits() == score(*item).to_bits()));
            prop_assert_eq!(got.into_iter().map(|(item, _)| item).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn many_items_are_scored_only_near_the_top() {
        let scores: Vec<f32> = (0..40_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 8) as f32).collect();
        let order = Order::by_popularity(&vec![0.0; scores.len()]);
        let (mut bounds, mut space) = (scores.clone(), Space::default());
        let asked = std::cell::Cell::new(0);
        let mut ranked = Ranked::new(&order, &mut bounds, &mut space);
        let score = |item: u32| {
            asked.set(asked.get() + 1);
            scores[item as usize]
        };
        let mut expected: Vec<u32> = (0..40_000).collect();
        expected.sort_by(|a, b| scores[*b as usize].total_cmp(&scores[*a as usize]).then(a.cmp(b)));
        for item in expected.iter().take(100) {
            assert_eq!(ranked.next(10, score).unwrap().0, *item);
        }
        assert!(asked.get() < 200, "{}", asked.get());
    }
}
