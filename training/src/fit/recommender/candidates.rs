//! The components that compete for a place in a recommender.

use scorehouse_models::ModelError;
use scorehouse_models::predictor::recommender::{
    Component, Learnt, Neighbours, Reads, Repeat, Strength, WeightScale,
};

use super::cosine::{CosineSettings, cosine};
use super::factors::{FactorSettings, factors, unobserved_weight};
use super::graph_filter::{FilterSettings, column_squares, degree_normalised, graph_filter};
use super::item_to_item::{RidgeSettings, ridge};
use super::log::InteractionLog;
use super::next_purchase::{LookBack, next_purchase};
use super::sparse::Sparse;
use crate::progress::Progress;

/// A component that may be fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Candidate {
    /// Regression of each item on its neighbours in the same history, after rows and columns have been divided
    /// by their degree to the power of `normalised`.
    ItemToItem {
        /// 0 or ½.
        normalised: f32,
    },
    /// The nearest by cosine, weighted by how near they are.
    Cosine,
    /// Regression of the next purchase on the past.
    NextPurchase,
    /// The smooth part of the past over the graph of users and items.
    GraphFilter,
    /// Implicit alternating least squares.
    Factors,
    /// Regression of each item on the others in one basket.
    Basket,
}

/// Neighbours that may speak for an item.
const NEIGHBOURS: usize = 150;
/// Regularisation of item-to-item weights, in mean squared column lengths.
const RIDGE: f64 = 3.0;
/// Neighbours by cosine that may speak for an item.
const COSINE_NEIGHBOURS: usize = 100;
/// Shrinkage of cosines, in mean squared column lengths.
const SHRINKAGE: f64 = 0.5;
/// Singular vectors of the graph filter.
const SMOOTH: usize = 256;
/// Numbers in a factor vector.
const WIDTH: usize = 128;
/// Rounds of alternating least squares.
const ROUNDS: usize = 8;

/// What all candidates are fitted with.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// The interactions.
    pub log: &'a InteractionLog,
    /// How a past becomes a profile.
    pub strength: Strength,
    /// Which items may come again.
    pub repeat: Repeat,
    /// Seed of everything random.
    pub seed: u64,
    /// Who is told of the progress.
    pub progress: &'a dyn Progress,
}

impl Candidate {
    /// The component's name, for readers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ItemToItem { .. } => "item_to_item",
            Self::Cosine => "cosine",
            Self::NextPurchase => "next_purchase",
            Self::GraphFilter => "graph_filter",
            Self::Factors => "factors",
            Self::Basket => "basket",
        }
    }

    /// Fits it; none when the log has nothing for it to learn from.
    ///
    /// # Errors
    /// What the learner reports.
    pub fn fit(self, ground: Ground<'_>) -> Result<Option<Component>, ModelError> {
        let done = |steps| ground.progress.advance(steps);
        let items = ground.log.items.len() as u64;
        let title = format!("fit {}", self.name().replace('_', " "));
        let stage = |total| ground.progress.stage(&title, total);
        let learnt = match self {
            Self::ItemToItem { normalised } => {
                stage(items);
                Some(Learnt::Neighbours(item_to_item(&histories(ground), normalised, &done)?))
            }
            Self::Cosine => {
                stage(items);
                // A user with many items says little of any two of them.
                let matrix = degree_normalised(&histories(ground), 0.5, 0.0);
                let settings = CosineSettings { neighbours: COSINE_NEIGHBOURS, shrinkage: SHRINKAGE };
                Some(Learnt::Neighbours(cosine(&matrix, settings, &done)?))
            }
            Self::NextPurchase => {
                stage(items);
                let look = LookBack::over(ground.log, ground.strength, ground.repeat);
                let settings =
                    RidgeSettings { neighbours: NEIGHBOURS, regularisation: RIDGE, without_self: false };
                next_purchase(ground.log, look, settings, &done)?.map(Learnt::Neighbours)
            }
            Self::GraphFilter => {
                let settings = FilterSettings { width: SMOOTH, rounds: 6, seed: ground.seed };
                stage(settings.rounds as u64);
                Some(Learnt::Factors(graph_filter(&histories(ground), settings, &done)?))
            }
            Self::Factors => {
                stage(ROUNDS as u64);
                let matrix = histories(ground);
                let settings = factor_settings(&matrix, ground.seed);
                Some(Learnt::Factors(factors(&matrix, settings, &done)?))
            }
            Self::Basket => {
                let baskets = baskets(ground.log);
                if baskets.height() == 0 {
                    return Ok(None);
                }
                stage(items);
                Some(Learnt::Neighbours(item_to_item(&baskets, 0.0, &done)?))
            }
        };
        let reads = if self == Self::Basket { Reads::Basket } else { Reads::Profile };
        Ok(learnt.map(|learnt| Component { name: self.name().to_owned(), weight: 1.0, reads, learnt }))
    }
}

