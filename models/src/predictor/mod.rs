//! What computes the raw score: a closed set, since each one is stored and must still load years later.

mod average;
pub mod forest;
mod form;
mod linear;
pub mod onnx;
pub mod recommender;

use serde::{Deserialize, Serialize};

pub use average::{Average, Member};
pub use forest::{Forest, ForestBuilder, SplitRule, TreeNode};
pub use linear::{Linear, Term};
pub use onnx::Onnx;
pub use recommender::Recommender;

pub(crate) use form::Form;

use crate::calibration::{log_odds, sigmoid};
use crate::error::ModelError;

/// What computes the raw score.
#[derive(Debug, Clone)]
pub enum Predictor {
    /// A weighted sum of columns.
    Linear(Linear),
    /// A sum of trees.
    Forest(Forest),
    /// A weighted mean of other predictors on the same row.
    Average(Average),
    /// A model trained elsewhere, run by ONNX Runtime.
    Onnx(Onnx),
    /// Items for a user; gives no raw score.
    Recommender(Box<Recommender>),
}

/// The scale of a raw score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Log-odds, any number: logistic regression, boosted trees.
    LogOdds,
    /// A probability, 0 to 1: random forests, ONNX classifiers.
    Probability,
    /// A scale of its own, any number.
    Value,
}

impl Scale {
    /// The raw score as a probability; a raw score that is none is cut to 0 to 1.
    #[must_use]
    pub fn probability(self, raw: f64) -> f64 {
        match self {
            Self::LogOdds => sigmoid(raw),
            Self::Probability | Self::Value => raw.clamp(0.0, 1.0),
        }
    }

    /// The raw score as log-odds.
    #[must_use]
    pub fn log_odds(self, raw: f64) -> f64 {
        match self {
            Self::LogOdds => raw,
            Self::Probability | Self::Value => log_odds(raw),
        }
    }
}

