//! Penalised logistic regression, by linfa.
//!
//! The one place where linfa's older ndarray is seen.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_logistic::LogisticRegression;
use ndarray_linfa::{Array1, Array2, ShapeBuilder};
use rayon::prelude::*;

use crate::error::TrainingError;
use crate::fit::boosting::Matrix;
use crate::fit::folds::Folds;
use crate::metric::{log_loss_of_raw, own_level};

/// L2 penalties tried, strongest first; each is the weight of half the squared coefficients against the sum
/// of row losses.
const PENALTIES: [f64; 5] = [300.0, 60.0, 12.0, 2.5, 0.5];
const LEARNER: &str = "logistic regression";
/// Most steps of the optimiser.
const ITERATIONS: u64 = 60;
/// Size of the gradient, per row, at which the optimiser stops.
const TOLERANCE: f64 = 1e-5;
/// Rows that a fit reads at most; with more, it reads every second, third, … one.
const READ: usize = 100_000;
/// Rows on which penalties are compared; more would not change the choice.
const COMPARE: usize = 20_000;

/// A fitted linear model over the columns of a matrix.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LinearFit {
    pub intercept: f64,
    pub weights: Vec<f64>,
}

impl LinearFit {
    /// Log-odds of `rows`, in their order.
    pub fn raw(&self, matrix: &Matrix, rows: &[u32]) -> Vec<f64> {
        let mut raw = vec![self.intercept; rows.len()];
        for (column, weight) in matrix.columns.iter().zip(&self.weights) {
            for (raw, row) in raw.iter_mut().zip(rows) {
                *raw += weight * column[*row as usize];
            }
        }
        raw
    }
}

/// The penalty that loses least under cross-validation.
///
/// # Errors
/// [`TrainingError::Fit`] when the optimiser fails under every penalty.
pub(crate) fn choose(matrix: &Matrix, label: &[f64], folds: &Folds) -> Result<f64, TrainingError> {
    Problem { matrix, label }.choose(&folds.thinned(COMPARE))
}

/// Fits with a known penalty.
///
/// # Errors
/// As [`choose`].
pub(crate) fn fit(
    matrix: &Matrix,
    label: &[f64],
    rows: &[u32],
    penalty: f64,
) -> Result<LinearFit, TrainingError> {
    let problem = Problem { matrix, label };
    let step = rows.len().div_ceil(COMPARE).max(1);
    if step == 1 {
        return problem.ridge(rows, penalty, None);
    }
    // A fit on few rows is where the fit on many begins.
    let some: Vec<u32> = rows.iter().step_by(step).copied().collect();
    let near = problem.ridge(&some, penalty, None)?;
    problem.ridge(rows, penalty, Some(&near))
}

#[derive(Clone, Copy)]
struct Problem<'a> {
    matrix: &'a Matrix,
    label: &'a [f64],
}

