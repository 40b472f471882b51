//! The recommender itself: from a question to the best allowed items.

use std::cell::RefCell;
use std::sync::OnceLock;

use fearless_simd::{Level, dispatch};
use scorehouse_features::time::{DAY, Timestamp};
use scorehouse_features::value::Value;

use super::blend::{Component, Reads, Voice, root_mean_square, roundings};
use super::coarse::Coarse;
use super::order::{Order, Ranked, Space};
use super::parts::Parts;
use super::profile::{Evidence, Past, together};
use super::query::{Because, Query, Recommended};
use super::rerank::{RERANKED, Standing, mean, reordered, share};
use super::storefront::{ByRelevance, Plain, Storefront};
use crate::error::ModelError;

/// Items that are looked at, and whose reasons are found, together.
const TOGETHER: usize = 32;

/// A frozen recommender.
#[derive(Debug, Clone)]
pub struct Recommender {
    parts: Parts,
    order: Order,
    /// What popularity alone gives to every item, before the lift.
    shares: Vec<f32>,
    mean_popularity: f32,
    /// For each component, the vectors of its items in few bits, if it has any.
    coarse: OnceLock<Vec<Option<Coarse>>>,
}

/// Everything else follows from the parts.
impl PartialEq for Recommender {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

/// Room to work in, kept by a caller that asks often.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    /// The scores of each component that knows them all.
    components: Vec<Vec<f32>>,
    /// What the score of each item does not exceed.
    bounds: Vec<f32>,
    space: Space,
}

thread_local! {
    /// A few hundred kilobytes that every answer of a thread fills anew; pages fresh from the kernel cost more than that.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// The candidates of one question.
pub(super) struct Pool<'a> {
    /// Items and their scores, the best first.
    pub items: &'a [(u32, f32)],
    pub known: &'a Known,
    pub voices: &'a [Voice<'a>],
}

/// What one question says of the customer.
pub(super) struct Known {
    /// Everything the customer has had, for the repeat rule.
    pasts: Vec<Past>,
    profile: Vec<Evidence>,
    /// Numbers of the items in the basket, ascending.
    basket: Vec<u32>,
    basket_profile: Vec<Evidence>,
}

impl Recommender {
    /// Puts a recommender together.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when the parts do not fit together.
    pub fn new(parts: Parts) -> Result<Self, ModelError> {
        let parts = parts.checked()?;
        let order = Order::by_popularity(&parts.popularity);
        let size = root_mean_square(&parts.popularity);
        let share = if size > 0.0 { parts.popularity_weight / size } else { 0.0 };
        let shares = parts.popularity.iter().map(|popularity| share * popularity).collect();
        let mean_popularity = mean(&parts.popularity);
        Ok(Self { parts, order, shares, mean_popularity, coarse: OnceLock::new() })
    }

    /// Derives now what the first answer would otherwise wait for.
    pub(crate) fn prepare(&self) {
        self.coarse();
    }

    fn coarse(&self) -> &[Option<Coarse>] {
        self.coarse.get_or_init(|| self.parts.components.iter().map(|c| c.coarse()).collect())
    }

    /// What it is put together from.
    #[must_use]
    pub const fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The best `n` items for which `allowed` says yes, the best first.
    ///
    /// `allowed` is asked about one candidate after another, in the order of their scores, until `n` are found
    /// or no candidate is left: under any rule the answer is the top `n` of what the rule lets through. A
    /// stranger gets what is popular now, so the answer is empty only when nothing is allowed.
    pub fn recommend(
        &self,
        query: &Query<'_>,
        allowed: &mut dyn FnMut(&str) -> bool,
        n: usize,
    ) -> Vec<Recommended> {
        self.recommend_at(query, &mut Plain { allowed, n })
    }

