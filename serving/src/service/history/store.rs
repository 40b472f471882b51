//! Training sets from the offline store.

use arrow_array::RecordBatch;
use scorehouse_features::definition::{FeatureSet, Project};
use scorehouse_offline::{OfflineError, OfflineStore};

use super::TrainingSets;
use crate::error::ServeError;

impl TrainingSets for OfflineStore {
    fn training_set(
        &self,
        project: &Project,
        set: &FeatureSet,
        rows: &RecordBatch,
        missing: bool,
    ) -> Result<RecordBatch, ServeError> {
        match self.drain_log(project) {
            // Whoever holds the lock is taking the same rows over; what is in history already is answered.
            Ok(_) | Err(OfflineError::Locked { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Self::training_set(self, project, set, rows, missing)?)
    }
}
