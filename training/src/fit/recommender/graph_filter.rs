//! A graph filter: the part of the past that varies smoothly over the graph of users and items.
//!
//! GF-CF (Shen et al., CIKM 2021): with R̃ = D_U^-½ R D_I^-½, the ideal low-pass filter keeps the k leading
//! right singular vectors V of R̃, and a profile x scores x D_I^-½ V Vᵀ D_I^½. Nothing is learnt by descent;
//! the vectors come from a seeded randomised subspace iteration (Halko, Martinsson, Tropp 2011) that touches
//! the sparse matrix only.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use scorehouse_models::ModelError;
use scorehouse_models::predictor::recommender::{Factors, Fold};

use super::linear::{Dense, eigen};
use super::sparse::Sparse;

/// How a graph filter is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterSettings {
    /// Singular vectors kept.
    pub width: usize,
    /// Rounds of subspace iteration.
    pub rounds: usize,
    /// Seed of the starting vectors.
    pub seed: u64,
}

/// Fits the ideal low-pass filter of `matrix` (users × items).
///
/// # Errors
/// [`ModelError::Invalid`] when a vector came out as no number, which only numbers out of range can cause.
pub fn graph_filter(
    matrix: &Sparse,
    settings: FilterSettings,
    done: &(dyn Fn(u64) + Sync),
) -> Result<Factors, ModelError> {
    let items = matrix.width;
    let width = settings.width.min(items).min(matrix.height()).max(1);
    let normalised = degree_normalised(matrix, 0.5, 0.5);
    let vectors = leading_vectors(&normalised, width, settings, done);
    let degrees = column_squares(matrix);
    let scale = |row: usize, power: f32| if degrees[row] > 0.0 { degrees[row].powf(power) } else { 0.0 };
    let scaled = |power: f32| -> Vec<f32> {
        (0..items).flat_map(|item| vectors.row(item).iter().map(move |v| v * scale(item, power))).collect()
    };
    Factors::new(items, width, Fold::Sum, &scaled(-0.5), &scaled(0.5))
}

/// Every number divided by the root mean power of its row and column: R̃ = D_U^-a R D_I^-b, where D holds the
/// sums of squares of rows and columns (their degrees, for a matrix of ones).
#[must_use]
pub fn degree_normalised(matrix: &Sparse, rows: f32, columns: f32) -> Sparse {
    let power = |sum: &f32, exponent: f32| if *sum > 0.0 { sum.powf(-exponent) } else { 0.0 };
    let row_factors: Vec<f32> =
        (0..matrix.height()).map(|row| power(&matrix.row(row).1.iter().map(|v| v * v).sum(), rows)).collect();
    let column_factors: Vec<f32> = column_squares(matrix).iter().map(|sum| power(sum, columns)).collect();
    matrix.scaled(&row_factors, &column_factors)
}

/// The sum of squares of every column.
#[must_use]
pub fn column_squares(matrix: &Sparse) -> Vec<f32> {
    let mut sums = vec![0.0f64; matrix.width];
    for (column, value) in matrix.columns.iter().zip(&matrix.values) {
        sums[*column as usize] += f64::from(*value) * f64::from(*value);
    }
    sums.into_iter().map(|sum| sum as f32).collect()
}

/// The leading right singular vectors of `matrix`, as columns.
fn leading_vectors(
    matrix: &Sparse,
    width: usize,
    settings: FilterSettings,
    done: &(dyn Fn(u64) + Sync),
) -> Dense {
    let items = matrix.width;
    // A few more vectors than asked for make the last ones converge faster.
    let wide = (width + width / 8 + 4).min(items).min(matrix.height()).max(1);
    let turned = matrix.transposed();
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    let mut basis =
        Dense { width: wide, values: (0..items * wide).map(|_| rng.random::<f32>() - 0.5).collect() };
    for _ in 0..settings.rounds.max(1) {
        basis.orthonormalise();
        basis.values = turned.times(&matrix.times(&basis.values, wide), wide);
        done(1);
    }
    basis.orthonormalise();
    // Rayleigh-Ritz: turn the basis towards the singular vectors and keep the leading ones.
    let image = Dense { width: wide, values: matrix.times(&basis.values, wide) };
    let (_, directions) = eigen(image.gram(), wide);
    let directions: Vec<f32> = directions.into_iter().map(|v| v as f32).collect();
    basis.times_square(&directions);
    let kept = (0..items).flat_map(|item| basis.row(item)[..width].iter().copied()).collect();
    Dense { width, values: kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_with_all_vectors_gives_the_profile_back() {
        // With every singular vector kept, V Vᵀ is the identity and a profile scores itself.
        let matrix = Sparse::from_rows(
            [vec![(0, 1.0), (1, 1.0)], vec![(1, 1.0), (2, 1.0)], vec![(2, 1.0)], vec![(0, 1.0), (2, 1.0)]],
            3,
        );
        let settings = FilterSettings { width: 3, rounds: 5, seed: 1 };
        let factors = graph_filter(&matrix, settings, &|_| ()).unwrap();
        let component = component(factors);
        let mut scores = vec![0.0; 3];
        component.score(&[evidence(1)], &mut scores);
        // Vectors keep eight bits of a number's mantissa.
        let close = |score: f32, expected: f32| (score - expected).abs() < 1.0 / 128.0;
        assert!(close(scores[1], 1.0) && close(scores[0], 0.0) && close(scores[2], 0.0), "{scores:?}");
    }

    #[test]
    fn two_separate_groups_of_users_keep_their_items_apart() {
        let rows = (0..40u32).map(|user| {
            let group = (user % 2) * 5;
            (0..5)
                .filter(move |item| (user / 2 + item) % 3 != 0)
                .map(move |item| (group + item, 1.0))
                .collect()
        });
        let matrix = Sparse::from_rows(rows.collect::<Vec<Vec<_>>>(), 10);
        let settings = FilterSettings { width: 2, rounds: 8, seed: 1 };
        let component = component(graph_filter(&matrix, settings, &|_| ()).unwrap());
        let mut scores = vec![0.0; 10];
        component.score(&[evidence(0)], &mut scores);
        let own = scores[..5].iter().copied().fold(f32::MAX, f32::min);
        let other = scores[5..].iter().copied().fold(f32::MIN, f32::max);
        assert!(own > other + 0.01, "{scores:?}");
    }

    fn component(factors: Factors) -> scorehouse_models::predictor::recommender::Component {
        use scorehouse_models::predictor::recommender::{Component, Learnt, Reads};
        Component { name: "t".into(), weight: 1.0, reads: Reads::Profile, learnt: Learnt::Factors(factors) }
    }

    fn evidence(item: u32) -> scorehouse_models::predictor::recommender::Evidence {
        scorehouse_models::predictor::recommender::Evidence { item, strength: 1.0 }
    }
}
