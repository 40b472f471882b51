//! How a model's answers are put to use: who is asked beside the champion, what is done about a score, and when it
//! counts as changed, and when the model itself is to be looked at.

use crate::definition::monitor::MonitorSpec;
use crate::definition::policy::PolicySpec;
use crate::definition::webhook::WatchSpec;
use crate::ids::{FeatureName, ReferenceName};

/// What a project says about the serving of a model; without it, the champion answers and nothing else happens.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServingSpec {
    /// Another version that is tried out beside the champion.
    pub challenger: Option<ChallengerSpec>,
    /// What is to be done about a score.
    pub policy: Option<PolicySpec>,
    /// When a score counts as changed.
    pub watch: Option<WatchSpec>,
    /// When the model's own scores call for attention.
    pub monitor: Option<MonitorSpec>,
}

/// How the version behind the alias `challenger` is tried out.
#[derive(Debug, Clone, PartialEq)]
pub struct ChallengerSpec {
    /// Whether anyone hears its answers.
    pub mode: ChallengerMode,
    /// Share of the keys that it is asked about, above 0 and at most 1.
    pub share: f64,
    /// Whose key decides; one key always has the same fate.
    pub by: SplitBy,
}

/// Whether anyone hears the challenger's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengerMode {
    /// It is asked as well; its answers are kept in the score log and not given.
    Shadow,
    /// It answers in place of the champion.
    Split,
}

/// Whose key decides who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SplitBy {
    /// That of the entity scored, of the customer recommended to, or of the row of a table.
    Own,
    /// The value of a column, of a model over a plain table.
    Column(String),
    /// That of an entity it refers to; without one, its own.
    Reference {
        /// The role of the reference.
        role: ReferenceName,
        /// The feature that holds the key.
        key: FeatureName,
    },
}
