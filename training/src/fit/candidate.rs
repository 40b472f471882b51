//! The candidates: settings found on some rows, scores of rows by models that did not see them, and the last fit.

use scorehouse_features::definition::{Candidate, Prior};
use serde_json::json;

use crate::dataset::{ColumnNote, Dataset};
use crate::error::TrainingError;
use crate::fit::boosted::{self, BoostedFit, Found, Lesson, SEARCH_STEPS};
use crate::fit::boosting::{BoostingParams, Matrix};
use crate::fit::design::{Block, Design};
use crate::fit::folds::Folds;
use crate::fit::forest::{self, ForestFit};
use crate::fit::logistic::{self, LinearFit};
use crate::progress::Progress;
use crate::split::{Part, folds_of};

/// Folds of the rows learnt from, for rates of levels that do not hold a row's own outcome.
const RATE_FOLDS: usize = 5;

/// A fitted candidate over the columns of its block.
pub(crate) struct Fitted {
    pub block: Block,
    pub model: Learned,
}

/// What a learner learnt, in the columns of its block.
pub(crate) enum Learned {
    /// Weights, and the mean of each column over the rows learnt from.
    Linear {
        fit: LinearFit,
        centers: Vec<f64>,
    },
    Boosted(BoostedFit),
    Forest(ForestFit),
}

/// What it takes to fit a candidate again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Settings {
    /// The rate of the outcome, drawn towards the stated prior, for everybody.
    Prior,
    Logistic {
        penalty: f64,
    },
    Forest,
    Boosting(Found),
}

/// One candidate's part in the contest.
pub(crate) struct Entry {
    pub settings: Settings,
    /// Log-odds of the rows that the folds ask, by a model that did not see them.
    pub out_of_fold: Vec<f64>,
    /// Log-odds of the rows held out.
    pub held_out: Vec<f64>,
}

/// What is learnt from, whatever the candidate and the rows.
#[derive(Clone, Copy)]
pub(crate) struct Learner<'a> {
    pub data: &'a Dataset,
    /// What is done with each column.
    pub notes: &'a [ColumnNote],
    pub prior: Prior,
    pub seed: u64,
}

/// The rows of a contest.
#[derive(Clone, Copy)]
pub(crate) struct Contest<'a> {
    pub learner: Learner<'a>,
    pub folds: &'a Folds,
    /// Rows to be scored but not learnt from.
    pub held_out: &'a [u32],
    pub progress: &'a dyn Progress,
}

impl Settings {
    /// The candidate's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Prior => "prior",
            Self::Logistic { .. } => "logistic",
            Self::Forest => "forest",
            Self::Boosting(_) => "boosting",
        }
    }

    /// The settings for readers.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Prior => json!({}),
            Self::Logistic { penalty } => json!({ "l2": penalty }),
            Self::Forest => json!({ "trees": forest::TREES, "max_depth": forest::DEPTH }),
            Self::Boosting(found) => {
                json!({ "trees": found.trees, "params": found.params, "half_life_days": found.half_life })
            }
        }
    }
}

impl Contest<'_> {
    /// A candidate with settings of its own finding.
    ///
    /// # Errors
    /// [`TrainingError::Fit`] when a fit fails, which no data should cause.
    pub fn enter(&self, candidate: Candidate) -> Result<Entry, TrainingError> {
        let settings = match candidate {
            Candidate::Logistic => self.find_logistic()?,
            Candidate::Forest => {
                self.progress.stage("random forest", 0);
                Settings::Forest
            }
            Candidate::Boosting => self.find_boosting()?,
        };
        self.enter_with(settings)
    }

    /// Scores every row by models that did not see it, each fitted from scratch as the last one will be.
    ///
    /// # Errors
    /// As [`Contest::enter`].
    pub fn enter_with(&self, settings: Settings) -> Result<Entry, TrainingError> {
        let out_of_fold = self.folds.each(|part| self.learner.answers(&settings, part))?;
        let held_out = match self.held_out {
            [] => Vec::new(),
            asked => {
                let part = Part { learn: self.folds.rows.clone(), asked: asked.to_vec() };
                self.learner.answers(&settings, &part)?
            }
        };
        Ok(Entry { settings, out_of_fold, held_out })
    }

    fn design(&self) -> Design<'_> {
        Design { data: self.learner.data, notes: self.learner.notes, rows: &self.folds.rows }
    }

    fn find_logistic(&self) -> Result<Settings, TrainingError> {
        self.progress.stage("logistic regression", 0);
        let matrix = self.design().linear().encode(self.design(), &self.folds.fold);
        let penalty = logistic::choose(&matrix, &self.learner.data.label, self.folds)?;
        Ok(Settings::Logistic { penalty })
    }

    fn find_boosting(&self) -> Result<Settings, TrainingError> {
        self.progress.stage("boosted trees", SEARCH_STEPS);
        let block = self.design().trees();
        let matrix = block.encode(self.design(), &self.folds.fold);
        let start = boosted::start(self.folds.rows.len(), self.learner.seed);
        let start = BoostingParams { monotone: block.monotone(self.learner.data), ..start };
        let found = boosted::search(self.learner.lesson(&matrix), self.folds, start, self.progress)?;
        Ok(Settings::Boosting(found))
    }
}

