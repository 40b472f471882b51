//! Boosted trees with settings found by cross-validation.

use rayon::prelude::*;
use scorehouse_features::time::{DAY, Timestamp};

use crate::error::TrainingError;
use crate::fit::boosting::{Binned, Boosted, BoostingParams, CategoryParams, Matrix, Rows, Target, boost};
use crate::fit::folds::Folds;
use crate::metric::{clear_gain, loss_of_raw, own_level};
use crate::progress::Progress;
use crate::split::Part;

/// Rows up to which settings are compared on every part; with more, one part is telling enough.
const EVERY_PART: usize = 20_000;
/// Rows on which settings are compared at most.
const COMPARED: usize = 100_000;
/// Work after which no further settings are tried: rows × columns × trees, about half a minute of one core. It is
/// counted and not timed, so that the outcome does not depend on the machine.
const BUDGET: f64 = 5e9;
/// Trees that a fit is taken to grow before it stops, when its work is told in advance.
const USUAL_TREES: f64 = 200.0;
/// Learning rate while settings are compared.
const QUICK: f64 = 0.1;
/// Rows that all draws of a model learn from together, about.
const DRAWN: u64 = 50_000;
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
    /// Days over which a row comes to count half; none: all rows count alike.
    pub half_life: Option<f64>,
}

/// Boosted models whose log-odds are averaged.
pub(crate) struct BoostedFit {
    pub models: Vec<Boosted>,
}

/// What is learnt from.
#[derive(Clone, Copy)]
pub(crate) struct Lesson<'a> {
    pub matrix: &'a Matrix,
    pub label: &'a [f64],
    /// The moment of each row, when the data has time.
    pub as_of: Option<&'a [Timestamp]>,
}

/// What is searched over.
struct Search<'a> {
    binned: &'a Binned,
    lesson: Lesson<'a>,
    parts: &'a [Part],
    /// True when each part is asked of what was known before it.
    forward: bool,
    progress: &'a dyn Progress,
}

/// Steps that [`search`] reports.
pub(crate) const SEARCH_STEPS: u64 = 10;

/// Finds settings by cross-validation: size of trees first, then one setting after the other, until all were
/// tried or the budget of work is used up; then the number of trees at a slower rate and, with time, how fast
/// rows lose their weight. What the rate of the outcome was in a later block says nothing about settings, so blocks
/// of time are watched at a level of their own.
///
/// # Errors
/// [`TrainingError::Fit`] when a setting is refused, which no data should cause.
pub(crate) fn search(
    lesson: Lesson<'_>,
    folds: &Folds,
    start: BoostingParams,
    progress: &dyn Progress,
) -> Result<Found, TrainingError> {
    let binned = Binned::new(lesson.matrix);
    let rows = folds.rows.len();
    let columns = lesson.matrix.columns.len().max(1) as f64;
    let affordable = (BUDGET / (4.0 * USUAL_TREES * columns)) as usize;
    let thinned = folds.thinned(COMPARED.min(affordable.max(10_000)));
    // Of parts one after the other in time, the last is most like what comes next.
    let few = |folds: &Folds, few: bool| folds.parts.len() - if few { 1 } else { folds.parts.len() };
    let many = rows > EVERY_PART;
    let parts = &thinned.parts[few(&thinned, many)..];
    let search = Search { binned: &binned, lesson, parts, forward: folds.forward, progress };
    let best = search.settings(start, rows)?;
    let slow = BoostingParams { learning_rate: slow_rate(rows), patience: 50, ..best.params };
    let search = Search { parts: &folds.parts[few(folds, many)..], ..search };
    let found = search.best_of(vec![slow], None)?;
    if folds.forward { search.half_life(found, &folds.parts) } else { Ok(found) }
}

