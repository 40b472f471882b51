//! What training reads, over the offline store.

use arrow_array::RecordBatch;
use scorehouse_features::definition::{FeatureSet, Project};
use scorehouse_features::ids::{ColumnName, SourceName};
use scorehouse_features::time::Timestamp;
use scorehouse_offline::{EntityRows, OfflineError, OfflineStore, SlotColumn};
use scorehouse_training::{History, Snapshots, TrainingError};

use crate::cli::failure::{Failure, Outcome};
use crate::cli::session::Session;
use crate::service::history::HistoryReader;
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
        self.reader().columns(set, rows)
    }

    const fn reader(&self) -> HistoryReader<'_> {
        HistoryReader { project: self.project, store: &self.store, now: self.now }
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
        self.reader().rows(source, columns)
    }

    fn features(&self, set: &FeatureSet, snapshots: &Snapshots) -> Result<RecordBatch, TrainingError> {
        self.reader().features(set, snapshots)
    }
}
