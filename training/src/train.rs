//! The door to training.

use scorehouse_features::definition::Pipeline;

use crate::error::TrainingError;
use crate::pipeline;
use crate::trained::{TrainRequest, Trained};

/// Trains one model as the project declares it.
///
/// The same data and seed give the same artifact, whatever the number of threads.
///
/// # Errors
/// [`TrainingError::UnknownModel`] and [`TrainingError::NotTrainable`] for what cannot be asked for; what the
/// pipeline finds wrong with data or definitions otherwise.
pub fn train(request: TrainRequest<'_>) -> Result<Trained, TrainingError> {
    let Some(model) = request.project.models.get(request.model) else {
        let known = request.project.models.keys().cloned().collect();
        return Err(TrainingError::UnknownModel { name: request.model.clone(), known });
    };
    let threads = request.threads;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|e| TrainingError::Threads { threads, reason: e.to_string() })?;
    pool.install(|| match &model.pipeline {
        Pipeline::Win(spec) => pipeline::win::train(&request, spec),
        Pipeline::Churn(spec) => pipeline::churn::train(&request, spec),
        Pipeline::Upsell(spec) => pipeline::upsell::train(&request, spec),
        Pipeline::Table(spec) => pipeline::table::train(&request, spec),
        Pipeline::Interactions(spec) => pipeline::interactions::train(&request, spec),
        Pipeline::Registered(_) => Err(TrainingError::NotTrainable(request.model.clone())),
    })
}
