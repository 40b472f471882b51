//! What a training run is asked for and what comes of it.

use scorehouse_features::definition::Project;
use scorehouse_features::ids::ModelName;
use scorehouse_features::time::Timestamp;
use scorehouse_models::Artifact;
use serde::{Deserialize, Serialize};

use crate::dataset::ColumnNote;
use crate::drift::Drift;
use crate::gate::{Champion, Gate};
use crate::history::History;
use crate::leak::LeakWarning;
use crate::metric::Evaluation;
use crate::progress::Progress;

/// One training run.
#[derive(Clone, Copy)]
pub struct TrainRequest<'a> {
    /// The checked project.
    pub project: &'a Project,
    /// The model to train.
    pub model: &'a ModelName,
    /// Where rows and features are read.
    pub history: &'a dyn History,
    /// Seed of everything random; the same data and seed give the same artifact.
    pub seed: u64,
    /// Worker threads; 0 means one per core. The result does not depend on it.
    pub threads: usize,
    /// The present moment, for what is known and what is not yet.
    pub now: Timestamp,
    /// The model that is live now, which the new one is compared with.
    pub champion: Option<Champion<'a>>,
    /// Who is told of the progress.
    pub progress: &'a dyn Progress,
}

/// A trained model with everything that speaks for or against it.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The frozen model, ready to be registered.
    pub artifact: Artifact,
    /// How well the chosen candidate did on the holdout, before it was fitted again on everything.
    pub metrics: Evaluation,
    /// Whether it should go live, and why.
    pub gate: Gate,
    /// Every candidate, in the order of the gate's preference.
    pub candidates: Vec<CandidateResult>,
    /// The time and rows it was learnt from.
    pub window: TrainingWindow,
    /// BLAKE3 of the training set (columns, values, labels, times), 64 hex digits.
    pub data_digest: String,
    /// The settings that were used or found, for the registry.
    pub params: serde_json::Value,
    /// A page that stands on its own, in HTML.
    pub report_html: Option<String>,
    /// What was done to each column, and which were set aside.
    pub notes: Vec<ColumnNote>,
    /// Columns that seem to know the outcome; none for a recommender.
    pub leaks: Vec<LeakWarning>,
    /// How the latest rows differ from those learnt from; none without time.
    pub drift: Option<Drift>,
}

/// One candidate's showing on the holdout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateResult {
    /// `logistic`, `forest`, `boosting`, `average`, `prior`, or a recommender's name.
    pub name: String,
    /// The settings it ended with.
    pub settings: serde_json::Value,
    /// Its metrics on the holdout.
    pub metrics: Evaluation,
    /// True for the one that was chosen.
    pub chosen: bool,
}

/// The time and rows a model was learnt from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingWindow {
    /// The earliest snapshot, when the data has time.
    pub from: Option<Timestamp>,
    /// The latest snapshot.
    pub to: Option<Timestamp>,
    /// Where the holdout begins, when it was split by time.
    pub holdout_from: Option<Timestamp>,
    /// Rows learnt from, the holdout included.
    pub rows: usize,
    /// Rows of the holdout.
    pub holdout_rows: usize,
}
