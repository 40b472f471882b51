//! Whom a score that moved across an edge is told.

use std::path::PathBuf;

use crate::ids::{LocalName, ModelName};
use crate::time::Span;

/// When the score of a model counts as changed.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchSpec {
    /// Edges between bands of scores, ascending, at least one; an edge belongs to the band above it.
    pub bands: Vec<f64>,
    /// How far beyond an edge a score must be to count as over it, 0 or more.
    pub margin: f64,
    /// Reasons told with a change.
    pub reasons: usize,
}

/// An address that is told of changes.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookSpec {
    /// Its name.
    pub name: LocalName,
    /// Where deliveries are sent (POST).
    pub url: String,
    /// The environment variable that holds the secret by which deliveries are signed.
    pub secret: String,
    /// Models whose changes it hears of; none means all.
    pub models: Option<Vec<ModelName>>,
    /// Attempts after which a delivery is given up.
    pub attempts: u32,
    /// The wait after the first attempt; it doubles with each.
    pub first_wait: Span,
    /// Longest time of one attempt.
    pub timeout: Span,
    /// Certificate authorities (PEM) in place of the machine's.
    pub ca: Option<PathBuf>,
}
