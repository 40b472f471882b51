//! What lists reached, by how long they are, by who asked, and by what sells.

use crate::fit::recommender::Asked;
use crate::metric::{Estimate, RankedList, mean_with_interval};

/// Bootstrap draws behind an interval.
const RESAMPLES: usize = 300;
/// Users by how many items they had before: up to this many, the rest in a last slice.
const KNOWN: [usize; 5] = [1, 3, 10, 30, 100];
/// Items by their place among what sells: the first so many of a hundred, the rest in a last slice.
const SELLING: [f64; 3] = [0.01, 0.1, 0.3];

/// Which of a user's lists is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Ours,
    Popular,
}

impl Whose {
    pub fn list(self, asked: &Asked) -> RankedList<'_> {
        let suggested = match self {
            Self::Ours => &asked.shown,
            Self::Popular => &asked.popular,
        };
        RankedList { suggested, taken: &asked.taken }
    }
}

/// Mean recall over users at every length from 1 to `most`.
pub(super) fn by_length(asked: &[Asked], whose: Whose, most: usize) -> Vec<(f64, f64)> {
    let mean = |length: usize| {
        let sum: f64 = asked.iter().map(|one| whose.list(one).recall(length)).sum();
        (length as f64, sum / asked.len().max(1) as f64)
    };
    (1..=most).map(mean).collect()
}

/// Share of users who took up what stood at each place, from 1 to `most`.
pub(super) fn by_place(asked: &[Asked], whose: Whose, most: usize) -> Vec<(f64, f64)> {
    let taken = |one: &&Asked, place: usize| {
        let list = whose.list(one);
        list.suggested.get(place).is_some_and(|item| list.taken.binary_search(item).is_ok())
    };
    let share = |place: usize| {
        let count = asked.iter().filter(|one| taken(one, place)).count();
        ((place + 1) as f64, count as f64 / asked.len().max(1) as f64)
    };
    (0..most).map(share).collect()
}

/// How users of one kind were served.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Served {
    pub name: String,
    pub users: usize,
    pub recall: Estimate,
    pub ndcg: f64,
    /// What the best sellers would have reached.
    pub popular: f64,
}

/// Users by how many items they had before; kinds without users are left out.
pub(super) fn by_known(asked: &[Asked], length: usize, seed: u64) -> Vec<Served> {
    let mut from = 0;
    let mut kinds: Vec<(String, usize, usize)> = Vec::new();
    for to in KNOWN {
        let name = if from + 1 >= to { to.to_string() } else { format!("{} to {to}", from + 1) };
        kinds.push((name, from, to));
        from = to;
    }
    kinds.push((format!("more than {from}"), from, usize::MAX));
    let served = |(name, from, to): (String, usize, usize)| {
        let users: Vec<&Asked> = asked.iter().filter(|one| from < one.before && one.before <= to).collect();
        let recalls: Vec<f64> = users.iter().map(|one| Whose::Ours.list(one).recall(length)).collect();
        let mean = |of: &dyn Fn(&Asked) -> f64| {
            users.iter().map(|one| of(one)).sum::<f64>() / users.len().max(1) as f64
        };
        Served {
            name,
            users: users.len(),
            recall: mean_with_interval(&recalls, RESAMPLES, seed),
            ndcg: mean(&|one| Whose::Ours.list(one).ndcg(length)),
            popular: mean(&|one| Whose::Popular.list(one).recall(length)),
        }
    };
    kinds.into_iter().map(served).filter(|kind| kind.users > 0).collect()
}

/// What became of items of one kind.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sold {
    pub name: String,
    pub items: usize,
    /// Times they were taken up, and how many of these had been shown.
    pub taken: usize,
    pub found: usize,
    /// Places of all lists that they have.
    pub shown: usize,
    /// … of the lists of what sells.
    pub popular: usize,
}

