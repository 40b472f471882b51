//! The recommender itself: from a question to the best allowed items.

use scorehouse_features::time::Timestamp;

use super::blend::{Component, Reads, Voice, root_mean_square};
use super::order::{Order, Ranked};
use super::parts::Parts;
use super::profile::{Evidence, Past, together};
use super::query::{Because, Query, Recommended};
use crate::error::ModelError;

/// A frozen recommender.
#[derive(Debug, Clone, PartialEq)]
pub struct Recommender {
    parts: Parts,
    order: Order,
    /// What popularity alone gives to every item, before the lift.
    shares: Vec<f32>,
}

/// Room to work in, kept by a caller that asks often.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    component: Vec<f32>,
    blended: Vec<f32>,
    keys: Vec<u64>,
}

/// What one question says of the customer.
struct Known {
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
        Ok(Self { parts, order, shares })
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
        self.recommend_with(query, allowed, n, &mut Scratch::default())
    }

    /// [`Recommender::recommend`] in `scratch`, without allocating per item.
    pub fn recommend_with(
        &self,
        query: &Query<'_>,
        allowed: &mut dyn FnMut(&str) -> bool,
        n: usize,
        scratch: &mut Scratch,
    ) -> Vec<Recommended> {
        let known = self.know(query);
        let voices = self.blend(&known, scratch);
        let mut ranked = Ranked::new(&self.order, &scratch.blended, &mut scratch.keys);
        ranked.without(&known.basket);
        ranked.without(&self.not_again(&known.pasts, query.as_of));
        let mut answer = Vec::with_capacity(n.min(1000));
        while answer.len() < n {
            let Some(item) = ranked.next(n) else { break };
            let name = self.parts.items.name(item as usize);
            if allowed(name) {
                answer.push(Recommended {
                    item: name.to_owned(),
                    score: scratch.blended[item as usize],
                    because: self.because(&voices, item, query.because),
                });
            }
        }
        answer
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
        let mut keys = Vec::new();
        let rows = blended.chunks_exact_mut(items.max(1)).zip(pasts);
        rows.map(|(row, pasts)| {
            row.iter_mut().zip(&parts.lift).for_each(|(score, lift)| *score *= lift);
            let mut ranked = Ranked::new(&self.order, row, &mut keys);
            ranked.without(&self.not_again(pasts, as_of));
            std::iter::from_fn(|| ranked.next(n)).take(n).map(|item| (item, row[item as usize])).collect()
        })
        .collect()
    }

    fn know(&self, query: &Query<'_>) -> Known {
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

    /// Fills `scratch.blended` with the score of every item.
    fn blend<'a>(&'a self, known: &'a Known, scratch: &mut Scratch) -> Vec<Voice<'a>> {
        let parts = &self.parts;
        let items = parts.items.len();
        scratch.component.resize(items, 0.0);
        scratch.blended.clear();
        scratch.blended.extend_from_slice(&self.shares);
        let Scratch { component, blended, .. } = scratch;
        let speak = |c: &'a Component| {
            let evidence = match c.reads {
                Reads::Profile => &known.profile,
                Reads::Basket => &known.basket_profile,
            };
            c.speak(evidence, component, blended)
        };
        let voices = parts.components.iter().filter_map(speak).collect();
        for (score, lift) in scratch.blended.iter_mut().zip(&parts.lift) {
            *score *= lift;
        }
        voices
    }

    /// Items that the repeat rule forbids.
    fn not_again(&self, pasts: &[Past], as_of: Timestamp) -> Vec<u32> {
        pasts.iter().filter(|p| self.parts.repeat.forbids(p.last, as_of)).map(|p| p.item).collect()
    }

    fn because(&self, voices: &[Voice<'_>], target: u32, most: usize) -> Vec<Because> {
        if most == 0 || voices.is_empty() {
            return Vec::new();
        }
        let mut parts: Vec<(u32, f32)> = Vec::new();
        let lift = self.parts.lift[target as usize];
        for voice in voices {
            voice.contributions(target, |item, part| parts.push((item, part * lift)));
        }
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
