//! The gate: should this model go live, and why.

use serde::{Deserialize, Serialize};

/// The gate's word on a trained model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// True when nothing speaks against going live.
    pub passed: bool,
    /// The candidate that was chosen.
    pub chosen: String,
    /// Why it was chosen, in a sentence.
    pub why: String,
    /// What was checked, in order.
    pub checks: Vec<Check>,
}

/// One thing the gate looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was asked, in a few words.
    pub name: String,
    /// True when the answer was good.
    pub passed: bool,
    /// False when a bad answer is only a warning.
    pub decisive: bool,
    /// The figures.
    pub detail: String,
}

impl Gate {
    /// Puts the checks together: passed unless a decisive one failed.
    #[must_use]
    pub fn new(chosen: impl Into<String>, why: impl Into<String>, checks: Vec<Check>) -> Self {
        let passed = checks.iter().all(|check| check.passed || !check.decisive);
        Self { passed, chosen: chosen.into(), why: why.into(), checks }
    }
}