/// Where a search begins: the sizes of leaves fit the number of rows.
pub(crate) fn start(rows: usize, seed: u64) -> BoostingParams {
    BoostingParams {
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
    }
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
    fn settings(&self, start: BoostingParams, rows: usize) -> Result<Found, TrainingError> {
        let sizes = if rows <= EVERY_PART { [4, 8, 16, 32] } else { [8, 16, 32, 64] };
        let sizes = sizes.map(|leaves| BoostingParams { leaves, ..start.clone() });
        let mut best = self.best_of(sizes.to_vec(), None)?;
        let mut work = 4.0 * self.work(&best);
        let steps: [&dyn Fn(&BoostingParams) -> Vec<BoostingParams>; 3] = [
            &|p| [0.4, 1.0].map(|feature_share| BoostingParams { feature_share, ..p.clone() }).to_vec(),
            &|p| vec![BoostingParams { min_rows: p.min_rows * 5, ..p.clone() }],
            &|p| [0.0, 10.0].map(|l2| BoostingParams { l2, ..p.clone() }).to_vec(),
        ];
        for step in steps {
            let others = step(&best.params);
            let cost = others.len() as f64 * self.work(&best);
            if work + cost > BUDGET {
                self.progress.message("the search for settings ends here: its budget of work is used up");
                break;
            }
            work += cost;
            best = self.best_of(others, Some(best))?;
        }
        Ok(best)
    }

    /// Rows × columns × trees of one trial like this.
    fn work(&self, found: &Found) -> f64 {
        let rows: usize = self.parts.iter().map(|part| part.learn.len()).sum();
        let trees = found.trees + found.params.patience;
        rows as f64 * self.binned.features().max(1) as f64 * trees as f64
    }

    fn part(
        &self,
        params: &BoostingParams,
        part: &Part,
        weight: Option<&[f64]>,
    ) -> Result<Boosted, TrainingError> {
        let target = Target { label: self.lesson.label, weight };
        let rows = Rows { train: &part.learn, watch: &part.asked, own_level: self.forward };
        boost(self.binned, target, rows, params, &|| {}).map_err(refused)
    }

    /// The setting with the least mean loss, `standing` among them.
    fn best_of(&self, tried: Vec<BoostingParams>, standing: Option<Found>) -> Result<Found, TrainingError> {
        let learnt: usize = self.parts.iter().map(|part| part.learn.len()).sum();
        let rows = learnt / self.parts.len().max(1);
        let found: Result<Vec<Found>, TrainingError> = tried
            .into_par_iter()
            .map(|params| {
                let models: Result<Vec<_>, _> =
                    self.parts.par_iter().map(|part| self.part(&params, part, None)).collect();
                let (trees, loss) = best_of_curve(&mean_curve(&models?, self.parts));
                self.progress.advance(1);
                Ok(Found { params, trees, loss, rows, half_life: None })
            })
            .collect();
        // The first of equals, so that what stands is not replaced for nothing.
        let least = |a: Found, b: Found| if b.loss < a.loss { b } else { a };
        let best = standing.into_iter().chain(found?).reduce(least);
        best.ok_or_else(|| TrainingError::Fit { learner: "boosting", reason: "nothing was tried".to_owned() })
    }

    /// Lets rows lose weight with age when the latest part, asked of models with and without, is clearly better
    /// for it: by more than chance gives once in twenty times, as told by the rows' differences in loss.
    fn half_life(&self, found: Found, parts: &[Part]) -> Result<Found, TrainingError> {
        let (Some(part), Some(as_of)) = (parts.last(), self.lesson.as_of) else { return Ok(found) };
        let moments = part.learn.iter().map(|row| as_of[*row as usize]);
        let (Some(first), Some(last)) = (moments.clone().min(), moments.max()) else { return Ok(found) };
        let span = last.days_since(first);
        if span <= 0.0 {
            return Ok(found);
        }
        let params = BoostingParams { trees: found.trees, patience: 0, ..found.params.clone() };
        let losses = |half_life: Option<f64>| -> Result<Vec<f64>, TrainingError> {
            let weight = half_life.map(|days| weights(as_of, &part.learn, days));
            let unwatched = Part { learn: part.learn.clone(), asked: Vec::new() };
            let model = self.part(&params, &unwatched, weight.as_deref())?;
            let raw = model.raw(self.binned, &part.asked, model.trees.len());
            let label: Vec<f64> = part.asked.iter().map(|row| self.lesson.label[*row as usize]).collect();
            let level = own_level(&raw, &label);
            Ok(raw.iter().zip(label).map(|(raw, label)| loss_of_raw(raw + level, label)).collect())
        };
        let (plain, mut best) = (losses(None)?, (0.0, None));
        for share in [0.5, 0.25] {
            let gain: Vec<f64> =
                plain.iter().zip(losses(Some(share * span))?).map(|(plain, new)| plain - new).collect();
            if let Some(mean) = clear_gain(&gain).filter(|mean| *mean > best.0) {
                best = (mean, Some(share * span));
            }
        }
        Ok(Found { half_life: best.1, ..found })
    }
}

/// Weights that halve every `days` before the latest of `rows`, 1 on average over them.
fn weights(as_of: &[Timestamp], rows: &[u32], days: f64) -> Vec<f64> {
    let latest = rows.iter().map(|row| as_of[*row as usize]).max().unwrap_or_default();
    let age = |moment: &Timestamp| (latest.0.saturating_sub(moment.0)) as f64 / DAY as f64;
    let mut weight: Vec<f64> = as_of.iter().map(|moment| (-age(moment) / days).exp2()).collect();
    let mean = rows.iter().map(|row| weight[*row as usize]).sum::<f64>() / rows.len().max(1) as f64;
    weight.iter_mut().for_each(|weight| *weight /= mean.max(f64::MIN_POSITIVE));
    weight
}

/// The number of trees with the least loss, and that loss.
fn best_of_curve(curve: &[f64]) -> (usize, f64) {
    let least = |best: usize, at: usize| if curve[at] < curve[best] { at } else { best };
    let at = (0..curve.len()).fold(0, least);
    (at + 1, curve.get(at).copied().unwrap_or(f64::INFINITY))
}