fn factor_settings(matrix: &Sparse, seed: u64) -> FactorSettings {
    FactorSettings {
        width: WIDTH.min(matrix.width).min(matrix.height()).max(1),
        rounds: ROUNDS,
        unobserved: unobserved_weight(matrix),
        regularisation: 0.003,
        exponent: 1.0,
        seed,
    }
}

/// The matrix of users and items, with the sizes of weights but not faded: what goes with what changes more
/// slowly than what a customer wants now.
fn histories(ground: Ground<'_>) -> Sparse {
    let strength = Strength { half_life: None, ..ground.strength };
    let as_of = ground.log.until();
    let rows = ground.log.pasts(as_of).into_iter().map(|pasts| {
        let profile = strength.profile(&pasts, as_of);
        profile.into_iter().map(|e| (e.item, e.strength)).collect::<Vec<_>>()
    });
    Sparse::from_rows(rows.filter(|row| !row.is_empty()), ground.log.items.len())
}

/// The matrix of baskets with at least two items.
fn baskets(log: &InteractionLog) -> Sparse {
    let mut pairs: Vec<(u32, u32)> = log
        .rows
        .iter()
        .filter(|row| row.weight > 0.0)
        .filter_map(|row| row.basket.map(|basket| (basket, row.item)))
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    let rows = pairs.chunk_by(|a, b| a.0 == b.0).filter(|basket| basket.len() >= 2);
    // The root of its size: a basket of a hundred things says little about any two of them.
    let row = |basket: &[(u32, u32)]| {
        let each = (2.0 / basket.len() as f32).sqrt();
        basket.iter().map(|(_, item)| (*item, each)).collect::<Vec<_>>()
    };
    Sparse::from_rows(rows.map(row), log.items.len())
}

/// Fits item-to-item weights in the normalised space and brings them back, so that they apply to profiles as
/// they are.
fn item_to_item(
    matrix: &Sparse,
    normalised: f32,
    done: &(dyn Fn(u64) + Sync),
) -> Result<Neighbours, ModelError> {
    let settings = RidgeSettings { neighbours: NEIGHBOURS, regularisation: RIDGE, without_self: true };
    if normalised == 0.0 {
        return ridge(matrix, matrix, settings, done);
    }
    let scaled = degree_normalised(matrix, normalised, normalised);
    let weights = ridge(&scaled, &scaled, settings, done)?;
    let power = |exponent: f32| -> Vec<f32> {
        let scale = |sum: &f32| if *sum > 0.0 { sum.powf(exponent) } else { 0.0 };
        column_squares(matrix).iter().map(scale).collect()
    };
    weights.scaled(&power(-normalised), &power(normalised))
}

/// The logarithmic scale of a log's weights around their median; none when all are the same and say nothing
/// beyond presence.
#[must_use]
pub fn log_scale(log: &InteractionLog) -> Vec<WeightScale> {
    let mut weights: Vec<f32> = log.rows.iter().map(|row| row.weight).filter(|w| *w > 0.0).collect();
    weights.sort_by(f32::total_cmp);
    let unit = weights.get(weights.len() / 2).copied();
    let varied = weights.first() != weights.last();
    unit.filter(|_| varied).map(|unit| WeightScale::Log { unit }).into_iter().collect()
}
