//! How good a model is, with how sure we are of it.

mod calibration;
mod classification;
mod confidence;
mod evaluation;
#[cfg(test)]
mod parity;
mod ranking;

pub(crate) use classification::{log_loss_of_raw, loss_of_raw, own_level};
pub(crate) use confidence::{clear_gain, quantile};
pub(crate) use scorehouse_models::certainty::wilson;

pub use calibration::{CalibrationBin, CalibrationFit, calibration_bins, calibration_fit, ece};
pub use classification::{LiftBin, RocPoint, auc, brier, lift_bins, log_loss, roc_points};
pub use confidence::{Measure, Sample, bootstrap, perfect_ece};
pub use evaluation::{Curves, Estimate, Evaluation, Scored, evaluate};
pub use ranking::{RankedList, evaluate_lists, mean_with_interval};
