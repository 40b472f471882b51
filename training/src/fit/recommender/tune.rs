//! How a past becomes a profile: chosen on what is held back, with one fast component.

use rayon::prelude::*;
use scorehouse_features::time::Span;
use scorehouse_models::ModelError;
use scorehouse_models::predictor::recommender::{Component, Strength, WeightScale};

use super::candidates::{Candidate, Ground, log_scale};
use super::log::InteractionLog;
use super::pool::PoolMaker;
use super::split::{Held, Split};

/// Users asked in this choice: differences worth having show on fewer than a blend needs.
const USERS: usize = 2000;
/// A longer half-life, or none, is kept unless a shorter one is better by this share.
const CLEARLY: f64 = 1.003;

/// The item-to-item component that did best, and the strength it did best with.
pub struct Tuned {
    /// Its kind.
    pub candidate: Candidate,
    /// The fitted component.
    pub component: Component,
    /// How a past becomes a profile.
    pub strength: Strength,
}

/// Chooses normalisation, weight scale and half-life.
///
/// # Errors
/// What fitting reports.
pub fn tune(split: &Split, ground: Ground<'_>, half_life: Option<Span>) -> Result<Tuned, ModelError> {
    let held: Vec<Held> = thinned(&split.held);
    let (longest, shorter) = match half_life {
        Some(given) => (Some(given), Vec::new()),
        None => (None, half_lives(&split.train)),
    };
    let mut best: Option<(f64, Tuned)> = None;
    for normalised in [0.0, 0.5] {
        let candidate = Candidate::ItemToItem { normalised };
        let Some(component) = candidate.fit(ground)? else { continue };
        let ask = |strength| quality(split, ground, &component, strength, &held);
        // One setting after the other: the scale hardly depends on how fast it fades.
        let middle = shorter.get(shorter.len() / 2).copied().unwrap_or(longest);
        let (_, scale) = first_best(WeightScale::Presence, &log_scale(&split.train), |scale| {
            ask(Strength { half_life: middle, scale })
        });
        let (quality, half_life) =
            first_best(longest, &shorter, |half_life| ask(Strength { half_life, scale }));
        let tuned = Tuned { candidate, component, strength: Strength { half_life, scale } };
        if best.as_ref().is_none_or(|(before, _)| quality > *before) {
            best = Some((quality, tuned));
        }
    }
    best.map(|(_, tuned)| tuned).ok_or_else(|| ModelError::Invalid {
        part: "recommender",
        why: "there is nothing to learn from".to_owned(),
    })
}

/// Half-lives worth trying, from long to short, all in relation to the time the log covers.
fn half_lives(log: &InteractionLog) -> Vec<Option<Span>> {
    let from = log.rows.first().map_or(0, |row| row.time.0);
    let span = log.until().0.saturating_sub(from);
    if !log.timed || span <= 0 {
        return Vec::new();
    }
    [1, 2, 4, 8, 16, 32, 64].map(|share| Some(Span((span / share).max(1)))).to_vec()
}

/// `first`, unless one of `others` clearly beats it and those before it; with its quality.
fn first_best<T: Copy>(first: T, others: &[T], quality: impl Fn(T) -> f64) -> (f64, T) {
    let mut best = (quality(first), first);
    for option in others {
        let quality = quality(*option);
        if quality > best.0 * CLEARLY {
            best = (quality, *option);
        }
    }
    best
}

fn quality(
    split: &Split,
    ground: Ground<'_>,
    component: &Component,
    strength: Strength,
    held: &[Held],
) -> f64 {
    let maker = PoolMaker {
        components: std::slice::from_ref(component),
        strength,
        repeat: ground.repeat,
        as_of: split.as_of,
        always: &[],
        items: split.train.items.len(),
    };
    let flat = vec![1.0; split.train.items.len()];
    let pools = maker.pools(held, &|_| ());
    let qualities: Vec<f64> =
        pools.par_iter().map(|pool| pool.quality(&pool.list(&[1.0], None, &flat))).collect();
    qualities.iter().sum::<f64>() / qualities.len().max(1) as f64
}

fn thinned(held: &[Held]) -> Vec<Held> {
    let every = held.len().div_ceil(USERS).max(1);
    held.iter().step_by(every).cloned().collect()
}
