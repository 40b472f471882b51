//! History as training and forecasts read it.

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use scorehouse_features::definition::{FeatureSet, Project};
use scorehouse_features::ids::{ColumnName, FeatureName, SourceName};
use scorehouse_features::time::Timestamp;
use scorehouse_offline::{EntityRows, OfflineError, OfflineStore, ScanRange, SlotColumn};
use scorehouse_training::{History, Snapshots, TrainingError};

/// A project's history as of a moment.
#[derive(Clone, Copy)]
pub struct HistoryReader<'a> {
    /// The project.
    pub project: &'a Project,
    /// Where its rows lie.
    pub store: &'a OfflineStore,
    /// What is known later is not read.
    pub now: Timestamp,
}

impl HistoryReader<'_> {
    /// The features of many entities, one column each.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn columns(&self, set: &FeatureSet, rows: &EntityRows) -> Result<Vec<SlotColumn>, OfflineError> {
        let names: Vec<FeatureName> = set.features.iter().map(|field| field.name.clone()).collect();
        self.store.history(self.project, &set.entity, &names, rows)
    }
}

impl History for HistoryReader<'_> {
    fn rows(&self, source: &SourceName, columns: &[ColumnName]) -> Result<RecordBatch, TrainingError> {
        self.store.scan(source, columns, ScanRange::as_of(self.now)).map_err(TrainingError::history)
    }

    fn features(&self, set: &FeatureSet, snapshots: &Snapshots) -> Result<RecordBatch, TrainingError> {
        let keys: StringArray = snapshots.keys.iter().map(|key| Some(key.as_str())).collect();
        let as_of: Int64Array = snapshots.as_of.iter().map(|moment| Some(moment.0)).collect();
        let rows = EntityRows { keys, as_of, request: Vec::new() };
        let columns = self.columns(set, &rows).map_err(TrainingError::history)?;
        let named = set.features.iter().zip(columns);
        let arrays: Vec<(String, ArrayRef)> =
            named.map(|(field, column)| (field.name.to_string(), column.values)).collect();
        RecordBatch::try_from_iter_with_nullable(arrays.into_iter().map(|(name, array)| (name, array, true)))
            .map_err(TrainingError::history)
    }
}
