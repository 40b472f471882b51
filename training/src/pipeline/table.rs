//! The table pipeline.

use scorehouse_features::definition::TableSpec;

use crate::error::TrainingError;
use crate::trained::{TrainRequest, Trained};

/// Trains a table model.
///
/// # Errors
/// What is wrong with its data or definition.
pub fn train(request: &TrainRequest<'_>, spec: &TableSpec) -> Result<Trained, TrainingError> {
    let _ = (request, spec);
    Err(TrainingError::Definition("the table pipeline is not there yet".to_owned()))
}
