//! Candidates of held-back users with what each component says of them, so that blends can be tried quickly.

use rayon::prelude::*;
use scorehouse_features::time::Timestamp;
use scorehouse_models::predictor::recommender::{Component, Evidence, Repeat, Strength, root_mean_square};

use super::split::Held;
use crate::metric::RankedList;

/// Length of the lists on which everything is compared.
pub const LENGTH: usize = 20;
/// Users whose scores are computed at once at most.
const BATCH: usize = 64;
/// Scores of one component held at once at most, 16 MiB: larger blocks go back to the system after every use, and
/// clearing them anew took half of the time with a catalogue of 160 000 items.
const SCORES: usize = 1 << 22;
/// The best of every component that come into a pool.
const PER_COMPONENT: usize = 250;

/// One user's candidates.
#[derive(Debug, Clone)]
pub struct Pool {
    /// Items, ascending.
    pub items: Vec<u32>,
    /// What each component says of them, at unit size.
    pub said: Vec<Vec<f32>>,
    /// Items taken up, ascending.
    pub taken: Vec<u32>,
}

/// What turns users into pools.
#[derive(Debug, Clone, Copy)]
pub struct PoolMaker<'a> {
    /// The components, fitted without what is held back.
    pub components: &'a [Component],
    /// How a past becomes a profile.
    pub strength: Strength,
    /// Which items of the past may come again.
    pub repeat: Repeat,
    /// The moment of the split.
    pub as_of: Timestamp,
    /// Items that come into every pool: the popular ones.
    pub always: &'a [u32],
    /// Number of items.
    pub items: usize,
}

impl PoolMaker<'_> {
    /// The pools of all users, in their order.
    #[must_use]
    pub fn pools(&self, held: &[Held], done: &(dyn Fn(u64) + Sync)) -> Vec<Pool> {
        let users = (SCORES / self.items.max(1)).clamp(1, BATCH);
        let batches: Vec<Vec<Pool>> = held
            .par_chunks(users)
            .map(|batch| {
                let pools = self.batch(batch);
                done(batch.len() as u64);
                pools
            })
            .collect();
        batches.into_iter().flatten().collect()
    }

    fn batch(&self, held: &[Held]) -> Vec<Pool> {
        let profiles: Vec<Vec<Evidence>> =
            held.iter().map(|held| self.strength.profile(&held.past, self.as_of)).collect();
        let profiles: Vec<&[Evidence]> = profiles.iter().map(Vec::as_slice).collect();
        let scores: Vec<Vec<f32>> = self.components.iter().map(|c| self.unit_scores(c, &profiles)).collect();
        let of = |user: usize| -> Vec<&[f32]> {
            scores.iter().map(|scores| &scores[user * self.items..(user + 1) * self.items]).collect()
        };
        held.iter().enumerate().map(|(user, held)| self.pool(held, &of(user))).collect()
    }

    fn pool(&self, held: &Held, scores: &[&[f32]]) -> Pool {
        let mut allowed = vec![true; self.items];
        for past in held.past.iter().filter(|p| self.repeat.forbids(p.last, self.as_of)) {
            allowed[past.item as usize] = false;
        }
        let mut items: Vec<u32> = self.always.iter().copied().filter(|i| allowed[*i as usize]).collect();
        for scores in scores {
            items.extend(best(scores, &allowed, PER_COMPONENT));
        }
        items.sort_unstable();
        items.dedup();
        let said =
            scores.iter().map(|scores| items.iter().map(|item| scores[*item as usize]).collect()).collect();
        Pool { items, said, taken: held.targets.clone() }
    }

    fn unit_scores(&self, component: &Component, profiles: &[&[Evidence]]) -> Vec<f32> {
        let mut scores = component.score_all(profiles, self.items);
        for row in scores.chunks_exact_mut(self.items.max(1)) {
            let size = root_mean_square(row);
            if size.is_finite() && size > 0.0 {
                row.iter_mut().for_each(|score| *score /= size);
            }
        }
        scores
    }
}

/// The `most` allowed items with the highest scores above nothing, in no order.
fn best(scores: &[f32], allowed: &[bool], most: usize) -> Vec<u32> {
    let mut found: Vec<(f32, u32)> = scores
        .iter()
        .zip(allowed)
        .enumerate()
        .filter(|(_, (score, allowed))| **allowed && **score != 0.0)
        .map(|(item, (score, _))| (*score, item as u32))
        .collect();
    if found.len() > most {
        found.select_nth_unstable_by(most, |a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        found.truncate(most);
    }
    found.into_iter().map(|(_, item)| item).collect()
}

impl Pool {
    /// The best [`LENGTH`] items under `weights` (one per component) and `popular` and `lift` (one number per
    /// item of the catalogue), the best first.
    #[must_use]
    pub fn list(&self, weights: &[f32], popular: Option<&[f32]>, lift: &[f32]) -> Vec<u32> {
        let ranked = self.ranked(weights, popular, lift, LENGTH);
        ranked.into_iter().map(|(_, at)| self.items[at]).collect()
    }

    /// The best `most` items as [`Pool::list`] ranks them: their scores and their places in [`Pool::items`].
    #[must_use]
    pub fn ranked(
        &self,
        weights: &[f32],
        popular: Option<&[f32]>,
        lift: &[f32],
        most: usize,
    ) -> Vec<(f32, usize)> {
        let mut scored: Vec<(f32, usize)> = (0..self.items.len()).map(|at| (0.0, at)).collect();
        for (said, weight) in self.said.iter().zip(weights).filter(|(_, weight)| **weight != 0.0) {
            scored.iter_mut().zip(said).for_each(|(scored, said)| scored.0 += weight * said);
        }
        for ((score, _), item) in scored.iter_mut().zip(&self.items) {
            let popular = popular.map_or(0.0, |popular| popular[*item as usize]);
            *score = (*score + popular) * lift[*item as usize];
        }
        // Places ascend with the numbers of items, so equals stand by number.
        let order = |a: &(f32, usize), b: &(f32, usize)| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1));
        if scored.len() > most {
            scored.select_nth_unstable_by(most, order);
            scored.truncate(most);
        }
        scored.sort_unstable_by(order);
        scored
    }

    /// How good a list is: the mean of NDCG and recall.
    #[must_use]
    pub fn quality(&self, list: &[u32]) -> f64 {
        let ranked = RankedList { suggested: list, taken: &self.taken };
        0.5 * (ranked.ndcg(LENGTH) + ranked.recall(LENGTH))
    }
}