/// Items by how well they sell, the best sellers first.
pub(super) fn by_selling(asked: &[Asked], counts: &[u32], length: usize) -> Vec<Sold> {
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by(|a, b| counts[*b].cmp(&counts[*a]).then(a.cmp(b)));
    let mut kinds: Vec<Sold> = Vec::new();
    let mut kind = vec![0; counts.len()];
    let mut from = 0;
    for (at, share) in SELLING.into_iter().chain([1.0]).enumerate() {
        let to = ((counts.len() as f64 * share).ceil() as usize).clamp(from, counts.len());
        order[from..to].iter().for_each(|item| kind[*item] = at);
        let name = match SELLING.get(at) {
            Some(share) if at == 0 => format!("the best selling {:.0} %", 100.0 * share),
            Some(share) => format!("the next, up to {:.0} %", 100.0 * share),
            None => "all others".to_owned(),
        };
        kinds.push(Sold { name, items: to - from, taken: 0, found: 0, shown: 0, popular: 0 });
        from = to;
    }
    for one in asked {
        let shown = &one.shown[..one.shown.len().min(length)];
        for item in &one.taken {
            let kind = &mut kinds[kind[*item as usize]];
            kind.taken += 1;
            kind.found += usize::from(shown.contains(item));
        }
        shown.iter().for_each(|item| kinds[kind[*item as usize]].shown += 1);
        one.popular.iter().take(length).for_each(|item| kinds[kind[*item as usize]].popular += 1);
    }
    kinds.retain(|kind| kind.items > 0);
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred users: the first had one item before, the second two, …; items 0 to 9 sell best.
    fn asked() -> Vec<Asked> {
        let one = |user: u32| Asked {
            before: user as usize + 1,
            taken: vec![user % 10, 50 + user % 50],
            shown: vec![50 + user % 50, 0, 1, 2],
            popular: vec![0, 1, 2, 3],
        };
        (0..100).map(one).collect()
    }

    fn counts() -> Vec<u32> {
        (0..100).map(|item| 1000 - item).collect()
    }

    #[test]
    fn longer_lists_reach_more_and_the_first_place_is_the_best() {
        let asked = asked();
        let ours = by_length(&asked, Whose::Ours, 4);
        assert_eq!(ours[0], (1.0, 0.5));
        assert!(ours.windows(2).all(|pair| pair[0].1 <= pair[1].1));
        let popular = by_length(&asked, Whose::Popular, 4);
        assert!((popular[3].1 - 0.2).abs() < 1e-12);
        let places = by_place(&asked, Whose::Ours, 4);
        assert_eq!(places[0], (1.0, 1.0));
        assert!((places[1].1 - 0.1).abs() < 1e-12);
    }

    #[test]
    fn every_user_and_every_item_is_of_one_kind() {
        let asked = asked();
        let known = by_known(&asked, 4, 1);
        assert_eq!(known.iter().map(|kind| kind.users).sum::<usize>(), 100);
        let names: Vec<&str> = known.iter().map(|kind| kind.name.as_str()).collect();
        assert_eq!(names, ["1", "2 to 3", "4 to 10", "11 to 30", "31 to 100"]);
        assert!(
            known
                .iter()
                .all(|kind| kind.recall.low <= kind.recall.value && kind.recall.value >= kind.popular)
        );
        let sold = by_selling(&asked, &counts(), 4);
        assert_eq!(sold.iter().map(|kind| kind.items).collect::<Vec<_>>(), [1, 9, 20, 70]);
        assert_eq!(sold.iter().map(|kind| kind.taken).sum::<usize>(), 200);
        assert_eq!(sold[3].found, 100, "{sold:?}");
        assert_eq!((sold[0].shown, sold[0].popular, sold[3].popular), (100, 100, 0));
    }

    #[test]
    fn nobody_asked_is_no_fault() {
        assert_eq!(by_length(&[], Whose::Ours, 2), [(1.0, 0.0), (2.0, 0.0)]);
        assert!(by_known(&[], 20, 1).is_empty());
        assert_eq!(by_selling(&[], &[], 20), []);
    }
}
