//! What training reads, over the offline store.

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use scorehouse_features::definition::{FeatureSet, Project};
use scorehouse_features::ids::{ColumnName, FeatureName, SourceName};
use scorehouse_features::time::Timestamp;
use scorehouse_offline::{EntityRows, OfflineError, OfflineStore, ScanRange, SlotColumn};
use scorehouse_training::{History, Snapshots, TrainingError};

use crate::cli::failure::{Failure, Outcome};
use crate::cli::session::Session;
use crate::stores;

/// The project's history as of a moment.
pub struct StoreHistory<'a> {
    project: &'a Project,
    store: OfflineStore,
    now: Timestamp,
}

impl<'a> StoreHistory<'a> {
    /// Opens the history, with what was pushed taken over from the log first.
    ///
    /// # Errors
    /// A failure with its fault.
    pub fn open(session: &'a Session, now: Timestamp) -> Outcome<Self> {
        let store = open_store(&session.project)?;
        Ok(Self { project: &session.project, store, now })
    }

    /// The store behind it.
    #[must_use]
    pub const fn store(&self) -> &OfflineStore {
        &self.store
    }

    /// The features of many entities, one column each.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn columns(&self, set: &FeatureSet, rows: &EntityRows) -> Result<Vec<SlotColumn>, OfflineError> {
        let names: Vec<FeatureName> = set.features.iter().map(|field| field.name.clone()).collect();
        self.store.history(self.project, &set.entity, &names, rows)
    }
}

/// Opens the offline store and takes over what was pushed, if any.
///
/// # Errors
/// A failure with its fault.
pub fn open_store(project: &Project) -> Outcome<OfflineStore> {
    let store = OfflineStore::open(project).map_err(Failure::from)?;
    if stores::log_path(project).exists() {
        store.drain_log(project)?;
    }
    Ok(store)
}

impl History for StoreHistory<'_> {
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
