//! The order of answers: by score, then by popularity, then by number.

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
}

/// All items, handed out from the best down, sorted only as far as somebody asks.
pub(super) struct Ranked<'a> {
    order: &'a Order,
    /// Score in the upper half, place by popularity in the lower; the first `left` are still unsorted and all
    /// below the sorted rest.
    keys: &'a mut Vec<u64>,
    left: usize,
}

impl<'a> Ranked<'a> {
    /// Ranks all items by `scores`.
    pub(super) fn new(order: &'a Order, scores: &[f32], keys: &'a mut Vec<u64>) -> Self {
        keys.clear();
        let key = |(score, place): (&f32, &u32)| u64::from(ascending(*score)) << 32 | u64::from(*place);
        keys.extend(scores.iter().zip(&order.places).map(key));
        let left = keys.len();
        Self { order, keys, left }
    }

    /// Leaves items out. To be called before the first is handed out, while keys still stand by item.
    pub(super) fn without(&mut self, items: &[u32]) {
        for item in items {
            self.keys[*item as usize] = LEFT_OUT;
        }
    }

    /// The best item not handed out yet; `hint` is how many the caller is likely to want.
    pub(super) fn next(&mut self, hint: usize) -> Option<u32> {
        if self.left == self.keys.len() {
            self.sort_more(hint);
        }
        let key = self.keys.pop()?;
        (key != LEFT_OUT).then(|| self.order.by_place[(key & u64::from(u32::MAX)) as usize])
    }

    /// Brings the best of the unsorted part into order behind it.
    fn sort_more(&mut self, hint: usize) {
        // Grows with every round, so that a rule that refuses almost everything costs one full sort at most.
        let sorted_before = self.order.places.len() - self.left;
        let more = hint.saturating_mul(2).max(64).max(sorted_before).min(self.left);
        let cut = self.left - more;
        if cut > 0 {
            self.keys.select_nth_unstable(cut);
        }
        self.keys[cut..].sort_unstable();
        self.left = cut;
    }
}

/// Below the key of every item: the bits of a score never are all zero.
const LEFT_OUT: u64 = 0;

/// A number's bits, turned so that they compare like the number, and never 0.
fn ascending(score: f32) -> u32 {
    let bits = score.to_bits();
    let turned = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    turned.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn items_come_by_score_then_popularity_then_number(
            rows in prop::collection::vec((-3i8..3, 0u8..3), 0..400), out in prop::collection::vec(0usize..400, 0..9),
        ) {
            let scores: Vec<f32> = rows.iter().map(|r| f32::from(r.0) / 2.0).collect();
            let popularity: Vec<f32> = rows.iter().map(|r| f32::from(r.1)).collect();
            let out: Vec<u32> = out.into_iter().filter(|i| *i < rows.len()).map(|i| i as u32).collect();
            let mut expected: Vec<u32> = (0..rows.len() as u32).filter(|i| !out.contains(i)).collect();
            expected.sort_by(|a, b| {
                let (a_at, b_at) = (*a as usize, *b as usize);
                scores[b_at].total_cmp(&scores[a_at])
                    .then_with(|| popularity[b_at].total_cmp(&popularity[a_at]))
                    .then_with(|| a.cmp(b))
            });
            let order = Order::by_popularity(&popularity);
            let mut keys = Vec::new();
            let mut ranked = Ranked::new(&order, &scores, &mut keys);
            ranked.without(&out);
            let got: Vec<u32> = std::iter::from_fn(|| ranked.next(2)).collect();
            prop_assert_eq!(got, expected);
        }
    }
}
