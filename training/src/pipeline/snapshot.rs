//! Entities looked at, with what became of them, and the features they had at that moment.

use scorehouse_features::definition::{FeatureSet, FitSpec};
use scorehouse_features::ids::EntityKey;
use scorehouse_features::time::{Span, Timestamp};
use scorehouse_models::Signature;
use serde_json::json;

use crate::dataset::{Column, Dataset, Treatment, directions, from_record_batch, screen};
use crate::error::TrainingError;
use crate::history::Snapshots;
use crate::pipeline::probability::Task;
use crate::trained::{TrainRequest, Trained};

/// Outcomes up to which one kind alone is taken for chance rather than a mistake in the definition.
const MAY_BE_CHANCE: usize = 200;

/// One look at one entity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Look {
    /// When.
    pub as_of: Timestamp,
    /// At whom.
    pub key: EntityKey,
    /// What became of it.
    pub outcome: bool,
    /// Since when that is known.
    pub known_at: Timestamp,
}

/// What a pipeline over the feature store learns from.
pub(super) struct Looks<'a> {
    pub looks: Vec<Look>,
    pub fit: &'a FitSpec,
    /// `win` or `churn`.
    pub pipeline: &'static str,
    /// What an outcome means, for readers.
    pub outcome: String,
    /// True when an entity looked at in the holdout is not learnt from.
    pub whole_entities: bool,
    /// How long it takes until the outcomes of nearly all looks are known; zero when that does not depend on them.
    pub settles: Span,
}

/// The feature set that a model reads.
///
/// # Errors
/// [`TrainingError::UnknownFeatureSet`].
pub(crate) fn feature_set<'a>(
    request: &TrainRequest<'a>,
    fit: &FitSpec,
) -> Result<&'a FeatureSet, TrainingError> {
    let set = request.project.feature_sets.get(&fit.feature_set);
    set.ok_or_else(|| TrainingError::UnknownFeatureSet(fit.feature_set.to_string()))
}

impl Looks<'_> {
    /// Reads the features as of every look and learns.
    ///
    /// # Errors
    /// [`TrainingError::OneClass`] when every one of many looks ended alike, and what the history reports.
    pub fn learn(mut self, request: &TrainRequest<'_>) -> Result<Trained, TrainingError> {
        let set = feature_set(request, self.fit)?;
        // Time first, so that artifacts do not depend on the order in which the history answers.
        self.looks.sort_unstable();
        self.check()?;
        request.progress.message(&format!("{} snapshots", self.looks.len()));
        request.progress.stage("reading features as of each snapshot", self.looks.len() as u64);
        let snapshots = Snapshots {
            keys: self.looks.iter().map(|look| look.key.clone()).collect(),
            as_of: self.looks.iter().map(|look| look.as_of).collect(),
        };
        let columns = read_features(request, set, &snapshots)?;
        request.progress.advance(self.looks.len() as u64);
        let monotone = directions(&columns, &self.fit.monotone)?;
        let data = Dataset { monotone, ..self.dataset(columns) };
        let notes = screen(&data.columns, data.rows);
        for note in notes.iter().filter(|note| note.treatment == Treatment::SetAside) {
            request.progress.message(&format!("feature {} is set aside: {}", note.column, note.note));
        }
        let details = json!({ "pipeline": self.pipeline, "outcome": self.outcome, "seed": request.seed });
        let task = Task {
            title: request.model.to_string(),
            outcome: self.outcome,
            data,
            notes,
            left_out: Vec::new(),
            signature: Signature::of_feature_set(set),
            candidates: self.fit.candidates.clone(),
            holdout: self.fit.holdout,
            prior: self.fit.prior,
            whole_groups: self.whole_entities,
            actionable: self.fit.actionable.clone(),
            details,
            seed: request.seed,
            champion: request.champion,
            progress: request.progress,
        };
        task.learn()
    }

    fn check(&self) -> Result<(), TrainingError> {
        let with = self.looks.iter().filter(|look| look.outcome).count();
        let rows = self.looks.len();
        if rows > MAY_BE_CHANCE && (with == 0 || with == rows) {
            let value = if with == 0 { "false" } else { "true" }.to_owned();
            return Err(TrainingError::OneClass { column: self.outcome.clone(), value, rows });
        }
        Ok(())
    }

    fn dataset(&self, columns: Vec<Column>) -> Dataset {
        let mut keys: Vec<&EntityKey> = self.looks.iter().map(|look| &look.key).collect();
        keys.sort_unstable();
        keys.dedup();
        let group = self.looks.iter().map(|look| keys.partition_point(|key| *key < &look.key) as u32);
        Dataset {
            rows: self.looks.len(),
            columns,
            label: self.looks.iter().map(|look| f64::from(u8::from(look.outcome))).collect(),
            as_of: self.looks.iter().map(|look| look.as_of).collect(),
            known_at: Some(self.looks.iter().map(|look| look.known_at).collect()),
            settles: self.settles,
            group: Some(group.collect()),
            monotone: Vec::new(),
        }
    }
}

/// The features as of each snapshot, one column each, in the order of the set.
///
/// # Errors
/// What the history reports.
pub(crate) fn read_features(
    request: &TrainRequest<'_>,
    set: &FeatureSet,
    snapshots: &Snapshots,
) -> Result<Vec<Column>, TrainingError> {
    let batch = request.history.features(set, snapshots)?;
    if batch.num_rows() != snapshots.len() {
        let reason =
            format!("{} rows of features came back for {} snapshots", batch.num_rows(), snapshots.len());
        return Err(TrainingError::history(reason));
    }
    let column = |field: &scorehouse_features::definition::FeatureField| {
        let column = from_record_batch(&batch, &field.name.to_string(), field.value_type)?;
        Ok(Column { words: field.words.clone(), ..column })
    };
    set.features.iter().map(column).collect()
}
