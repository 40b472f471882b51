//! What can go wrong in training, by fault.

use scorehouse_features::error::Fault;
use scorehouse_features::ids::ModelName;

/// Why a model could not be trained or a file not scored.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The project declares no such model.
    #[error("the project declares no model {name}{}", known_names(.known))]
    UnknownModel {
        /// The name asked for.
        name: ModelName,
        /// The models it declares.
        known: Vec<ModelName>,
    },
    /// The model is not trained here.
    #[error("model {0} is registered from outside; it cannot be trained here")]
    NotTrainable(ModelName),
    /// The model reads a feature set that the project does not declare.
    #[error("the project declares no feature set {0}")]
    UnknownFeatureSet(String),
    /// The project declares something that training cannot use.
    #[error("{0}")]
    Definition(String),
    /// A file could not be read or written.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What happened.
        reason: String,
    },
    /// A column that must be there is not.
    #[error("{file} has no column {column:?}; it has {}", .has.join(", "))]
    NoColumn {
        /// The file.
        file: String,
        /// The column looked for.
        column: String,
        /// The columns it has.
        has: Vec<String>,
    },
    /// The label column cannot be read as two classes.
    #[error("label {column:?}: {reason}")]
    Label {
        /// The label column.
        column: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Every row has the same label, so there is nothing to learn.
    #[error("label {column:?} is {value:?} on every one of {rows} rows; a model needs rows of both kinds")]
    OneClass {
        /// The label column, or what the label says.
        column: String,
        /// The one value.
        value: String,
        /// How many rows have it.
        rows: usize,
    },
    /// The history could not be read.
    #[error("history: {reason}")]
    History {
        /// What happened.
        reason: String,
        /// Whose fault it was.
        fault: Fault,
    },
    /// The artifact could not be made or used.
    #[error("{0}")]
    Artifact(String),
    /// A fit failed in a way that no data should cause.
    #[error("{learner} failed: {reason}")]
    Fit {
        /// The learner.
        learner: &'static str,
        /// What it said.
        reason: String,
    },
    /// The worker threads could not be started.
    #[error("cannot start {threads} worker threads: {reason}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system said.
        reason: String,
    },
}

fn known_names(known: &[ModelName]) -> String {
    if known.is_empty() {
        return " (it declares none)".to_owned();
    }
    let names: Vec<&str> = known.iter().map(ModelName::as_str).collect();
    format!("; it declares {}", names.join(", "))
}

impl From<scorehouse_models::ModelError> for TrainingError {
    fn from(error: scorehouse_models::ModelError) -> Self {
        Self::Artifact(error.to_string())
    }
}

impl TrainingError {
    /// A failure of the store behind a history.
    #[must_use]
    pub fn history(reason: impl ToString) -> Self {
        Self::History { reason: reason.to_string(), fault: Fault::Platform }
    }

    /// A file that could not be read or written.
    #[must_use]
    pub fn file(path: &std::path::Path, reason: impl ToString) -> Self {
        Self::File { path: path.display().to_string(), reason: reason.to_string() }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::UnknownModel { .. }
            | Self::NotTrainable(_)
            | Self::UnknownFeatureSet(_)
            | Self::Definition(_) => Fault::Caller,
            Self::File { .. } | Self::NoColumn { .. } | Self::Label { .. } | Self::OneClass { .. } => {
                Fault::Data
            }
            Self::History { fault, .. } => *fault,
            Self::Artifact(_) => Fault::Data,
            Self::Fit { .. } => Fault::Bug,
            Self::Threads { .. } => Fault::Platform,
        }
    }
}