impl Problem<'_> {
    fn choose(&self, folds: &Folds) -> Result<f64, TrainingError> {
        let parts: Result<Vec<_>, TrainingError> = folds
            .parts
            .par_iter()
            .map(|part| Ok((self.path(&part.learn, &part.asked)?, &part.asked)))
            .collect();
        let parts = parts?;
        let asked: usize = parts.iter().map(|(_, asked)| asked.len()).sum();
        let loss = |at: usize| {
            let of_part = |(answers, asked): &(Vec<Vec<f64>>, &Vec<u32>)| {
                let truth: Vec<f64> = asked.iter().map(|row| self.label[*row as usize]).collect();
                // What the rate of the outcome was in a later block says nothing about the penalty.
                let level = if folds.forward { own_level(&answers[at], &truth) } else { 0.0 };
                let raw: Vec<f64> = answers[at].iter().map(|raw| raw + level).collect();
                log_loss_of_raw(&raw, &truth) * asked.len() as f64
            };
            parts.iter().map(of_part).sum::<f64>() / asked.max(1) as f64
        };
        let losses: Vec<f64> = (0..PENALTIES.len()).map(loss).collect();
        let best = (0..PENALTIES.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap_or(0);
        Ok(PENALTIES[best])
    }

    /// Answers under each penalty, each fit beginning where the stronger one before it ended.
    fn path(&self, learn: &[u32], asked: &[u32]) -> Result<Vec<Vec<f64>>, TrainingError> {
        let mut before: Option<LinearFit> = None;
        let mut answers = Vec::new();
        for penalty in PENALTIES {
            let fitted = self.ridge(learn, penalty, before.as_ref())?;
            answers.push(fitted.raw(self.matrix, asked));
            before = Some(fitted);
        }
        Ok(answers)
    }

    fn ridge(
        &self,
        rows: &[u32],
        penalty: f64,
        start: Option<&LinearFit>,
    ) -> Result<LinearFit, TrainingError> {
        let columns = &self.matrix.columns;
        let step = rows.len().div_ceil(READ).max(1);
        let (read, penalty) = (rows.iter().step_by(step).copied(), penalty / step as f64);
        let rows: &[u32] = &read.collect::<Vec<u32>>();
        let with = rows.iter().filter(|row| self.label[**row as usize] > 0.5).count();
        if columns.is_empty() || with == 0 || with == rows.len() {
            let odds = (with as f64 + 0.5) / ((rows.len() - with) as f64 + 0.5);
            return Ok(LinearFit { intercept: odds.ln(), weights: vec![0.0; columns.len()] });
        }
        // Column by column: linfa's gradient is a product with the transpose, which then runs along memory.
        let values = columns.iter().flat_map(|column| rows.iter().map(|row| column[*row as usize])).collect();
        let shape = (rows.len(), columns.len()).f();
        let x = Array2::from_shape_vec(shape, values)
            .map_err(|e| TrainingError::Fit { learner: LEARNER, reason: e.to_string() })?;
        let y: Array1<bool> = rows.iter().map(|row| self.label[*row as usize] > 0.5).collect();
        optimise(&DatasetBase::new(x, y), penalty, start)
    }
}

fn optimise(
    data: &DatasetBase<Array2<f64>, Array1<bool>>,
    penalty: f64,
    start: Option<&LinearFit>,
) -> Result<LinearFit, TrainingError> {
    let rows = data.records().nrows() as f64;
    let mut failure = String::new();
    // The line search may give up where the loss is nearly flat; a stronger penalty bends it.
    for factor in [1.0, 10.0, 1000.0] {
        let mut settings = LogisticRegression::default()
            .alpha(penalty * factor)
            .max_iterations(ITERATIONS)
            .gradient_tolerance(TOLERANCE * rows);
        if let Some(start) = start {
            let sign = sign_of(data.targets());
            let from = start.weights.iter().chain([&start.intercept]).map(|w| sign * w);
            settings = settings.initial_params(from.collect());
        }
        match settings.fit(data) {
            Ok(fitted) => {
                let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
                let weights: Vec<f64> = fitted.params().iter().map(|w| sign * w).collect();
                let intercept = sign * fitted.intercept();
                if intercept.is_finite() && weights.iter().all(|w| w.is_finite()) {
                    return Ok(LinearFit { intercept, weights });
                }
                failure = "a coefficient is not finite".to_owned();
            }
            Err(error) => failure = error.to_string(),
        }
    }
    Err(TrainingError::Fit { learner: LEARNER, reason: failure })
}