impl Predictor {
    /// The kind, as it stands in messages and listings.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Linear(_) => "linear",
            Self::Forest(_) => "forest",
            Self::Average(_) => "average",
            Self::Onnx(_) => "ONNX",
            Self::Recommender(_) => "recommender",
        }
    }

    /// The scale of [`Predictor::raw`].
    #[must_use]
    pub fn scale(&self) -> Scale {
        match self {
            Self::Linear(linear) => linear.scale(),
            Self::Forest(forest) => forest.scale(),
            Self::Average(average) => average.scale(),
            Self::Onnx(onnx) => onnx.scale(),
            Self::Recommender(_) => Scale::Value,
        }
    }

    /// Columns that a row must have at least.
    #[must_use]
    pub fn width(&self) -> usize {
        match self {
            Self::Linear(linear) => linear.width(),
            Self::Forest(forest) => forest.width(),
            Self::Average(average) => average.width(),
            Self::Onnx(onnx) => onnx.width(),
            Self::Recommender(_) => 0,
        }
    }

    /// Does now what the first score or reason would otherwise wait for: opens the ONNX session, builds the
    /// tables that reasons read, rounds the vectors that recommendations scan.
    ///
    /// # Errors
    /// [`ModelError::OnnxLibrary`] or [`ModelError::Onnx`] for a model that cannot be run.
    pub fn prepare(&self) -> Result<(), ModelError> {
        match self {
            Self::Forest(forest) => forest.prepare(),
            Self::Average(average) => return average.prepare(),
            Self::Onnx(onnx) => return onnx.prepare(),
            Self::Recommender(recommender) => recommender.prepare(),
            Self::Linear(_) => {}
        }
        Ok(())
    }

    /// The raw score of one row of columns on [`Predictor::scale`].
    ///
    /// # Errors
    /// [`ModelError::WrongWidth`] for a row that is too short, [`ModelError::WrongOutput`] for a recommender,
    /// and what ONNX Runtime reports.
    pub fn raw(&self, row: &[f64]) -> Result<f64, ModelError> {
        self.check_width(row.len())?;
        match self {
            Self::Linear(linear) => Ok(linear.raw(row)),
            Self::Forest(forest) => Ok(forest.raw(row)),
            Self::Average(average) => average.raw(row),
            Self::Onnx(onnx) => onnx.raw(row),
            Self::Recommender(_) => Err(ModelError::WrongOutput { answers: "items", asked: "a score" }),
        }
    }

    /// The raw scores of many rows, laid one after the other in `rows`, each `width` columns wide. Every score
    /// is the very one that [`Predictor::raw`] gives.
    ///
    /// # Errors
    /// As [`Predictor::raw`]; [`ModelError::WrongWidth`] also when `rows` is not `out.len()` rows long.
    pub fn raw_batch(&self, rows: &[f64], width: usize, out: &mut [f64]) -> Result<(), ModelError> {
        self.check_width(width)?;
        if rows.len() != width * out.len() {
            return Err(ModelError::WrongWidth { expected: width * out.len(), given: rows.len() });
        }
        match self {
            Self::Forest(forest) => forest.raw_batch(rows, width, out),
            Self::Average(average) => average.raw_batch(rows, width, out)?,
            Self::Linear(_) | Self::Onnx(_) | Self::Recommender(_) => {
                for (i, raw) in out.iter_mut().enumerate() {
                    *raw = self.raw(&rows[i * width..(i + 1) * width])?;
                }
            }
        }
        Ok(())
    }

    /// Writes what each column contributes to the raw score of `row` into `out` (as wide as the row) and gives
    /// the base they start from: base plus contributions is the raw score, but for rounding.
    ///
    /// Exact for linear models (against the mean of each column) and for forests (path-dependent TreeSHAP,
    /// Lundberg et al. 2020), and so for their averages. Estimated for ONNX models, against the golden samples of
    /// the artifact they were loaded from.
    ///
    /// # Errors
    /// [`ModelError::NoReasons`] for recommenders, and for ONNX models of an artifact without golden samples.
    pub fn contributions(&self, row: &[f64], out: &mut [f64]) -> Result<f64, ModelError> {
        self.check_width(row.len())?;
        self.check_width(out.len())?;
        out.fill(0.0);
        self.add_contributions(row, 1.0, out)
    }

    /// Adds `weight` times the contributions to `out` and gives `weight` times the base.
    pub(crate) fn add_contributions(
        &self,
        row: &[f64],
        weight: f64,
        out: &mut [f64],
    ) -> Result<f64, ModelError> {
        match self {
            Self::Linear(linear) => Ok(linear.add_contributions(row, weight, out)),
            Self::Forest(forest) => Ok(forest.add_contributions(row, weight, out)),
            Self::Average(average) => average.add_contributions(row, weight, out),
            Self::Onnx(onnx) => onnx.add_contributions(row, weight, out),
            Self::Recommender(_) => Err(ModelError::NoReasons { predictor: self.kind() }),
        }
    }

    /// The numbers up to and including which trees send a column one way, ascending; empty for what has no trees.
    #[must_use]
    pub fn thresholds(&self, column: usize) -> Vec<f64> {
        match self {
            Self::Forest(forest) => forest.thresholds(column),
            Self::Average(average) => {
                let members = average.members().iter();
                let mut all: Vec<f64> =
                    members.flat_map(|member| member.predictor.thresholds(column)).collect();
                all.sort_unstable_by(f64::total_cmp);
                all.dedup();
                all
            }
            Self::Linear(_) | Self::Onnx(_) | Self::Recommender(_) => Vec::new(),
        }
    }

    /// True when [`Predictor::contributions`] has an answer.
    #[must_use]
    pub fn explains(&self) -> bool {
        match self {
            Self::Linear(_) | Self::Forest(_) => true,
            Self::Average(average) => average.members().iter().all(|m| m.predictor.explains()),
            Self::Onnx(onnx) => onnx.explains(),
            Self::Recommender(_) => false,
        }
    }

    /// Gives predictors that are closed boxes the rows of columns that their contributions are told against.
    pub(crate) fn set_background(&mut self, rows: &[Vec<f64>]) {
        match self {
            Self::Onnx(onnx) => onnx.set_background(rows),
            Self::Average(average) => average.set_background(rows),
            Self::Linear(_) | Self::Forest(_) | Self::Recommender(_) => {}
        }
    }

    fn check_width(&self, given: usize) -> Result<(), ModelError> {
        let expected = self.width();
        if given >= expected { Ok(()) } else { Err(ModelError::WrongWidth { expected, given }) }
    }
}
