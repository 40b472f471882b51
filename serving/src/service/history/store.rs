//! Training sets from the offline store.

use arrow_array::RecordBatch;
use scorehouse_features::definition::{FeatureSet, Project};
use scorehouse_offline::{OfflineError, OfflineStore};

use super::{MonitorAsked, TrainingSets};
use crate::error::ServeError;
use crate::monitor::{Monitor, MonitorReport};

impl TrainingSets for OfflineStore {
    fn training_set(
        &self,
        project: &Project,
        set: &FeatureSet,
        rows: &RecordBatch,
        missing: bool,
    ) -> Result<RecordBatch, ServeError> {
        take_over(self, project)?;
        Ok(Self::training_set(self, project, set, rows, missing)?)
    }

    fn monitor(&self, asked: &MonitorAsked<'_>) -> Result<MonitorReport, ServeError> {
        let MonitorAsked { project, registry, model, now, range, every } = *asked;
        take_over(self, project)?;
        Monitor { project, store: self, registry, now, range, every }.run(model)
    }
}

fn take_over(store: &OfflineStore, project: &Project) -> Result<(), ServeError> {
    match store.drain_log(project) {
        // Whoever holds the lock is taking the same rows over; what is in history already is answered.
        Ok(_) | Err(OfflineError::Locked { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
