//! Implicit alternating least squares with frequency-scaled regularisation.
//!
//! Hu, Koren, Volinsky 2008, as revisited by Rendle, Krichene, Zhang, Koren 2021: the regularisation of a
//! user or item grows with how often it was seen, counting unseen pairs by their weight. Each half step
//! solves its ridge regressions by a few warm-started steps of conjugate gradients (Takács, Pilászy, Tikk
//! 2011), in blocks of rows that share one matrix product.

use fearless_simd::{Level, Simd, dispatch};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};
use rayon::prelude::*;
use scorehouse_models::ModelError;
use scorehouse_models::predictor::recommender::{Factors, Fold};

use super::lanes::{add_all, dot};
use super::linear::Dense;
use super::sparse::Sparse;
use super::square::Square;

/// How factors are fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FactorSettings {
    /// Numbers in a vector.
    pub width: usize,
    /// Rounds, each over all users and then all items.
    pub rounds: usize,
    /// Weight of a pair that was not seen, against 1 for one that was.
    pub unobserved: f32,
    /// Regularisation before scaling.
    pub regularisation: f32,
    /// Power of the frequency that scales it.
    pub exponent: f32,
    /// Seed of the starting vectors.
    pub seed: u64,
}

/// Rows that share one matrix product.
const BLOCK: usize = 64;
/// Pairs of a row that are added to its sums together.
const TOGETHER: usize = 8;
/// Steps of conjugate gradients in each half round.
const STEPS: usize = 3;

/// Fits factors to `matrix` (users × items, strengths in 0..=1).
///
/// # Errors
/// [`ModelError::Invalid`] when a factor came out as no number.
pub fn factors(
    matrix: &Sparse,
    settings: FactorSettings,
    done: &(dyn Fn(u64) + Sync),
) -> Result<Factors, ModelError> {
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    let users = start(matrix.height(), settings.width, &mut rng)?;
    let items = start(matrix.width, settings.width, &mut rng)?;
    let [_, items] = alternate(matrix, [users, items], settings, done);
    let fold = Fold::Ridge {
        unobserved: settings.unobserved,
        regularisation: settings.regularisation,
        exponent: settings.exponent,
    };
    Factors::new(matrix.width, settings.width, fold, &[], &items.values)
}

/// Moves users' and items' vectors in turn, from where they begin.
pub(super) fn alternate(
    matrix: &Sparse,
    [mut users, mut items]: [Dense; 2],
    settings: FactorSettings,
    done: &(dyn Fn(u64) + Sync),
) -> [Dense; 2] {
    let turned = matrix.transposed();
    for _ in 0..settings.rounds {
        half(matrix, &items, &mut users, settings);
        half(&turned, &users, &mut items, settings);
        done(1);
    }
    [users, items]
}

/// The weight of unseen pairs for a matrix of this density. Published optima of iALS stand near fifteen
/// times the density (MovieLens 20M: 0.1 at 0.5 %; Million Song: 0.02 at 0.14 %; Rendle et al. 2021).
#[must_use]
pub fn unobserved_weight(matrix: &Sparse) -> f32 {
    let density = matrix.values.len() as f64 / (matrix.height() as f64 * matrix.width as f64).max(1.0);
    (15.0 * density).clamp(1e-4, 1.0) as f32
}

pub(super) fn start(height: usize, width: usize, rng: &mut ChaCha8Rng) -> Result<Dense, ModelError> {
    let normal = Normal::new(0.0f32, 0.1 / (width.max(1) as f32).sqrt())
        .map_err(|e| ModelError::Invalid { part: "recommender", why: e.to_string() })?;
    Ok(Dense { width, values: (0..height * width).map(|_| normal.sample(rng)).collect() })
}

/// Moves every row of `sought` towards the best answer to its row of `matrix` given `fixed`.
fn half(matrix: &Sparse, fixed: &Dense, sought: &mut Dense, settings: FactorSettings) {
    let width = settings.width;
    let shared: Vec<f32> =
        fixed.gram().into_iter().map(|g| (g * f64::from(settings.unobserved)) as f32).collect();
    let shared = Square::new(&shared, width);
    let unseen = settings.unobserved * matrix.width as f32;
    sought.values.par_chunks_mut(BLOCK * width).enumerate().for_each(|(block, vectors)| {
        let first = block * BLOCK;
        let rows: Vec<Line<'_>> = (first..first + vectors.len() / width)
            .map(|row| {
                let (columns, values) = matrix.row(row);
                let frequency = columns.len() as f32 + unseen;
                let ridge = settings.regularisation * frequency.powf(settings.exponent);
                Line { columns, values, ridge, fixed }
            })
            .collect();
        solve_block(&rows, &shared, vectors, width);
    });
}

/// One row's regression.
struct Line<'a> {
    columns: &'a [u32],
    values: &'a [f32],
    ridge: f32,
    fixed: &'a Dense,
}

