//! Boosted trees with settings found by cross-validation.

use rayon::prelude::*;

use crate::error::TrainingError;
use crate::fit::boosting::{Binned, Boosted, BoostingParams, CategoryParams, Matrix, Rows, Target, boost};
use crate::fit::folds::Folds;

/// Rows up to which settings are compared on every fold; with more, one fold is telling enough.
const EVERY_FOLD: usize = 20_000;
/// Rows on which settings are compared at most.
const COMPARED: usize = 100_000;
/// Learning rate while settings are compared.
const QUICK: f64 = 0.1;
/// Most trees of one model.
const MOST_TREES: usize = 1500;

/// Settings with the number of trees that they were found best with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub params: BoostingParams,
    pub trees: usize,
    /// Mean cross-validated loss of one model.
    pub loss: f64,
    /// Rows that each of those models learnt from.
    pub rows: usize,
}

/// Boosted models whose log-odds are averaged.
pub(crate) struct BoostedFit {
    pub models: Vec<Boosted>,
}

/// A loss curve over numbers of trees, averaged over folds by rows.
struct Curve(Vec<f64>);

impl Curve {
    fn best(&self) -> (usize, f64) {
        let least = |best: usize, at: usize| if self.0[at] < self.0[best] { at } else { best };
        let at = (0..self.0.len()).fold(0, least);
        (at + 1, self.0.get(at).copied().unwrap_or(f64::INFINITY))
    }
}

/// What is searched over.
struct Search<'a> {
    binned: &'a Binned,
    label: &'a [f64],
    folds: &'a Folds,
    advance: &'a (dyn Fn(u64) + Sync),
}

/// Steps that [`search`] reports to `advance`.
pub(crate) const SEARCH_STEPS: u64 = 10;

/// What cross-validation found.
pub(crate) struct Searched {
    pub found: Found,
    /// Log-odds of every training row by the model that did not see it, in the order of the rows.
    pub out_of_fold: Vec<f64>,
    /// The folds' models, averaged: what the settings come to on rows that none of them saw.
    pub folds: BoostedFit,
}

/// Finds settings by cross-validation: size of trees first, then one setting after the other.
///
/// # Errors
/// [`TrainingError::Fit`] when a setting is refused, which no data should cause.
pub(crate) fn search(
    matrix: &Matrix,
    label: &[f64],
    folds: &Folds,
    seed: u64,
    advance: &(dyn Fn(u64) + Sync),
) -> Result<Searched, TrainingError> {
    let binned = Binned::new(matrix);
    let rows = folds.rows.len();
    let thinned = folds.thinned(COMPARED);
    let search = Search { binned: &binned, label, folds: &thinned, advance };
    let compared = if rows <= EVERY_FOLD { folds.count } else { 1 };
    let start = BoostingParams {
        trees: MOST_TREES,
        learning_rate: QUICK,
        patience: 25,
        min_rows: 20.min(rows / 20).max(2),
        l2: 1.0,
        row_share: 0.8,
        feature_share: 0.8,
        seed,
        category: CategoryParams { min_rows: 100.min(rows / 50).max(2), ..CategoryParams::default() },
        ..BoostingParams::default()
    };
    let sizes = if rows <= EVERY_FOLD { [4, 8, 16, 32] } else { [8, 16, 32, 64] };
    let sizes = sizes.map(|leaves| BoostingParams { leaves, ..start.clone() });
    let mut best = search.best_of(sizes.to_vec(), None, compared)?;
    let steps: [&dyn Fn(&BoostingParams) -> Vec<BoostingParams>; 3] = [
        &|p| [0.4, 1.0].map(|feature_share| BoostingParams { feature_share, ..p.clone() }).to_vec(),
        &|p| vec![BoostingParams { min_rows: p.min_rows * 5, ..p.clone() }],
        &|p| [0.0, 10.0].map(|l2| BoostingParams { l2, ..p.clone() }).to_vec(),
    ];
    for step in steps {
        let others = step(&best.params);
        best = search.best_of(others, Some(best), compared)?;
    }
    let slow =
        BoostingParams { learning_rate: slow_rate(rows), patience: 50, trees: MOST_TREES, ..best.params };
    Search { binned: &binned, label, folds, advance }.finish(slow)
}

/// Smaller steps are worth their time where there are few rows.
fn slow_rate(rows: usize) -> f64 {
    match rows {
        ..=20_000 => 0.03,
        20_001..=200_000 => 0.05,
        _ => QUICK,
    }
}