/// The loss after each tree, averaged over parts by rows; parts that stopped early keep their last loss.
fn mean_curve(models: &[Boosted], parts: &[Part]) -> Vec<f64> {
    let length = models.iter().map(|model| model.losses.len()).max().unwrap_or(0);
    let all: usize = parts.iter().map(|part| part.asked.len()).sum();
    let at = |trees: usize| {
        let part = |(model, part): (&Boosted, &Part)| {
            let loss = model.losses.get(trees).or(model.losses.last()).copied().unwrap_or(f64::INFINITY);
            loss * part.asked.len() as f64
        };
        models.iter().zip(parts).map(part).sum::<f64>() / all.max(1) as f64
    };
    (0..length).map(at).collect()
}

fn refused(error: crate::fit::boosting::InvalidBoosting) -> TrainingError {
    TrainingError::Fit { learner: "boosting", reason: error.to_string() }
}

/// Models of different draws that are averaged. The fewer rows, the more a model depends on its draws, and the
/// cheaper it is.
fn draws(rows: usize) -> u64 {
    (DRAWN / rows.max(1) as u64).clamp(1, 10).max(if rows <= 100_000 { 2 } else { 1 })
}

/// Fits the found settings on `rows`: models of different draws, averaged, the more the fewer rows there are.
///
/// # Errors
/// As [`search`].
pub(crate) fn fit(lesson: Lesson<'_>, rows: &[u32], found: &Found) -> Result<BoostedFit, TrainingError> {
    let binned = Binned::new(lesson.matrix);
    let draws = draws(rows.len());
    // More rows bear more trees before they are learnt by heart, though not in proportion.
    let more = (rows.len() as f64 / found.rows.max(1) as f64).max(1.0).sqrt();
    let trees = ((found.trees as f64 * more).round() as usize).clamp(1, 2 * MOST_TREES);
    let weight = found.half_life.zip(lesson.as_of).map(|(days, as_of)| weights(as_of, rows, days));
    let models: Result<Vec<Boosted>, TrainingError> = (0..draws)
        .into_par_iter()
        .map(|draw| {
            let seed = found.params.seed.wrapping_add(7919 * draw);
            let params = BoostingParams { trees, patience: 0, seed, ..found.params.clone() };
            let target = Target { label: lesson.label, weight: weight.as_deref() };
            boost(&binned, target, Rows { train: rows, watch: &[], own_level: false }, &params, &|| {})
                .map_err(refused)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Dataset;
    use crate::fit::boosting::FeatureKind;
    use crate::fit::folds::Cut;
    use crate::progress::Silent;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Rows over 1000 days whose outcome follows the one column, after day 400 the other way round if it turns.
    fn course(rows: usize, turns: bool) -> (Matrix, Dataset) {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let day = |row: usize| row as i64 * 1000 / rows as i64;
        let column: Vec<f64> = (0..rows).map(|_| rng.random_range(-2.0..2.0)).collect();
        let label = (0..rows).map(|row| {
            let way = if turns && day(row) > 400 { -1.5 } else { 1.5 };
            f64::from(u8::from(rng.random::<f64>() < 1.0 / (1.0 + (-way * column[row]).exp())))
        });
        let label: Vec<f64> = label.collect();
        let as_of: Vec<Timestamp> = (0..rows).map(|row| Timestamp(day(row) * DAY)).collect();
        let known_at = Some(as_of.clone());
        let data = Dataset { rows, label, as_of, known_at, ..Dataset::default() };
        (Matrix { rows, columns: vec![column], kinds: vec![FeatureKind::Number] }, data)
    }

    fn found(matrix: &Matrix, data: &Dataset) -> Found {
        let all = (0..data.rows as u32).collect();
        let folds = Folds::new(data, all, Cut { parts: 3, whole_groups: false, seed: 1 });
        assert!(folds.forward);
        let lesson = Lesson { matrix, label: &data.label, as_of: Some(&data.as_of) };
        search(lesson, &folds, start(data.rows, 1), &Silent).unwrap()
    }

    #[test]
    fn rows_lose_weight_with_age_when_the_latest_ones_are_of_another_kind() {
        let (matrix, data) = course(1500, true);
        assert!(found(&matrix, &data).half_life.is_some());
        let (matrix, data) = course(1500, false);
        assert_eq!(found(&matrix, &data).half_life, None);
    }

    #[test]
    fn weights_halve_with_every_half_life_and_are_one_on_average() {
        let as_of: Vec<Timestamp> = [0, 10, 20].map(|day| Timestamp(day * DAY)).to_vec();
        let weight = weights(&as_of, &[0, 1, 2], 10.0);
        assert!((weight[2] / weight[1] - 2.0).abs() < 1e-12 && (weight[1] / weight[0] - 2.0).abs() < 1e-12);
        assert!((weight.iter().sum::<f64>() - 3.0).abs() < 1e-12);
    }
}
