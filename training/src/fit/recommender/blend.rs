//! The search for weights: how much each component counts, and how much recent popularity lifts.

use rayon::prelude::*;
use scorehouse_features::time::Span;
use serde::Serialize;

use super::pool::Pool;
use super::popularity::lift;

/// How components and popularity become one score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Blend {
    /// Weight of each component, not negative, the largest 1.
    pub weights: Vec<f32>,
    /// Share of popularity in the score, at unit size.
    pub popularity_weight: f32,
    /// Which of the popularities offered counts.
    pub fading: usize,
    /// Power of popularity by which scores are multiplied.
    pub lift_exponent: f32,
}

/// Popularity faded in one way.
#[derive(Debug, Clone, PartialEq)]
pub struct Fading {
    /// Time after which an interaction counts half; none: never.
    pub half_life: Option<Span>,
    /// Popularity of every item.
    pub popularity: Vec<f32>,
}

const WEIGHTS: [f32; 9] = [0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0];
const POPULAR: [f32; 7] = [0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8];
const EXPONENTS: [f32; 10] = [-0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.55, 0.75, 1.0];
/// A component whose absence costs less than this share of the quality is left out: it would slow down
/// every answer for nothing.
const NOT_WORTH_IT: f64 = 0.003;

/// Finds the blend with the best lists on `pools` by coordinate ascent over fixed grids. The quality of a
/// list is no smooth function of the weights, the grids are small, and every trial costs milliseconds.
#[must_use]
pub fn search(pools: &[Pool], components: usize, fadings: &[Fading]) -> Blend {
    let search = Search { pools, fadings };
    let start =
        Blend { weights: vec![1.0; components], popularity_weight: 0.0, fading: 0, lift_exponent: 0.0 };
    let mut best = search.tried(start);
    for _ in 0..4 {
        let before = best.quality;
        search.round(&mut best, components);
        if best.quality <= before * 1.0001 {
            break;
        }
    }
    search.thin(&mut best, components);
    let largest = best.blend.weights.iter().copied().fold(0.0, f32::max);
    if largest > 0.0 {
        best.blend.weights.iter_mut().for_each(|weight| *weight /= largest);
        best.blend.popularity_weight /= largest;
    }
    best.blend
}

/// Popularity at unit size times its weight, if it has any.
#[must_use]
pub fn share_of_popularity(popularity: &[f32], weight: f32) -> Option<Vec<f32>> {
    let size = scorehouse_models::predictor::recommender::root_mean_square(popularity);
    (weight != 0.0 && size > 0.0).then(|| popularity.iter().map(|p| weight * p / size).collect())
}

struct Search<'a> {
    pools: &'a [Pool],
    fadings: &'a [Fading],
}

#[derive(Debug, Clone)]
struct Tried {
    blend: Blend,
    quality: f64,
}

impl Search<'_> {
    fn tried(&self, blend: Blend) -> Tried {
        let fading = &self.fadings[blend.fading];
        let lift = lift(&fading.popularity, blend.lift_exponent);
        let popular = share_of_popularity(&fading.popularity, blend.popularity_weight);
        let qualities: Vec<f64> = self
            .pools
            .par_iter()
            .map(|pool| pool.quality(&pool.list(&blend.weights, popular.as_deref(), &lift)))
            .collect();
        // Summed in order, so that threads do not change the last bits.
        let quality = qualities.iter().sum::<f64>() / qualities.len().max(1) as f64;
        Tried { blend, quality }
    }

    fn keep_better(&self, best: &mut Tried, change: impl FnOnce(&mut Blend)) {
        let mut blend = best.blend.clone();
        change(&mut blend);
        if blend != best.blend && blend.weights.iter().any(|w| *w > 0.0) {
            let tried = self.tried(blend);
            if tried.quality > best.quality {
                *best = tried;
            }
        }
    }

    fn round(&self, best: &mut Tried, components: usize) {
        for fading in 0..self.fadings.len() {
            for exponent in EXPONENTS {
                self.keep_better(best, |blend| (blend.fading, blend.lift_exponent) = (fading, exponent));
            }
        }
        for component in 0..components {
            for weight in WEIGHTS {
                self.keep_better(best, |blend| blend.weights[component] = weight);
            }
        }
        for weight in POPULAR {
            self.keep_better(best, |blend| blend.popularity_weight = weight);
        }
    }

    fn thin(&self, best: &mut Tried, components: usize) {
        for component in 0..components {
            let mut blend = best.blend.clone();
            blend.weights[component] = 0.0;
            if best.blend.weights[component] == 0.0 || blend.weights.iter().all(|w| *w == 0.0) {
                continue;
            }
            let without = self.tried(blend);
            if without.quality >= best.quality * (1.0 - NOT_WORTH_IT) {
                *best = without;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_that_knows_gets_the_weight_and_the_noise_none() {
        // Component 0 puts what was taken up on top; component 1 is the same noise for everybody.
        let pool = |user: u32| {
            let items: Vec<u32> = (0..100).collect();
            let taken = vec![user % 50, 50 + user % 50];
            let knows = items.iter().map(|i| f32::from(u8::from(taken.contains(i))) * 2.0).collect();
            let noise = items.iter().map(|i| ((i * 37) % 100) as f32 / 10.0).collect();
            Pool { said: vec![knows, noise], items, taken }
        };
        let pools: Vec<Pool> = (0..60).map(pool).collect();
        let flat = Fading { half_life: None, popularity: vec![1.0; 100] };
        let blend = search(&pools, 2, &[flat]);
        assert_eq!(blend.weights, vec![1.0, 0.0]);
    }

    #[test]
    fn popularity_lifts_when_that_is_what_people_take() {
        let pool = |user: u32| {
            let items: Vec<u32> = (0..100).collect();
            // Everyone takes one of ten popular items that their component only half prefers.
            let taken = vec![90 + user % 10];
            let said = items.iter().map(|i| if i % 10 == user % 10 { 1.5 } else { 1.0 }).collect();
            Pool { said: vec![said], items, taken }
        };
        let pools: Vec<Pool> = (0..60).map(pool).collect();
        let popularity = (0..100).map(|i| if i >= 90 { 50.0 } else { 1.0 }).collect();
        let blend = search(&pools, 1, &[Fading { half_life: None, popularity }]);
        assert!(blend.lift_exponent > 0.0 || blend.popularity_weight > 0.0, "{blend:?}");
    }
}
