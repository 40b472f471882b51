//! Training sets from the offline store.

use arrow_array::RecordBatch;
use scorehouse_features::definition::{FeatureSet, Project};
use scorehouse_offline::{OfflineError, OfflineStore};
use scorehouse_training::{Forecast, ForecastRequest, Silent, TrainingError};

use super::{ForecastAsked, HistoryReader, MonitorAsked, TrainingSets};
use crate::error::ServeError;
use crate::monitor::{Monitor, Monitored};

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

    fn monitor(&self, asked: &MonitorAsked<'_>) -> Result<Monitored, ServeError> {
        let MonitorAsked { project, registry, model, now, range, every } = *asked;
        take_over(self, project)?;
        Monitor { project, store: self, registry, now, range, every }.run(model)
    }

    fn forecast(&self, asked: &ForecastAsked<'_>) -> Result<Forecast, ServeError> {
        let ForecastAsked { project, registry, model, version, as_of, period, by, seen } = *asked;
        take_over(self, project)?;
        let artifact = registry.artifact(model, version)?;
        let history = HistoryReader { project, store: self, now: as_of };
        let (artifact, history) = (&artifact, &history);
        let (seed, progress) = (project.seed, &Silent);
        let request =
            ForecastRequest { project, model, artifact, history, as_of, period, by, seen, seed, progress };
        scorehouse_training::forecast(&request).map_err(|error| refused(model.as_str(), error))
    }
}

fn refused(model: &str, error: TrainingError) -> ServeError {
    match error {
        TrainingError::Definition(why) => {
            ServeError::NotSuited { model: model.to_owned(), message: format!("cannot answer: {why}") }
        }
        TrainingError::History { reason, .. } => ServeError::Unavailable { what: "history", reason },
        other => ServeError::Bug { message: other.to_string() },
    }
}

fn take_over(store: &OfflineStore, project: &Project) -> Result<(), ServeError> {
    match store.drain_log(project) {
        // Whoever holds the lock is taking the same rows over; what is in history already is answered.
        Ok(_) | Err(OfflineError::Locked { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
