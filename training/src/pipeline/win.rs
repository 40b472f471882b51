//! The win pipeline.

use scorehouse_features::definition::WinSpec;

use crate::error::TrainingError;
use crate::trained::{TrainRequest, Trained};

/// Trains a win model.
///
/// # Errors
/// What is wrong with its data or definition.
pub fn train(request: &TrainRequest<'_>, spec: &WinSpec) -> Result<Trained, TrainingError> {
    let _ = (request, spec);
    Err(TrainingError::Definition("the win pipeline is not there yet".to_owned()))
}