impl Line<'_> {
    /// Adds what the row's own pairs and the ridge contribute to `system × vector`, the shared part being in
    /// `image` already.
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, vector: &[f32], image: &mut [f32]) {
        image.iter_mut().zip(vector).for_each(|(i, v)| *i += self.ridge * v);
        self.gather(simd, vector, image, |value, along| value * along);
    }

    /// What `vector` leaves of the right side, the shared part of `system × vector` being in `image`: the row's pairs
    /// are read once for both sides.
    #[inline(always)]
    fn residual<S: Simd>(&self, simd: S, vector: &[f32], image: &[f32], residual: &mut [f32]) {
        let of = residual.iter_mut().zip(image.iter().zip(vector));
        of.for_each(|(r, (i, v))| *r = -(i + self.ridge * v));
        self.gather(simd, vector, residual, |value, along| value * (1.0 - along));
    }

    /// Adds to `sum` the fixed vector of each of the row's pairs, weighted by the pair's value and how far the fixed
    /// vector lies along `vector`.
    #[inline(always)]
    fn gather<S: Simd>(&self, simd: S, vector: &[f32], sum: &mut [f32], weigh: impl Fn(f32, f32) -> f32) {
        let (columns, last_columns) = self.columns.as_chunks::<TOGETHER>();
        let (values, last_values) = self.values.as_chunks::<TOGETHER>();
        for (columns, values) in columns.iter().zip(values) {
            let others: [&[f32]; TOGETHER] = std::array::from_fn(|at| self.fixed.row(columns[at] as usize));
            let mut by = [0.0; TOGETHER];
            for at in 0..TOGETHER {
                by[at] = weigh(values[at], dot(simd, others[at], vector));
            }
            add_all(simd, sum, others, by);
        }
        for (column, value) in last_columns.iter().zip(last_values) {
            let other = self.fixed.row(*column as usize);
            add_all(simd, sum, [other], [weigh(*value, dot(simd, other, vector))]);
        }
    }
}

/// Conjugate gradients on a block of rows at once: one matrix product serves all of them in every step.
fn solve_block(rows: &[Line<'_>], shared: &Square, vectors: &mut [f32], width: usize) {
    let level = Level::new();
    let mut images = vec![0.0; vectors.len()];
    shared.product(vectors, &mut images);
    let mut search =
        Search { residuals: vec![0.0; vectors.len()], directions: Vec::new(), sizes: Vec::new(), width };
    dispatch!(level, simd => search.begin(simd, rows, vectors, &images));
    for _ in 0..STEPS {
        shared.product(&search.directions, &mut images);
        dispatch!(level, simd => search.step(simd, rows, vectors, &mut images));
    }
}

/// How far conjugate gradients have come, row by row.
struct Search {
    residuals: Vec<f32>,
    directions: Vec<f32>,
    /// Squared lengths of the residuals.
    sizes: Vec<f32>,
    width: usize,
}

impl Search {
    #[inline(always)]
    fn begin<S: Simd>(&mut self, simd: S, rows: &[Line<'_>], vectors: &[f32], images: &[f32]) {
        simd.vectorize(
            #[inline(always)]
            || {
                for (at, row) in rows.iter().enumerate() {
                    let range = at * self.width..(at + 1) * self.width;
                    let residual = &mut self.residuals[range.clone()];
                    row.residual(simd, &vectors[range.clone()], &images[range], residual);
                    self.sizes.push(dot(simd, residual, residual));
                }
            },
        );
        self.directions.clone_from(&self.residuals);
    }

    /// One step; `images` hold the shared part of `system × directions`.
    #[inline(always)]
    fn step<S: Simd>(&mut self, simd: S, rows: &[Line<'_>], vectors: &mut [f32], images: &mut [f32]) {
        simd.vectorize(
            #[inline(always)]
            || {
                for (at, row) in rows.iter().enumerate() {
                    let range = at * self.width..(at + 1) * self.width;
                    self.step_row(simd, (at, row), &mut vectors[range.clone()], &mut images[range]);
                }
            },
        );
    }

    #[inline(always)]
    fn step_row<S: Simd>(
        &mut self,
        simd: S,
        (at, row): (usize, &Line<'_>),
        vector: &mut [f32],
        image: &mut [f32],
    ) {
        let range = at * self.width..(at + 1) * self.width;
        let direction = &mut self.directions[range.clone()];
        row.apply(simd, direction, image);
        let bend = dot(simd, direction, image);
        if self.sizes[at] < 1e-20 || bend <= 0.0 {
            return;
        }
        let length = self.sizes[at] / bend;
        vector.iter_mut().zip(direction.iter()).for_each(|(v, d)| *v += length * d);
        let residual = &mut self.residuals[range];
        residual.iter_mut().zip(image.iter()).for_each(|(r, i)| *r -= length * i);
        let size = dot(simd, residual, residual);
        let turn = size / self.sizes[at];
        direction.iter_mut().zip(residual.iter()).for_each(|(d, r)| *d = r + turn * *d);
        self.sizes[at] = size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scorehouse_models::predictor::recommender::{Component, Evidence, Learnt, Reads};

    fn groups() -> Sparse {
        let rows = (0..60u32).map(|user| {
            let group = (user % 3) * 6;
            (0..6)
                .filter(move |item| (user / 3 + item) % 4 != 0)
                .map(move |item| (group + item, 1.0))
                .collect()
        });
        Sparse::from_rows(rows.collect::<Vec<Vec<_>>>(), 18)
    }

    fn settings() -> FactorSettings {
        FactorSettings { width: 8, rounds: 10, unobserved: 0.1, regularisation: 0.01, exponent: 1.0, seed: 5 }
    }

    #[test]
    fn an_item_that_was_left_out_is_found_by_the_company_it_keeps() {
        let fitted = factors(&groups(), settings(), &|_| ()).unwrap();
        let component = Component {
            name: "factors".into(),
            weight: 1.0,
            reads: Reads::Profile,
            learnt: Learnt::Factors(fitted),
        };
        let profile: Vec<Evidence> = (7..11).map(|item| Evidence { item, strength: 1.0 }).collect();
        let mut scores = vec![0.0; 18];
        component.score(&profile, &mut scores);
        assert!(scores[6] > 0.3 && scores[11] > 0.3, "{scores:?}");
        assert!(scores[..6].iter().chain(&scores[12..]).all(|s| *s < 0.2), "{scores:?}");
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let fit = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| factors(&groups(), settings(), &|_| ()).unwrap())
        };
        assert_eq!(fit(1), fit(4));
    }
}
