//! The candidates: fitted in contest on some rows, and again with the settings found on all of them.

use scorehouse_features::definition::Candidate;
use serde_json::json;

use crate::error::TrainingError;
use crate::fit::boosted::{self, BoostedFit, Found, SEARCH_STEPS};
use crate::fit::boosting::Matrix;
use crate::fit::design::{Block, Design};
use crate::fit::folds::Folds;
use crate::fit::forest::{self, ForestFit};
use crate::fit::logistic::{self, LinearFit};
use crate::progress::Progress;

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
    /// The rate of the outcome, drawn towards one half, for everybody.
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
    /// Log-odds of every training row by a model that did not see it.
    pub out_of_fold: Vec<f64>,
    /// Log-odds of the rows held out.
    pub held_out: Vec<f64>,
}

/// The rows of a contest and everything that does not depend on the candidate.
#[derive(Clone, Copy)]
pub(crate) struct Contest<'a> {
    pub design: Design<'a>,
    pub folds: &'a Folds,
    /// Rows to be scored but not learnt from.
    pub held_out: &'a [u32],
    pub seed: u64,
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
            Self::Boosting(found) => json!({ "trees": found.trees, "params": found.params }),
        }
    }
}

impl Contest<'_> {
    /// Fits a candidate with settings of its own finding, and scores every row by models that did not see it.
    pub fn enter(&self, candidate: Candidate) -> Result<Entry, TrainingError> {
        match candidate {
            Candidate::Logistic => self.enter_logistic(),
            Candidate::Forest => self.enter_forest(),
            Candidate::Boosting => self.enter_boosting(),
        }
    }

    /// Everybody gets the rate of the others.
    pub fn enter_prior(&self) -> Result<Entry, TrainingError> {
        let data = self.design.data;
        let out_of_fold = self.folds.each(|learn, asked| Ok(vec![prior(&data.label, learn); asked.len()]))?;
        let held_out = vec![prior(&data.label, self.design.rows); self.held_out.len()];
        Ok(Entry { settings: Settings::Prior, out_of_fold, held_out })
    }

    fn enter_logistic(&self) -> Result<Entry, TrainingError> {
        self.progress.stage("logistic regression", 1);
        let block = self.design.linear();
        let matrix = block.encode(self.design, &self.folds.fold);
        let fit = logistic::fit(&matrix, &self.design.data.label, self.folds)?;
        let held_out = fit.model.raw(&matrix, self.held_out);
        self.progress.advance(1);
        Ok(Entry {
            settings: Settings::Logistic { penalty: fit.penalty },
            out_of_fold: fit.out_of_fold,
            held_out,
        })
    }

    fn enter_forest(&self) -> Result<Entry, TrainingError> {
        self.progress.stage("random forest", forest::TREES as u64);
        let matrix = self.design.forest().encode(self.design, &self.folds.fold);
        let advance = |by| self.progress.advance(by);
        let fit = forest::fit(&matrix, &self.design.data.label, self.folds, self.seed, &advance)?;
        let held_out = fit.raw(&matrix, self.held_out);
        Ok(Entry { settings: Settings::Forest, out_of_fold: fit.out_of_bag, held_out })
    }

    fn enter_boosting(&self) -> Result<Entry, TrainingError> {
        self.progress.stage("boosted trees", SEARCH_STEPS);
        let matrix = self.design.trees().encode(self.design, &self.folds.fold);
        let label = &self.design.data.label;
        let advance = |by| self.progress.advance(by);
        let searched = boosted::search(&matrix, label, self.folds, self.seed, &advance)?;
        let held_out = searched.folds.raw(&matrix, self.held_out);
        let settings = Settings::Boosting(searched.found);
        Ok(Entry { settings, out_of_fold: searched.out_of_fold, held_out })
    }

    /// Fits known settings on the contest's rows.
    pub fn refit(&self, settings: &Settings) -> Result<Fitted, TrainingError> {
        let (data, folds) = (self.design.data, self.folds);
        let (block, model) = match settings {
            Settings::Prior => {
                let fit = LinearFit { intercept: prior(&data.label, self.design.rows), weights: Vec::new() };
                (Block::default(), Learned::Linear { fit, centers: Vec::new() })
            }
            Settings::Logistic { penalty } => {
                let block = self.design.linear();
                let matrix = block.encode(self.design, &folds.fold);
                let fit = logistic::refit(&matrix, &data.label, self.design.rows, *penalty)?;
                let centers = means(&matrix, self.design.rows);
                (block, Learned::Linear { fit, centers })
            }
            Settings::Forest => {
                let block = self.design.forest();
                let matrix = block.encode(self.design, &folds.fold);
                (block, Learned::Forest(forest::fit(&matrix, &data.label, folds, self.seed, &|_| {})?))
            }
            Settings::Boosting(found) => {
                let block = self.design.trees();
                let matrix = block.encode(self.design, &folds.fold);
                (block, Learned::Boosted(boosted::fit(&matrix, &data.label, self.design.rows, found)?))
            }
        };
        Ok(Fitted { block, model })
    }
}

/// Log-odds of the rate of the outcome with one row of either kind added (Laplace's rule of succession).
fn prior(label: &[f64], rows: &[u32]) -> f64 {
    let with: f64 = rows.iter().map(|row| label[*row as usize]).sum();
    ((with + 1.0) / (rows.len() as f64 - with + 1.0)).ln()
}

fn means(matrix: &Matrix, rows: &[u32]) -> Vec<f64> {
    let mean = |column: &Vec<f64>| {
        rows.iter().map(|row| column[*row as usize]).sum::<f64>() / rows.len().max(1) as f64
    };
    matrix.columns.iter().map(mean).collect()
}
