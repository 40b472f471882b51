//! What lists were worth: how much of them was bought.

use rustc_hash::FxHashSet;
use scorehouse_models::certainty::wilson;
use scorehouse_training::metric::RankedList;
use serde::Serialize;
use utoipa::ToSchema;

use super::read::List;
use crate::monitor::variants::{Figure, TWO_SIDED, clustered};

/// What became of one list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// True when the customer bought anything that did not lie in the basket.
    pub bought: bool,
    /// Products shown that were bought.
    pub hits: usize,
    /// Sum of their places, from 1.
    pub places: usize,
    /// Share of the products shown that were bought.
    pub precision: f64,
    /// Share of the products bought that were shown.
    pub recall: f64,
    /// How near the top they stood, at the length asked for.
    pub ndcg: f64,
}

impl Outcome {
    /// Lays a list beside the products that its customer bought, ascending.
    pub fn of(list: &List, taken: &[u32]) -> Self {
        let hit = |(_, item): &(usize, &u32)| taken.binary_search(item).is_ok();
        let places = || list.items.iter().enumerate().filter(hit).map(|(at, _)| at + 1);
        let hits = places().count();
        let ranked = RankedList { suggested: &list.items, taken };
        Self {
            bought: !taken.is_empty(),
            hits,
            places: places().sum(),
            precision: hits as f64 / list.items.len().max(1) as f64,
            recall: ranked.recall(list.n),
            ndcg: ranked.ndcg(list.n),
        }
    }

    /// 1 for a list with a product that was bought, else 0.
    pub fn hit(&self) -> f64 {
        f64::from(u8::from(self.hits > 0))
    }
}

/// A list that was judged: its customer's number, and what became of it.
pub type Judged = (u32, Outcome);

/// What lists were worth, over those whose horizon is over. Figures are null where there is nothing to measure; their
/// intervals know that the lists of one customer go together.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, ToSchema)]
pub struct ListQuality {
    /// Lists whose horizon is over.
    pub judged: usize,
    /// Their customers.
    pub customers: usize,
    /// Lists whose customer bought anything within the horizon, shown or not.
    pub bought: usize,
    /// Lists with at least one product that the customer bought.
    pub hits: usize,
    /// Share of all lists that are hits, 0 to 1.
    pub hit_rate: Option<Figure>,
    /// Share of the products shown that were bought, 0 to 1: the mean over all lists.
    pub precision: Option<Figure>,
    /// Share of the products bought that were shown, 0 to 1: the mean over lists whose customer bought anything.
    pub recall: Option<Figure>,
    /// Normalised discounted cumulative gain at the length asked for, 0 to 1: the mean over lists whose customer bought
    /// anything.
    pub ndcg: Option<Figure>,
    /// Mean place of the products that were bought, from 1.
    pub position: Option<f64>,
}

impl ListQuality {
    /// The worth of judged lists.
    pub fn of(lists: &[Judged]) -> Self {
        let buyers: Vec<Judged> = lists.iter().filter(|(_, outcome)| outcome.bought).copied().collect();
        let (products, places) = lists
            .iter()
            .fold((0, 0), |(hits, places), (_, outcome)| (hits + outcome.hits, places + outcome.places));
        Self {
            judged: lists.len(),
            customers: customers(lists),
            bought: buyers.len(),
            hits: lists.iter().filter(|(_, outcome)| outcome.hits > 0).count(),
            hit_rate: rate(lists),
            precision: mean(lists, |outcome| outcome.precision),
            recall: mean(&buyers, |outcome| outcome.recall),
            ndcg: mean(&buyers, |outcome| outcome.ndcg),
            position: (products > 0).then(|| places as f64 / products as f64),
        }
    }
}

/// How many customers got these lists.
pub fn customers(lists: &[Judged]) -> usize {
    lists.iter().map(|(customer, _)| *customer).collect::<FxHashSet<u32>>().len()
}

/// The mean of a measure and its variance, which knows that lists of one customer go together.
pub fn spread(lists: &[Judged], of: fn(&Outcome) -> f64) -> (f64, f64) {
    let values: Vec<f64> = lists.iter().map(|(_, outcome)| of(outcome)).collect();
    let groups: Vec<u32> = lists.iter().map(|(customer, _)| *customer).collect();
    clustered(&values, &groups)
}

/// The mean of a measure between 0 and 1, with the 95 % interval of the normal distribution.
fn mean(lists: &[Judged], of: fn(&Outcome) -> f64) -> Option<Figure> {
    if lists.is_empty() {
        return None;
    }
    let (value, variance) = spread(lists, of);
    let margin = TWO_SIDED * variance.sqrt();
    Some(Figure { value, low: (value - margin).max(0.0), high: (value + margin).min(1.0) })
}

/// The share of hits with Wilson's interval over as many lists as would be as sure if each had a customer of its own
/// (Kish 1965).
fn rate(lists: &[Judged]) -> Option<Figure> {
    if lists.is_empty() {
        return None;
    }
    let (value, variance) = spread(lists, Outcome::hit);
    let alone = customers(lists) as f64;
    let effective = if variance > 0.0 { value * (1.0 - value) / variance } else { alone };
    let (low, high) = wilson(value, effective.clamp(1.0, lists.len() as f64));
    Some(Figure { value, low: low.min(value), high: high.max(value) })
}

/// Distinct products, and how many a list holds on average.
pub fn breadth<'a>(lists: impl Iterator<Item = &'a List>) -> (usize, f64) {
    let mut seen: FxHashSet<u32> = FxHashSet::default();
    let (mut count, mut shown) = (0_usize, 0);
    for list in lists {
        count += 1;
        shown += list.items.len();
        seen.extend(&list.items);
    }
    (seen.len(), shown as f64 / count.max(1) as f64)
}
