//! The upsell pipeline.

use scorehouse_features::definition::UpsellSpec;

use crate::error::TrainingError;
use crate::trained::{TrainRequest, Trained};

/// Trains a upsell model.
///
/// # Errors
/// What is wrong with its data or definition.
pub fn train(request: &TrainRequest<'_>, spec: &UpsellSpec) -> Result<Trained, TrainingError> {
    let _ = (request, spec);
    Err(TrainingError::Definition("the upsell pipeline is not there yet".to_owned()))
}
