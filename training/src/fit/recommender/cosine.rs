//! Item neighbours by cosine, shrunk where few rows speak (Sarwar et al. 2001; Deshpande and Karypis 2004).

use rayon::prelude::*;
use scorehouse_models::ModelError;
use scorehouse_models::predictor::recommender::Neighbours;

use super::item_to_item::{squared_lengths, turned};
use super::nearest::{Nearest, Room};
use super::sparse::Sparse;

/// How neighbours are found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CosineSettings {
    /// Neighbours that may speak for one item: its nearest.
    pub neighbours: usize,
    /// What is added to the product of two lengths, in multiples of the mean squared length of a column: items that
    /// few have are near to others by chance.
    pub shrinkage: f64,
}

/// Items that one task looks at at least, so that its room to work in is worth making.
const TOGETHER: usize = 64;

/// Weights from each item to those it is among the nearest of: the product of both columns over the product of their
/// lengths and the shrinkage.
///
/// # Errors
/// [`ModelError::Invalid`] when there are more than 2³² weights.
pub fn cosine(
    matrix: &Sparse,
    settings: CosineSettings,
    done: &(dyn Fn(u64) + Sync),
) -> Result<Neighbours, ModelError> {
    let items = matrix.width;
    let by_item = matrix.transposed();
    let squares = squared_lengths(&by_item);
    let seen = squares.iter().filter(|s| **s > 0.0).count().max(1);
    let shrinkage = (settings.shrinkage * squares.iter().sum::<f64>() / seen as f64) as f32;
    let lengths: Vec<f32> = squares.iter().map(|square| square.sqrt() as f32).collect();
    let nearest = Nearest { inputs: matrix, targets: &by_item };
    let columns: Vec<Vec<(u32, f32)>> = (0..items)
        .into_par_iter()
        .with_min_len(TOGETHER)
        .map_init(
            || Room::new(items),
            |room, item| {
                let near = nearest.of(item, settings.neighbours, room, |other, product| {
                    if other as usize == item {
                        return 0.0;
                    }
                    product / (lengths[item] * lengths[other as usize] + shrinkage)
                });
                done(1);
                near.into_iter().map(|near| (near.item, near.similarity)).collect()
            },
        )
        .collect();
    turned(items, &columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use scorehouse_models::predictor::recommender::{Component, Evidence, Learnt, Reads};

    fn weights(rows: &[&[u32]], items: usize, settings: CosineSettings) -> Vec<Vec<f32>> {
        let matrix = Sparse::from_rows(rows.iter().map(|row| row.iter().map(|item| (*item, 1.0))), items);
        let component = Component {
            name: "cosine".into(),
            weight: 1.0,
            reads: Reads::Profile,
            learnt: Learnt::Neighbours(cosine(&matrix, settings, &|_| ()).unwrap()),
        };
        let row = |item: u32| {
            let mut scores = vec![0.0; items];
            component.score(&[Evidence { item, strength: 1.0 }], &mut scores);
            scores
        };
        (0..items as u32).map(row).collect()
    }

    #[test]
    fn weights_are_shrunk_cosines_and_nothing_speaks_for_itself() {
        let rows: [&[u32]; 4] = [&[0, 1], &[0, 1], &[0, 2], &[3]];
        let plain = weights(&rows, 4, CosineSettings { neighbours: 9, shrinkage: 0.0 });
        assert!((plain[0][1] - 2.0 / 6.0f32.sqrt()).abs() < 1e-6, "{plain:?}");
        assert!((plain[2][0] - 1.0 / 3.0f32.sqrt()).abs() < 1e-6, "{plain:?}");
        assert_eq!((plain[0][0], plain[1][2], plain[3][0]), (0.0, 0.0, 0.0));
        // The mean squared length is (3 + 2 + 1 + 1) / 4.
        let shrunk = weights(&rows, 4, CosineSettings { neighbours: 9, shrinkage: 2.0 });
        assert!((shrunk[0][1] - 2.0 / (6.0f32.sqrt() + 3.5)).abs() < 1e-6, "{shrunk:?}");
    }

    #[test]
    fn only_the_nearest_speak() {
        let rows: [&[u32]; 4] = [&[0, 1], &[0, 1], &[0, 2], &[2, 1]];
        let weights = weights(&rows, 3, CosineSettings { neighbours: 1, shrinkage: 0.0 });
        // Of 1 and 2, 1 is the nearer to 0; only it speaks for 0.
        assert!(weights[1][0] > 0.0 && weights[2][0] == 0.0, "{weights:?}");
    }
}