impl Search<'_> {
    fn fold(&self, params: &BoostingParams, part: usize) -> Result<(Boosted, Vec<u32>), TrainingError> {
        let (train, watch) = self.folds.parts(part);
        let target = Target { label: self.label, weight: None };
        let rows = Rows { train: &train, watch: &watch };
        Ok((boost(self.binned, target, rows, params, &|| {}).map_err(refused)?, watch))
    }

    /// The setting with the least mean loss, `standing` among them.
    fn best_of(
        &self,
        tried: Vec<BoostingParams>,
        standing: Option<Found>,
        folds: usize,
    ) -> Result<Found, TrainingError> {
        let found: Result<Vec<Found>, TrainingError> = tried
            .into_par_iter()
            .map(|params| {
                let models: Result<Vec<_>, _> =
                    (0..folds).into_par_iter().map(|part| self.fold(&params, part)).collect();
                let (trees, loss) = mean_curve(&models?).best();
                (self.advance)(1);
                Ok(Found { params, trees, loss, rows: self.folds.rows.len() })
            })
            .collect();
        // The first of equals, so that what stands is not replaced for nothing.
        let least = |a: Found, b: Found| if b.loss < a.loss { b } else { a };
        let best = standing.into_iter().chain(found?).reduce(least);
        best.ok_or_else(|| TrainingError::Fit { learner: "boosting", reason: "nothing was tried".to_owned() })
    }

    fn finish(&self, params: BoostingParams) -> Result<Searched, TrainingError> {
        let models: Result<Vec<_>, _> =
            (0..self.folds.count).into_par_iter().map(|part| self.fold(&params, part)).collect();
        let models = models?;
        let (trees, loss) = mean_curve(&models).best();
        let mut raw = vec![0.0; self.binned.rows];
        let mut learnt = 0;
        for (model, watch) in &models {
            let values = model.raw(self.binned, watch, trees);
            watch.iter().zip(values).for_each(|(row, value)| raw[*row as usize] = value);
            learnt += self.folds.rows.len() - watch.len();
        }
        (self.advance)(1);
        let out_of_fold = self.folds.rows.iter().map(|row| raw[*row as usize]).collect();
        let found = Found { params, trees, loss, rows: learnt / models.len().max(1) };
        let cut = |(mut model, _): (Boosted, Vec<u32>)| {
            model.trees.truncate(trees);
            model
        };
        let folds = BoostedFit { models: models.into_iter().map(cut).collect() };
        Ok(Searched { found, out_of_fold, folds })
    }
}

/// Folds that stopped early keep their last loss from there on.
fn mean_curve(models: &[(Boosted, Vec<u32>)]) -> Curve {
    let length = models.iter().map(|(model, _)| model.losses.len()).max().unwrap_or(0);
    let all: usize = models.iter().map(|(_, watch)| watch.len()).sum();
    let at = |trees: usize| {
        let part = |(model, watch): &(Boosted, Vec<u32>)| {
            let loss = model.losses.get(trees).or(model.losses.last()).copied().unwrap_or(f64::INFINITY);
            loss * watch.len() as f64
        };
        models.iter().map(part).sum::<f64>() / all.max(1) as f64
    };
    Curve((0..length).map(at).collect())
}

fn refused(error: crate::fit::boosting::InvalidBoosting) -> TrainingError {
    TrainingError::Fit { learner: "boosting", reason: error.to_string() }
}

/// Fits the found settings on `rows`: models of different draws, averaged, the more the fewer rows there are.
///
/// # Errors
/// As [`search`].
pub(crate) fn fit(
    matrix: &Matrix,
    label: &[f64],
    rows: &[u32],
    found: &Found,
) -> Result<BoostedFit, TrainingError> {
    let binned = Binned::new(matrix);
    let draws = match rows.len() {
        ..=20_000 => 3,
        20_001..=100_000 => 2,
        _ => 1,
    };
    // More rows bear more trees before they are learnt by heart, though not in proportion.
    let more = (rows.len() as f64 / found.rows.max(1) as f64).max(1.0).sqrt();
    let trees = ((found.trees as f64 * more).round() as usize).clamp(1, 2 * MOST_TREES);
    let models: Result<Vec<Boosted>, TrainingError> = (0..draws)
        .into_par_iter()
        .map(|draw| {
            let seed = found.params.seed.wrapping_add(7919 * draw);
            let params = BoostingParams { trees, patience: 0, seed, ..found.params.clone() };
            let target = Target { label, weight: None };
            boost(&binned, target, Rows { train: rows, watch: &[] }, &params, &|| {}).map_err(refused)
        })
        .collect();
    Ok(BoostedFit { models: models? })
}

impl BoostedFit {
    /// Log-odds of `rows` of a matrix with the same columns, in their order.
    pub fn raw(&self, matrix: &Matrix, rows: &[u32]) -> Vec<f64> {
        let of = |row: &u32| {
            let number = |column: usize| matrix.columns[column][*row as usize];
            let sum: f64 = self.models.iter().map(|model| model.raw_of(&number)).sum();
            sum / self.models.len().max(1) as f64
        };
        rows.par_iter().map(of).collect()
    }
}