    /// The items that `storefront` shows of the best that it allows, in its order.
    ///
    /// Scores are those of the components, whatever the order, and reasons add up to them.
    pub fn recommend_at(&self, query: &Query<'_>, storefront: &mut dyn Storefront) -> Vec<Recommended> {
        SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
            Ok(mut scratch) => self.recommend_in(query, storefront, &mut scratch),
            // The storefront asks a recommender itself.
            Err(_) => self.recommend_in(query, storefront, &mut Scratch::default()),
        })
    }

    /// [`Recommender::recommend`] in `scratch`, without allocating per item.
    pub fn recommend_with(
        &self,
        query: &Query<'_>,
        allowed: &mut dyn FnMut(&str) -> bool,
        n: usize,
        scratch: &mut Scratch,
    ) -> Vec<Recommended> {
        self.recommend_in(query, &mut Plain { allowed, n }, scratch)
    }

    fn recommend_in(
        &self,
        query: &Query<'_>,
        storefront: &mut dyn Storefront,
        scratch: &mut Scratch,
    ) -> Vec<Recommended> {
        let known = self.know(query);
        let Scratch { components, bounds, space } = scratch;
        let voices = self.voices(&known, components);
        self.bound(&voices, bounds);
        let mut ranked = Ranked::new(&self.order, bounds, space);
        ranked.without(&known.basket);
        ranked.without(&self.not_again(&known.pasts, query.as_of));
        let most = storefront.pool();
        let mut pool = Vec::with_capacity(most.min(1000));
        while pool.len() < most {
            // As many as are needed anyway: all of them have to be looked at, whatever the storefront says of each.
            let wanted = (most - pool.len()).min(TOGETHER);
            let next = || ranked.next(most, |item| self.score(&voices, item));
            let some: Vec<(u32, f32)> = std::iter::from_fn(next).take(wanted).collect();
            if some.is_empty() {
                break;
            }
            let names: Vec<&str> =
                some.iter().map(|(item, _)| self.parts.items.name(*item as usize)).collect();
            let allowed = storefront.allowed(&names);
            pool.extend(
                some.into_iter().zip(allowed).filter(|(_, allowed)| *allowed).map(|(candidate, _)| candidate),
            );
        }
        let candidates = Pool { items: &pool, known: &known, voices: &voices };
        let found = self.by_relevance(&candidates, query.as_of, storefront);
        let shown = storefront.arrange(found);
        let shown: Vec<(u32, f32)> = shown.into_iter().filter_map(|at| pool.get(at).copied()).collect();
        self.told(&shown, &voices, query.because)
    }

    /// Items as they are answered, with up to `most` reasons each.
    fn told(&self, shown: &[(u32, f32)], voices: &[Voice<'_>], most: usize) -> Vec<Recommended> {
        let mut told = Vec::with_capacity(shown.len());
        for some in shown.chunks(TOGETHER) {
            let targets: Vec<u32> = some.iter().map(|(item, _)| *item).collect();
            let reasons = self.because(voices, &targets, most);
            let item = |((item, score), because): (&(u32, f32), Vec<Because>)| Recommended {
                item: self.parts.items.name(*item as usize).to_owned(),
                score: *score,
                because,
            };
            told.extend(some.iter().zip(reasons).map(item));
        }
        told
    }

    /// The candidates in the order of their scores, or of a second look where there is one and it can be had.
    fn by_relevance(
        &self,
        pool: &Pool<'_>,
        as_of: Timestamp,
        storefront: &mut dyn Storefront,
    ) -> ByRelevance {
        let all = pool.items.len();
        let by_score = || ByRelevance { order: (0..all).collect(), values: Vec::new() };
        // Nobody without a past was learnt from: what is popular answers strangers.
        let learnt = self.parts.reranker.as_ref().filter(|_| !pool.known.pasts.is_empty());
        let Some(reranker) = learnt else { return by_score() };
        let mut rows = Vec::with_capacity(all.min(RERANKED));
        for place in 0..all.min(RERANKED) {
            let mut row = self.standing(pool, place, as_of);
            if !storefront.facts(place, &mut row) {
                return by_score();
            }
            rows.push(row);
        }
        let values = reranker.values(&rows, as_of);
        ByRelevance { order: reordered(&values, all), values }
    }

    /// What is known here of the candidate at `place`, as a second look reads it.
    pub(super) fn standing(&self, pool: &Pool<'_>, place: usize, as_of: Timestamp) -> Vec<Value> {
        let Pool { items, known, voices } = pool;
        let (item, score) = items[place];
        let had = known.pasts.binary_search_by_key(&item, |past| past.item).ok().map(|at| known.pasts[at]);
        let days = |last: Timestamp| as_of.0.saturating_sub(last.0) as f64 / DAY as f64;
        let of_profile = self.parts.components.iter().filter(|component| component.reads == Reads::Profile);
        let said = |component| voices.iter().find(|v| v.is_of(component)).map_or(0.0, |v| v.said(item));
        let said: Vec<f32> = of_profile.map(said).collect();
        let standing = Standing {
            place,
            score: share(score, items[0].1),
            popularity: share(self.parts.popularity[item as usize], self.mean_popularity),
            had: had.map(|past| (days(past.last), past.weight)),
            items_before: known.pasts.len(),
            said: &said,
        };
        standing.inputs().collect()
    }

    /// The numbers and scores of the best `n` items for each past that the repeat rule allows, the best first:
    /// [`Recommender::recommend`] for many customers at once, without baskets, filters and reasons, and
    /// several times as fast. Scores are the same but for rounding.
    #[must_use]
    pub fn top(&self, pasts: &[Vec<Past>], as_of: Timestamp, n: usize) -> Vec<Vec<(u32, f32)>> {
        let parts = &self.parts;
        let items = parts.items.len();
        let profiles: Vec<Vec<Evidence>> =
            pasts.iter().map(|pasts| parts.strength.profile(pasts, as_of)).collect();
        let profiles: Vec<&[Evidence]> = profiles.iter().map(Vec::as_slice).collect();
        let mut blended = vec![0.0f32; pasts.len() * items];
        blended.chunks_exact_mut(items.max(1)).for_each(|row| row.copy_from_slice(&self.shares));
        for component in parts.components.iter().filter(|c| c.reads == Reads::Profile && c.weight != 0.0) {
            let scores = component.score_all(&profiles, items);
            let rows = blended.chunks_exact_mut(items.max(1)).zip(scores.chunks_exact(items.max(1)));
            for (sum, scores) in rows {
                let size = root_mean_square(scores);
                if size.is_finite() && size > 0.0 {
                    let factor = component.weight / size;
                    sum.iter_mut().zip(scores).for_each(|(sum, score)| *sum += factor * score);
                }
            }
        }
        let mut space = Space::default();
        let rows = blended.chunks_exact_mut(items.max(1)).zip(pasts);
        rows.map(|(row, pasts)| {
            row.iter_mut().zip(&parts.lift).for_each(|(score, lift)| *score *= lift);
            let scores = row.to_vec();
            let mut ranked = Ranked::new(&self.order, row, &mut space);
            ranked.without(&self.not_again(pasts, as_of));
            std::iter::from_fn(|| ranked.next(n, |item| scores[item as usize])).take(n).collect()
        })
        .collect()
    }

    pub(super) fn know(&self, query: &Query<'_>) -> Known {
        let parts = &self.parts;
        let pasts = match query.history {
            Some(live) => together(
                live.iter().filter_map(|i| {
                    let item = parts.items.number(i.item)?;
                    Some(Past { item, weight: i.weight, last: i.time })
                }),
                query.as_of,
            ),
            None => query
                .user
                .and_then(|user| parts.users.number(user))
                .map_or_else(Vec::new, |user| parts.histories.of(user)),
        };
        let mut basket: Vec<u32> = query.basket.iter().filter_map(|name| parts.items.number(name)).collect();
        basket.sort_unstable();
        basket.dedup();
        let basket_profile: Vec<Evidence> =
            basket.iter().map(|item| Evidence { item: *item, strength: 1.0 }).collect();
        let profile = with_basket(parts.strength.profile(&pasts, query.as_of), &basket_profile);
        Known { pasts, profile, basket, basket_profile }
    }

    /// The components that have something to say about a customer, in their order.
    pub(super) fn voices<'a>(&'a self, known: &'a Known, space: &'a mut Vec<Vec<f32>>) -> Vec<Voice<'a>> {
        let (parts, coarse) = (&self.parts, self.coarse());
        space.resize(parts.components.len(), Vec::new());
        let components = parts.components.iter().zip(coarse).zip(space);
        let speak =
            |((component, coarse), space): ((&'a Component, &'a Option<Coarse>), &'a mut Vec<f32>)| {
                let evidence = match component.reads {
                    Reads::Profile => &known.profile,
                    Reads::Basket => &known.basket_profile,
                };
                component.speak(coarse.as_ref(), evidence, space, parts.items.len())
            };
        components.filter_map(speak).collect()
    }

    /// Fills `bounds` with what the score of each item does not exceed.
    fn bound(&self, voices: &[Voice<'_>], bounds: &mut Vec<f32>) {
        bounds.resize(self.shares.len(), 0.0);
        let slack = roundings(voices.len());
        dispatch!(Level::new(), _simd => start(bounds, &self.shares, slack));
        voices.iter().for_each(|voice| voice.add_bounds(voices.len(), bounds));
        // A product with a positive number keeps the order, so a bound stays one.
        dispatch!(Level::new(), _simd => multiply(bounds, &self.parts.lift));
    }

    /// The score of one item.
    pub(super) fn score(&self, voices: &[Voice<'_>], item: u32) -> f32 {
        let share = self.shares[item as usize];
        let sum = voices.iter().fold(share, |sum, voice| sum + voice.part(item));
        sum * self.parts.lift[item as usize]
    }

    /// Every item that may be suggested with its score, the best first: what bounds and partial sorting save.
    #[cfg(test)]
    pub(super) fn full_scan(&self, query: &Query<'_>) -> Vec<(String, f32)> {
        let (known, mut space) = (self.know(query), Vec::new());
        let voices = self.voices(&known, &mut space);
        let mut not = self.not_again(&known.pasts, query.as_of);
        not.extend(&known.basket);
        let allowed = (0..self.parts.items.len() as u32).filter(|item| !not.contains(item));
        let mut scored: Vec<(u32, f32)> = allowed.map(|item| (item, self.score(&voices, item))).collect();
        let popularity = |item: u32| self.parts.popularity[item as usize];
        scored.sort_by(|(a, a_score), (b, b_score)| {
            let by_popularity = popularity(*b).total_cmp(&popularity(*a));
            b_score.total_cmp(a_score).then(by_popularity).then(a.cmp(b))
        });
        let named = |(item, score): (u32, f32)| (self.parts.items.name(item as usize).to_owned(), score);
        scored.into_iter().map(named).collect()
    }

    /// Items that the repeat rule forbids.
    fn not_again(&self, pasts: &[Past], as_of: Timestamp) -> Vec<u32> {
        pasts.iter().filter(|p| self.parts.repeat.forbids(p.last, as_of)).map(|p| p.item).collect()
    }

    /// The reasons of each of `targets`.
    fn because(&self, voices: &[Voice<'_>], targets: &[u32], most: usize) -> Vec<Vec<Because>> {
        if most == 0 || voices.is_empty() {
            return vec![Vec::new(); targets.len()];
        }
        let all: Vec<Vec<f32>> = voices.iter().map(|voice| voice.contributions(targets)).collect();
        let of_target = |(at, target): (usize, &u32)| {
            let lift = self.parts.lift[*target as usize];
            let rows = voices.iter().zip(&all).flat_map(|(voice, all)| {
                let length = voice.profile().len();
                voice.profile().iter().zip(&all[at * length..(at + 1) * length])
            });
            self.strongest(rows.map(|(evidence, part)| (evidence.item, part * lift)).collect(), most)
        };
        targets.iter().enumerate().map(of_target).collect()
    }

    /// The `most` items that add most, each once.
    fn strongest(&self, mut parts: Vec<(u32, f32)>, most: usize) -> Vec<Because> {
        parts.sort_by_key(|(item, _)| *item);
        parts.dedup_by(|next, first| {
            let same = next.0 == first.0;
            if same {
                first.1 += next.1;
            }
            same
        });
        parts.retain(|(_, part)| *part != 0.0);
        parts.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        parts.truncate(most);
        let name = |item: u32| self.parts.items.name(item as usize).to_owned();
        parts.into_iter().map(|(item, contribution)| Because { item: name(item), contribution }).collect()
    }
}

/// Bounds of what popularity alone gives.
#[inline(always)]
fn start(bounds: &mut [f32], shares: &[f32], slack: f32) {
    for (bound, share) in bounds.iter_mut().zip(shares) {
        *bound = share + slack * share.abs();
    }
}

#[inline(always)]
fn multiply(bounds: &mut [f32], by: &[f32]) {
    for (bound, by) in bounds.iter_mut().zip(by) {
        *bound *= by;
    }
}

/// A basket speaks as loud as the strongest purchase: its items join the profile with strength 1.
fn with_basket(mut profile: Vec<Evidence>, basket: &[Evidence]) -> Vec<Evidence> {
    if basket.is_empty() {
        return profile;
    }
    profile.retain(|e| basket.binary_search_by_key(&e.item, |b| b.item).is_err());
    profile.extend_from_slice(basket);
    profile.sort_unstable_by_key(|e| e.item);
    profile
}
