//! Factors against those of `implicit`, item-to-item weights against EASE^R in closed form (`tests/parity/recommender.py`
//! writes both).

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use scorehouse_models::predictor::recommender::{Component, Evidence, Learnt, Reads};
use serde::Deserialize;

use super::factors::{FactorSettings, alternate, start};
use super::item_to_item::{RidgeSettings, ridge};
use super::linear::{Dense, dot};
use super::sparse::Sparse;

#[derive(Deserialize)]
struct Figures {
    seen: Vec<Vec<u32>>,
    items: usize,
    width: usize,
    rounds: usize,
    unobserved: f32,
    regularisation: f32,
    start: Vec<f32>,
    ended: Vec<f32>,
    loss: f64,
    dense: Vec<Vec<u32>>,
    ease_regularisation: f64,
    ease: Vec<f32>,
}

impl Figures {
    fn read() -> Self {
        serde_json::from_str(include_str!("../../../../tests/parity/recommender.json")).unwrap()
    }

    fn matrix(&self, rows: &[Vec<u32>]) -> Sparse {
        Sparse::from_rows(rows.iter().map(|row| row.iter().map(|item| (*item, 1.0))), self.items)
    }

    /// Regularisation is not scaled by frequency: implicit's never is.
    fn settings(&self, rounds: usize) -> FactorSettings {
        FactorSettings {
            width: self.width,
            rounds,
            unobserved: self.unobserved,
            regularisation: self.regularisation,
            exponent: 0.0,
            seed: 5,
        }
    }

    /// Users' and items' vectors out of one list.
    fn split(&self, values: &[f32]) -> [Dense; 2] {
        let (users, items) = values.split_at(self.seen.len() * self.width);
        [users, items].map(|values| Dense { width: self.width, values: values.to_vec() })
    }

    fn loss_of(&self, [users, items]: &[Dense; 2]) -> f64 {
        let mut loss = 0.0;
        for (user, seen) in self.seen.iter().enumerate() {
            for item in 0..self.items {
                let score = f64::from(dot(users.row(user), items.row(item)));
                loss += f64::from(self.unobserved) * score * score;
                if seen.contains(&(item as u32)) {
                    loss += (score - 1.0).powi(2);
                }
            }
        }
        let squares = |dense: &Dense| dense.values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
        loss + f64::from(self.regularisation) * (squares(users) + squares(items))
    }
}

#[test]
fn from_the_same_start_factors_go_the_way_of_implicit() {
    let figures = Figures::read();
    let settings = figures.settings(figures.rounds);
    let ours = alternate(&figures.matrix(&figures.seen), figures.split(&figures.start), settings, &|_| ());
    let theirs = figures.split(&figures.ended);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours.values.len(), theirs.values.len());
        for (ours, theirs) in ours.values.iter().zip(&theirs.values) {
            // Single precision, added up in another order.
            assert!((ours - theirs).abs() < 1e-4, "{ours} against {theirs}");
        }
    }
}

#[test]
fn from_another_start_factors_lose_no_more_than_those_of_implicit() {
    let figures = Figures::read();
    let matrix = figures.matrix(&figures.seen);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let begin = [matrix.height(), matrix.width].map(|rows| start(rows, figures.width, &mut rng).unwrap());
    let before = figures.loss_of(&begin);
    let loss = figures.loss_of(&alternate(&matrix, begin, figures.settings(60), &|_| ()));
    assert!(loss <= figures.loss * 1.005, "{loss} against {}; before {before}", figures.loss);
}

#[test]
fn with_all_items_as_neighbours_item_to_item_weights_are_those_of_ease() {
    let figures = Figures::read();
    let matrix = figures.matrix(&figures.dense);
    let settings = RidgeSettings {
        neighbours: figures.items,
        regularisation: figures.ease_regularisation,
        without_self: true,
    };
    let ours = ridge(&matrix, &matrix, settings, &|_| ()).unwrap();
    let largest = figures.ease.iter().fold(0.0f32, |most, weight| most.max(weight.abs()));
    let mut dense = vec![0.0; figures.ease.len()];
    let component = Component {
        name: "item_to_item".into(),
        weight: 1.0,
        reads: Reads::Profile,
        learnt: Learnt::Neighbours(ours),
    };
    for (item, row) in dense.chunks_exact_mut(figures.items).enumerate() {
        component.score(&[Evidence { item: item as u32, strength: 1.0 }], row);
    }
    for (ours, theirs) in dense.iter().zip(&figures.ease) {
        // Weights below 0.2 % of the largest are left out, and the solver stops when a thousandth is left of what it began with.
        assert!((ours - theirs).abs() < 0.01 * largest, "{ours} against {theirs}, the largest {largest}");
    }
}
