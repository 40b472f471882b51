//! Everything that can go wrong with models, classified by whose fault it is.

use scorehouse_features::error::Fault;
use scorehouse_features::value::ValueType;

use crate::ids::{AliasName, ModelVersion};

/// Why a model could not be built, read, kept or asked.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A row of the wrong number of values was given.
    #[error("the model reads {expected} inputs, {given} were given")]
    WrongWidth {
        /// Inputs that the signature names.
        expected: usize,
        /// Values that came.
        given: usize,
    },
    /// A value of the wrong type was given.
    #[error("input {input} must be {expected}, not {given}")]
    WrongType {
        /// The input's name.
        input: String,
        /// The type in the signature.
        expected: ValueType,
        /// The type that came.
        given: ValueType,
    },
    /// NaN or an infinity was given.
    #[error("input {input} is not a finite number")]
    NotFinite {
        /// The input's name.
        input: String,
    },
    /// Contributions were asked of a predictor that cannot give them.
    #[error("this {predictor} model cannot explain its scores")]
    NoReasons {
        /// The kind of predictor.
        predictor: &'static str,
    },
    /// A score was asked of a model that gives items, or items of one that gives scores.
    #[error("this model answers with {answers}, not with {asked}")]
    WrongOutput {
        /// What it answers with.
        answers: &'static str,
        /// What was asked for.
        asked: &'static str,
    },
    /// A name or number of this crate was malformed.
    #[error("{what} {given:?} is not valid: {rule}")]
    InvalidId {
        /// What kind of name.
        what: &'static str,
        /// The text as given.
        given: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// No model of this name is registered.
    #[error("no model {name:?} is registered{}", Known(known))]
    UnknownModel {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The model has no such version.
    #[error("model {model} has no version {version}{}", latest.map(|v| format!("; the latest is {v}")).unwrap_or_default())]
    UnknownVersion {
        /// The model.
        model: String,
        /// The version asked for.
        version: ModelVersion,
        /// Its newest version.
        latest: Option<ModelVersion>,
    },
    /// The model has no such alias.
    #[error("model {model} has no alias {alias}{}", Known(known))]
    UnknownAlias {
        /// The model.
        model: String,
        /// The alias asked for.
        alias: AliasName,
        /// The aliases there are.
        known: Vec<String>,
    },
    /// Parts of a model do not fit together, or a part is out of its range.
    #[error("invalid {part}: {why}")]
    Invalid {
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The bytes are not an artifact at all.
    #[error("this is not a Scorehouse artifact")]
    NotAnArtifact,
    /// The artifact was written by a later release.
    #[error("the artifact has format {found}; this release reads formats up to {known}")]
    NewerFormat {
        /// The format found.
        found: u32,
        /// The newest format known.
        known: u32,
    },
    /// The artifact ends too early, or goes on after its end.
    #[error("the artifact is cut off or too long: {expected} bytes were expected, {found} found")]
    WrongLength {
        /// Bytes the header promises.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// A digest does not match: the bytes were changed after they were written.
    #[error("the artifact was changed after it was written: the digest of {what} does not match")]
    Tampered {
        /// The part whose digest differs.
        what: String,
    },
    /// A stored sample does not score as it did when the model was made.
    #[error("golden sample {sample} scores {found}, but {expected} was recorded")]
    GoldenMismatch {
        /// Position of the sample, from 0.
        sample: usize,
        /// The output recorded.
        expected: f64,
        /// The output now.
        found: f64,
    },
    /// The ONNX Runtime library could not be loaded; every other kind of model works without it.
    #[error("ONNX models need the ONNX Runtime library: {why}")]
    OnnxLibrary {
        /// What was tried and why it failed.
        why: String,
    },
    /// ONNX Runtime refused a model or failed to run it.
    #[error("ONNX Runtime: {why}")]
    Onnx {
        /// Its message.
        why: String,
    },
    /// The registry's database failed.
    #[error("registry database: {0}")]
    Database(#[from] rusqlite::Error),
    /// The registry's files could not be read or written.
    #[error("artifact storage: {0}")]
    Storage(#[from] object_store::Error),
    /// A file or folder could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// What stands in the registry cannot be understood.
    #[error("registry: {what} cannot be read: {why}")]
    CorruptRegistry {
        /// Which field.
        what: &'static str,
        /// Why not.
        why: String,
    },
}

impl ModelError {
    /// Whose fault it is.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::WrongWidth { .. }
            | Self::WrongType { .. }
            | Self::NotFinite { .. }
            | Self::NoReasons { .. }
            | Self::WrongOutput { .. }
            | Self::InvalidId { .. }
            | Self::UnknownModel { .. }
            | Self::UnknownVersion { .. }
            | Self::UnknownAlias { .. } => Fault::Caller,
            Self::Invalid { .. }
            | Self::NotAnArtifact
            | Self::NewerFormat { .. }
            | Self::WrongLength { .. }
            | Self::Tampered { .. }
            | Self::GoldenMismatch { .. }
            | Self::Onnx { .. }
            | Self::CorruptRegistry { .. } => Fault::Data,
            Self::OnnxLibrary { .. } | Self::Database(_) | Self::Storage(_) | Self::Io { .. } => {
                Fault::Platform
            }
        }
    }

    /// Shorthand for [`ModelError::Invalid`].
    pub(crate) fn invalid(part: &'static str, why: impl Into<String>) -> Self {
        Self::Invalid { part, why: why.into() }
    }
}

/// Prints `; known are a, b` or nothing.
struct Known<'a>(&'a [String]);

impl std::fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "; known are {}", self.0.join(", ")) }
    }
}