impl<'a> Learner<'a> {
    /// Scores of rows by a model that learnt from others.
    ///
    /// # Errors
    /// As [`Contest::enter`].
    pub fn answers(&self, settings: &Settings, part: &Part) -> Result<Vec<f64>, TrainingError> {
        let (fitted, matrix) = self.fit_and_encode(settings, &part.learn, &|_| {})?;
        Ok(match &fitted.model {
            Learned::Linear { fit, .. } => fit.raw(&matrix, &part.asked),
            Learned::Boosted(fit) => fit.raw(&matrix, &part.asked),
            Learned::Forest(fit) => fit.raw(&matrix, &part.asked),
        })
    }

    /// Fits known settings on `rows`.
    ///
    /// # Errors
    /// As [`Contest::enter`].
    pub fn fit(&self, settings: &Settings, rows: &[u32]) -> Result<Fitted, TrainingError> {
        Ok(self.fit_and_encode(settings, rows, &|_| {})?.0)
    }

    fn lesson<'m>(&self, matrix: &'m Matrix) -> Lesson<'m>
    where
        'a: 'm,
    {
        let timed = self.data.known_at.is_some();
        let as_of = timed.then_some(self.data.as_of.as_slice());
        Lesson { matrix, label: &self.data.label, as_of }
    }

    fn fit_and_encode(
        &self,
        settings: &Settings,
        rows: &[u32],
        advance: &(dyn Fn(u64) + Sync),
    ) -> Result<(Fitted, Matrix), TrainingError> {
        let design = Design { data: self.data, notes: self.notes, rows };
        let block = match settings {
            Settings::Prior => Block::default(),
            Settings::Logistic { .. } => design.linear(),
            Settings::Forest => design.forest(),
            Settings::Boosting(_) => design.trees(),
        };
        let fold = folds_of(self.data, rows, RATE_FOLDS.min(rows.len().max(2)), self.seed ^ 0x7a7e);
        let matrix = block.encode(design, &fold);
        let label = &self.data.label;
        let model = match settings {
            Settings::Prior => {
                let fit = LinearFit { intercept: rate(label, rows, self.prior), weights: Vec::new() };
                Learned::Linear { fit, centers: Vec::new() }
            }
            Settings::Logistic { penalty } => {
                let fit = logistic::fit(&matrix, label, rows, *penalty)?;
                Learned::Linear { fit, centers: means(&matrix, rows) }
            }
            Settings::Forest => Learned::Forest(forest::fit(&matrix, label, rows, self.seed, advance)?),
            Settings::Boosting(found) => {
                // The columns of a block depend on the rows that it was designed on.
                let params = BoostingParams { monotone: block.monotone(self.data), ..found.params.clone() };
                let found = Found { params, ..found.clone() };
                Learned::Boosted(boosted::fit(self.lesson(&matrix), rows, &found)?)
            }
        };
        Ok((Fitted { block, model }, matrix))
    }
}

/// Log-odds of the rate of the outcome among `rows` and those that the prior stands for.
fn rate(label: &[f64], rows: &[u32], prior: Prior) -> f64 {
    let with: f64 = rows.iter().map(|row| label[*row as usize]).sum();
    let without = rows.len() as f64 - with;
    ((with + prior.rows * prior.rate) / (without + prior.rows * (1.0 - prior.rate))).ln()
}

fn means(matrix: &Matrix, rows: &[u32]) -> Vec<f64> {
    let mean = |column: &Vec<f64>| {
        rows.iter().map(|row| column[*row as usize]).sum::<f64>() / rows.len().max(1) as f64
    };
    matrix.columns.iter().map(mean).collect()
}
