//! When a model's own scores call for attention.

use crate::time::Span;

/// What a project says about watching over a model: how far its scores and inputs may move, and how good they must be.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitorSpec {
    /// Time between two looks of the server.
    pub every: Span,
    /// Scores answered within this span count.
    pub window: Span,
    /// Scores, and for limits of quality known outcomes, below which nothing is said.
    pub at_least: usize,
    /// What may not be crossed.
    pub limits: Limits,
    /// The least time between two retrainings that a crossed limit starts; none: it starts none.
    pub retrain: Option<Span>,
}

/// What may not be crossed; at least one is there.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Population stability index of the scores against training, above 0.
    pub score_psi: Option<f64>,
    /// The same of every input.
    pub feature_psi: Option<f64>,
    /// Area under the ROC curve, 0 to 1: at least.
    pub auc: Option<f64>,
    /// Mean negative log-likelihood in nats: at most.
    pub log_loss: Option<f64>,
    /// Expected calibration error, 0 to 1: at most.
    pub calibration_error: Option<f64>,
}

impl Limits {
    /// True when nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
