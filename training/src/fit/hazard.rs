//! Hazards of competing ends: how likely what is still open ends in either way within the next stretch.

use scorehouse_models::predictor::Predictor;
use scorehouse_models::{Encoder, ModelError, Signature, Timing};

use crate::dataset::{ColumnNote, Dataset};
use crate::error::TrainingError;
use crate::fit::assemble::assemble;
use crate::fit::boosted::{self, Found, Lesson};
use crate::fit::boosting::{Binned, BoostingParams, Rows, Target, boost};
use crate::fit::candidate::{Fitted, Learned};
use crate::fit::design::Design;
use crate::fit::folds::{Cut, Folds};

/// Leaves of a tree: hazards follow few things, and mostly one at a time.
const LEAVES: usize = 8;
/// Most trees of one hazard.
const TREES: usize = 400;
/// Trees where there is nothing to watch.
const UNWATCHED: usize = 20;

/// Rows of what was open at the beginning of a stretch, each with how the stretch ended.
pub(crate) struct Periods {
    /// The model's columns, then the number of the stretch. Its labels say which ended won.
    pub data: Dataset,
    /// What is done with each column.
    pub notes: Vec<ColumnNote>,
    /// Labels that say which ended lost.
    pub lost: Vec<f64>,
    /// The days at which stretches end.
    pub edges: Vec<f64>,
    pub seed: u64,
}

impl Periods {
    /// Fits the hazards of both ends over the same columns.
    ///
    /// # Errors
    /// [`TrainingError::Fit`] and [`TrainingError::Artifact`], which no data should cause.
    pub fn fit(mut self, model: &Signature) -> Result<Timing, TrainingError> {
        let won = self.hazard()?;
        std::mem::swap(&mut self.data.label, &mut self.lost);
        let lost = self.hazard()?;
        self.timing(won, lost, model).map_err(|error| TrainingError::Artifact(error.to_string()))
    }

    fn timing(&self, won: Fitted, lost: Fitted, model: &Signature) -> Result<Timing, ModelError> {
        let assembled = assemble(&[(0.5, won), (0.5, lost)])?;
        let encoder = Encoder::new(assembled.columns, &Timing::signature(model))?;
        let Predictor::Average(both) = assembled.predictor else {
            return Err(ModelError::Invalid { part: "timing", why: "there must be two hazards".to_owned() });
        };
        let [won, lost] = [0, 1].map(|at| both.members()[at].predictor.clone());
        Timing::new(self.edges.clone(), encoder, won, lost)
    }

    fn hazard(&self) -> Result<Fitted, TrainingError> {
        let data = &self.data;
        let all: Vec<u32> = (0..data.rows as u32).collect();
        let cut = Cut { parts: 3, whole_groups: true, seed: self.seed };
        let folds = Folds::new(data, all.clone(), cut);
        let design = Design { data, notes: &self.notes, rows: &all };
        let block = design.trees_without_rates();
        let matrix = block.encode(design, &folds.fold);
        let start = boosted::start(data.rows, self.seed);
        let params = BoostingParams { trees: TREES, leaves: LEAVES, ..start };
        let mut found = Found { params, trees: UNWATCHED, loss: f64::NAN, rows: data.rows, half_life: None };
        if let Some(part) = folds.parts.last() {
            let target = Target { label: &data.label, weight: None };
            let rows = Rows { train: &part.learn, watch: &part.asked, own_level: folds.forward };
            let watched = boost(&Binned::new(&matrix), target, rows, &found.params, &|| {});
            let refused = |e: super::boosting::InvalidBoosting| TrainingError::Fit {
                learner: "hazard",
                reason: e.to_string(),
            };
            (found.trees, found.rows) = (watched.map_err(refused)?.best().max(1), part.learn.len());
        }
        let lesson = Lesson { matrix: &matrix, label: &data.label, as_of: None };
        let fit = boosted::fit(lesson, &all, &found)?;
        Ok(Fitted { block, model: Learned::Boosted(fit) })
    }
}