/// The class that linfa models: that of the first row, unless the other one has more rows.
fn sign_of(label: &Array1<bool>) -> f64 {
    let first = label.first().copied().unwrap_or(true);
    let alike = label.iter().filter(|y| **y == first).count();
    let positive = if alike < label.len() - alike { !first } else { first };
    if positive { 1.0 } else { -1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::boosting::FeatureKind;

    fn matrix(columns: Vec<Vec<f64>>) -> Matrix {
        Matrix { rows: columns[0].len(), kinds: vec![FeatureKind::Number; columns.len()], columns }
    }

    /// Cells (x, outcome, rows) of a 2×2 table, whose maximum likelihood is known in closed form.
    fn table(rate_at_zero: usize, rate_at_one: usize) -> (Matrix, Vec<f64>) {
        let cells = [(0.0, rate_at_zero), (1.0, rate_at_one)];
        let rows =
            cells.iter().flat_map(|(x, with)| (0..100).map(move |i| (*x, f64::from(u8::from(i < *with)))));
        let (x, y): (Vec<f64>, Vec<f64>) = rows.unzip();
        (matrix(vec![x]), y)
    }

    #[test]
    fn the_coefficient_is_for_the_outcome_whichever_class_is_larger() {
        for (zero, one) in [(20, 60), (80, 40), (10, 20), (90, 95)] {
            let (x, y) = table(zero, one);
            let rows: Vec<u32> = (0..200).collect();
            let fitted = fit(&x, &y, &rows, 1e-6).unwrap();
            let odds = |with: usize| (with as f64 / (100 - with) as f64).ln();
            assert!((fitted.intercept - odds(zero)).abs() < 0.01, "{fitted:?}");
            assert!((fitted.weights[0] - (odds(one) - odds(zero))).abs() < 0.02, "{fitted:?}");
        }
    }

    #[test]
    fn separated_rows_and_useless_columns_still_give_a_finite_model() {
        let x = matrix(vec![vec![-1.0, -1.0, 1.0, 1.0], vec![0.0; 4]]);
        let y = [0.0, 0.0, 1.0, 1.0];
        let fitted = fit(&x, &y, &[0, 1, 2, 3], 0.5).unwrap();
        assert!(fitted.weights[0] > 0.0 && fitted.weights[1] == 0.0);
    }

    #[test]
    fn a_start_elsewhere_ends_in_the_same_place() {
        for (zero, one) in [(20, 60), (80, 40), (90, 95)] {
            let (x, y) = table(zero, one);
            let rows: Vec<u32> = (0..200).collect();
            let problem = Problem { matrix: &x, label: &y };
            let from = LinearFit { intercept: 1.5, weights: vec![-2.0] };
            let (cold, warm) =
                (problem.ridge(&rows, 0.1, None).unwrap(), problem.ridge(&rows, 0.1, Some(&from)).unwrap());
            assert!((cold.weights[0] - warm.weights[0]).abs() < 0.01, "{cold:?} {warm:?}");
        }
    }

    #[test]
    fn one_kind_of_rows_gives_a_constant() {
        let x = matrix(vec![vec![1.0, 2.0, 3.0]]);
        let fitted = fit(&x, &[1.0; 3], &[0, 1, 2], 1.0).unwrap();
        assert_eq!(fitted.weights, [0.0]);
        assert!(fitted.intercept.is_finite());
    }

    #[derive(serde::Deserialize)]
    struct Figures {
        regressions: Vec<Regression>,
    }

    #[derive(serde::Deserialize)]
    struct Regression {
        name: String,
        columns: Vec<Vec<f64>>,
        label: Vec<f64>,
        penalty: f64,
        weights: Vec<f64>,
        intercept: f64,
    }

    #[test]
    fn coefficients_are_those_of_scikit_learn_under_weak_and_strong_penalties() {
        let text = include_str!("../../../tests/parity/calibration.json");
        let figures: Figures = serde_json::from_str(text).unwrap();
        assert_eq!(figures.regressions.len(), 3);
        for case in figures.regressions {
            let rows: Vec<u32> = (0..case.label.len() as u32).collect();
            let fitted = fit(&matrix(case.columns), &case.label, &rows, case.penalty).unwrap();
            let ours = fitted.weights.iter().chain([&fitted.intercept]);
            for (ours, theirs) in ours.zip(case.weights.iter().chain([&case.intercept])) {
                // The optimiser stops where the mean gradient is a hundred-thousandth.
                assert!((ours - theirs).abs() < 1e-4, "{}: {ours} against {theirs}", case.name);
            }
        }
    }
}
