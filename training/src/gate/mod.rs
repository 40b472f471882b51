//! The gate: should this model go live, and why.

mod champion;
mod paired;

use serde::{Deserialize, Serialize};

pub use champion::Champion;
pub(crate) use champion::{New, rate_of_learnt};
pub use paired::{Comparison, Paired, Verdict, compare, mean_difference};

/// The gate's word on a trained model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// True when nothing speaks against going live.
    pub passed: bool,
    /// The candidate that was chosen.
    pub chosen: String,
    /// Why it was chosen, in a sentence.
    pub why: String,
    /// What was checked, in order.
    pub checks: Vec<Check>,
    /// How it did beside what it would replace, row by row; none for a recommender.
    #[serde(default)]
    pub comparison: Option<Comparison>,
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
        Self { passed, chosen: chosen.into(), why: why.into(), checks, comparison: None }
    }

    /// Adds what was found later.
    #[must_use]
    pub fn with(self, checks: impl IntoIterator<Item = Check>, comparison: Option<Comparison>) -> Self {
        let checks = self.checks.into_iter().chain(checks).collect();
        Self { comparison, ..Self::new(self.chosen, self.why, checks) }
    }
}
