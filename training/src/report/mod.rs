//! The report: one page in HTML that stands on its own, about one trained model.
//!
//! `page` is the frame and the page of a probability model, `lists` that of a recommender. `figures` are the charts,
//! `quality` is how good the model is, `trust` what speaks for and against it, `columns` what it reads; `chart` draws,
//! `curves`, `slices` and `reach` compute what nothing else needs.

mod chart;
mod columns;
mod curves;
mod figures;
mod lists;
mod page;
mod quality;
mod reach;
mod slices;
#[cfg(test)]
mod tests;
mod trust;

use scorehouse_features::value::Value;
use scorehouse_models::{Artifact, Reason, ScoringModel, Scratch};

use crate::dataset::{ColumnNote, Dataset};
use crate::drift::Drift;
use crate::error::TrainingError;
use crate::fit::recommender::Asked;
use crate::gate::Gate;
use crate::leak::LeakWarning;
use crate::pipeline::Held;
use crate::trained::{CandidateResult, TrainingWindow};

/// Rows over which is averaged what each input moves.
const ROWS: usize = 300;

/// What is reported.
pub(crate) struct ReportInput<'a> {
    /// The model's name.
    pub title: &'a str,
    /// What is predicted.
    pub outcome: &'a str,
    pub gate: &'a Gate,
    pub candidates: &'a [CandidateResult],
    pub window: &'a TrainingWindow,
    pub notes: &'a [ColumnNote],
    /// Inputs by how much they move the score on average, most first.
    pub weights: &'a [InputWeight],
    /// Columns that seem to know the outcome.
    pub leaks: &'a [LeakWarning],
    pub drift: Option<&'a Drift>,
    /// The chosen candidate on rows that it did not learn from, of these data.
    pub held: &'a Held,
    pub data: &'a Dataset,
    /// One for each column of the data.
    pub data_notes: &'a [ColumnNote],
    pub data_digest: &'a str,
    pub seed: u64,
}

impl ReportInput<'_> {
    /// The outcome of every row of `held`.
    fn held_label(&self) -> Vec<f64> {
        self.held.rows.iter().map(|row| self.data.label[*row as usize]).collect()
    }
}

/// What is reported of a recommender.
pub(crate) struct ListReport<'a> {
    /// The model's name.
    pub title: &'a str,
    /// What it suggests to whom.
    pub told: &'a str,
    pub gate: &'a Gate,
    pub candidates: &'a [CandidateResult],
    pub window: &'a TrainingWindow,
    pub notes: &'a [ColumnNote],
    /// Held-back users that had no say in it.
    pub asked: &'a [Asked],
    /// How often each item was taken in all rows.
    pub counts: &'a [u32],
    pub data_digest: &'a str,
    pub seed: u64,
}

/// The page of a recommender.
pub(crate) fn list_html(report: &ListReport<'_>) -> String {
    lists::page(report)
}

/// How much one input moves the score.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InputWeight {
    pub input: String,
    /// Mean size of its contribution, in log-odds.
    pub size: f64,
}

/// The page.
pub(crate) fn html(input: &ReportInput<'_>) -> String {
    page::page(input)
}

/// How much each input moves the score, averaged over rows spread evenly through the data.
///
/// # Errors
/// [`TrainingError::Artifact`] when a row cannot be scored, which it was learnt from.
pub(crate) fn input_weights(artifact: &Artifact, data: &Dataset) -> Result<Vec<InputWeight>, TrainingError> {
    let broken = |error: scorehouse_models::ModelError| TrainingError::Artifact(error.to_string());
    let model = ScoringModel::load(artifact).map_err(broken)?;
    let inputs = &artifact.signature.inputs;
    let mut sizes = vec![0.0; inputs.len()];
    let rows: Vec<usize> = (0..data.rows).step_by(data.rows.div_ceil(ROWS).max(1)).collect();
    let mut scratch = Scratch::default();
    for row in &rows {
        let values: Vec<Value> = data.columns.iter().map(|column| column.value(*row)).collect();
        let score = model.score(&values, data.as_of[*row], usize::MAX, &mut scratch).map_err(broken)?;
        for (feature, contribution) in score.reasons().iter().flat_map(Reason::by_input) {
            if let Some(at) = artifact.signature.position(feature) {
                sizes[at] += contribution.abs() / rows.len() as f64;
            }
        }
    }
    let weight = |(input, size): (&scorehouse_models::InputField, f64)| InputWeight {
        input: input.name.clone(),
        size,
    };
    let mut weights: Vec<InputWeight> =
        inputs.iter().zip(sizes).filter(|(_, size)| *size > 0.0).map(weight).collect();
    weights.sort_by(|a, b| b.size.total_cmp(&a.size).then_with(|| a.input.cmp(&b.input)));
    Ok(weights)
}
