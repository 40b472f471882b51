//! The interactions pipeline.

use scorehouse_features::definition::InteractionsSpec;

use crate::error::TrainingError;
use crate::trained::{TrainRequest, Trained};

/// Trains a interactions model.
///
/// # Errors
/// What is wrong with its data or definition.
pub fn train(request: &TrainRequest<'_>, spec: &InteractionsSpec) -> Result<Trained, TrainingError> {
    let _ = (request, spec);
    Err(TrainingError::Definition("the interactions pipeline is not there yet".to_owned()))
}
