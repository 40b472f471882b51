//! How candidates, the blend and the second look did for held-back users.

use super::blend::{Blend, Fading, share_of_popularity};
use super::pool::{LENGTH, Pool};
use super::popularity::lift;
use super::second_look::Looked;
use super::split::Split;
use crate::metric::{Evaluation, RankedList, evaluate_lists};
use scorehouse_models::predictor::recommender::Component;

/// From this many on, half of them choose and the other half measure.
const ENOUGH_FOR_HALVES: usize = 200;
/// Bootstrap draws behind every interval.
const RESAMPLES: usize = 500;

/// One candidate's showing.
#[derive(Debug, Clone, PartialEq)]
pub struct Showing {
    /// Its name: a component's, `popularity`, or `blend`.
    pub name: String,
    /// Its weight in the blend.
    pub weight: f32,
    /// Its metrics.
    pub evaluation: Evaluation,
}

/// A held-back user that had no say in the weights: what was known, what was shown, and what was taken up.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// How many items the user had before.
    pub before: usize,
    /// Items taken up after that, ascending.
    pub taken: Vec<u32>,
    /// What answers are made by would have shown, the best first.
    pub shown: Vec<u32>,
    /// What sells, the best first.
    pub popular: Vec<u32>,
}

/// What users that measure were shown.
pub(super) fn asked(
    split: &Split,
    measuring: &[Pool],
    fading: &Fading,
    blend: &Blend,
    looked: Option<&Looked>,
) -> Vec<Asked> {
    let popular = share_of_popularity(&fading.popularity, blend.popularity_weight);
    let lift = lift(&fading.popularity, blend.lift_exponent);
    let flat = vec![1.0; lift.len()];
    let looked = looked.filter(|looked| looked.look.adopted);
    let (first, step) = if split.held.len() < ENOUGH_FOR_HALVES { (0, 1) } else { (1, 2) };
    let held = split.held.iter().skip(first).step_by(step);
    let one = |(at, (held, pool)): (usize, (&super::split::Held, &Pool))| {
        let nothing = vec![0.0; pool.said.len()];
        let second = looked.and_then(|looked| looked.lists.get(at)).map(|list| list.iter().copied());
        let shown = match second {
            Some(list) => list.take(LENGTH).collect(),
            None => pool.list(&blend.weights, popular.as_deref(), &lift),
        };
        let popular = pool.list(&nothing, Some(&fading.popularity), &flat);
        Asked { before: held.past.len(), taken: pool.taken.clone(), shown, popular }
    };
    held.zip(measuring).enumerate().map(one).collect()
}

/// The second look stands last where it is adopted, else before the blend.
pub(super) fn with_second_look(mut showings: Vec<Showing>, looked: Option<&Looked>) -> Vec<Showing> {
    if let Some(Looked { look, evaluation: Some(evaluation), .. }) = looked {
        let (name, weight) = ("second_look".to_owned(), f32::from(u8::from(look.adopted)));
        let at = showings.len() - usize::from(!look.adopted && !showings.is_empty());
        showings.insert(at, Showing { name, weight, evaluation: evaluation.clone() });
    }
    showings
}

/// Every second user chooses, every other measures; all do both when there are too few.
pub(super) fn halves(pools: &[Pool]) -> (Vec<Pool>, Vec<Pool>) {
    if pools.len() < ENOUGH_FOR_HALVES {
        return (pools.to_vec(), pools.to_vec());
    }
    let half = |first: usize| pools.iter().skip(first).step_by(2).cloned().collect();
    (half(0), half(1))
}

/// Every candidate alone, popularity, and the blend on the users that measure.
pub(super) fn showings(
    pools: &[Pool],
    components: &[Component],
    blend: &Blend,
    fading: &Fading,
    (items, seed): (usize, u64),
) -> Vec<Showing> {
    let flat = vec![1.0; items];
    let evaluate = |weights: &[f32], popular: Option<&[f32]>, lift: &[f32]| {
        let lists: Vec<Vec<u32>> = pools.iter().map(|pool| pool.list(weights, popular, lift)).collect();
        let ranked: Vec<RankedList<'_>> =
            lists.iter().zip(pools).map(|(l, p)| RankedList { suggested: l, taken: &p.taken }).collect();
        evaluate_lists(&ranked, items, LENGTH, RESAMPLES, seed)
    };
    let mut showings = Vec::new();
    for (at, component) in components.iter().enumerate() {
        let mut alone = vec![0.0; components.len()];
        alone[at] = 1.0;
        let evaluation = evaluate(&alone, None, &flat);
        showings.push(Showing { name: component.name.clone(), weight: blend.weights[at], evaluation });
    }
    let nothing = vec![0.0; components.len()];
    let evaluation = evaluate(&nothing, Some(&fading.popularity), &flat);
    showings.push(Showing { name: "popularity".to_owned(), weight: blend.popularity_weight, evaluation });
    let popular = share_of_popularity(&fading.popularity, blend.popularity_weight);
    let evaluation =
        evaluate(&blend.weights, popular.as_deref(), &lift(&fading.popularity, blend.lift_exponent));
    showings.push(Showing { name: "blend".to_owned(), weight: 1.0, evaluation });
    showings
}
