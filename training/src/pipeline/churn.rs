//! The churn pipeline.

use scorehouse_features::definition::ChurnSpec;

use crate::error::TrainingError;
use crate::trained::{TrainRequest, Trained};

/// Trains a churn model.
///
/// # Errors
/// What is wrong with its data or definition.
pub fn train(request: &TrainRequest<'_>, spec: &ChurnSpec) -> Result<Trained, TrainingError> {
    let _ = (request, spec);
    Err(TrainingError::Definition("the churn pipeline is not there yet".to_owned()))
}
