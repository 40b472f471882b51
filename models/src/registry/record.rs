//! What the registry is told and what it answers.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use scorehouse_features::ids::ModelName;
use scorehouse_features::time::Timestamp;

use crate::error::ModelError;
use crate::ids::{AliasName, ArtifactDigest, ModelVersion};
use crate::signature::{FeatureSetRef, Signature};

/// A model to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct RegisterRequest {
    /// The model it is a version of.
    pub model: ModelName,
    /// The artifact's bytes.
    pub artifact: Vec<u8>,
    /// Its metrics, a JSON object.
    pub metrics: serde_json::Value,
    /// The time its training rows span.
    pub window: Option<TrainingWindow>,
    /// What it was made from.
    pub parents: Parents,
    /// Its parameters, a JSON object.
    pub params: serde_json::Value,
    /// Where its report lies.
    pub report: Option<String>,
    /// Who registers it.
    pub who: String,
    /// When.
    pub when: Timestamp,
}

/// The time that training rows span, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingWindow {
    /// The first as-of time.
    pub from: Timestamp,
    /// The last.
    pub to: Timestamp,
}

/// What a model was made from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parents {
    /// The feature set it reads.
    pub feature_set: Option<FeatureSetRef>,
    /// Digest of its training rows.
    pub data_digest: Option<String>,
}

/// The outcome of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Registered {
    /// The version that holds the artifact.
    pub version: ModelVersion,
    /// False when it held it already.
    pub created: bool,
}

/// One version as it stands in the registry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VersionRecord {
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: ModelVersion,
    /// The artifact's digest.
    pub digest: ArtifactDigest,
    /// The artifact's size in bytes.
    pub bytes: u64,
    /// Kind of predictor: `linear`, `forest`, `average`, `ONNX`, `recommender`.
    pub kind: String,
    /// What it reads and answers.
    pub signature: Signature,
    /// Its metrics.
    pub metrics: serde_json::Value,
    /// The time its training rows span.
    pub window: Option<TrainingWindow>,
    /// What it was made from.
    pub parents: Parents,
    /// Its parameters.
    pub params: serde_json::Value,
    /// Where its report lies.
    pub report: Option<String>,
    /// Who registered it.
    pub who: String,
    /// When.
    pub when: Timestamp,
}

/// A model as it stands in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelRecord {
    /// Its name.
    pub name: ModelName,
    /// Its newest version.
    pub latest: ModelVersion,
    /// Where its aliases point.
    pub aliases: BTreeMap<AliasName, ModelVersion>,
}

/// A way to say which version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Selector {
    /// The one an alias points to.
    Alias(AliasName),
    /// This one.
    Version(ModelVersion),
}

impl FromStr for Selector {
    type Err = ModelError;

    /// A whole number is a version, anything else an alias.
    fn from_str(text: &str) -> Result<Self, ModelError> {
        if text.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().map(Self::Version);
        }
        AliasName::new(text).map(Self::Alias)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias(alias) => alias.fmt(f),
            Self::Version(version) => version.fmt(f),
        }
    }
}

/// A move of an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasMove {
    /// The model.
    pub model: ModelName,
    /// The alias.
    pub alias: AliasName,
    /// Where it shall point; none takes it away.
    pub to: Option<ModelVersion>,
    /// Who moves it.
    pub who: String,
    /// When.
    pub when: Timestamp,
    /// Why.
    pub why: String,
}

/// One change, as it stands in the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// Grows with every change in the registry.
    pub number: u64,
    /// The model.
    pub model: ModelName,
    /// What was done.
    pub action: AuditAction,
    /// The alias moved.
    pub alias: Option<AliasName>,
    /// Where it pointed before.
    pub from: Option<ModelVersion>,
    /// Where it points now; for a registration the new version.
    pub to: Option<ModelVersion>,
    /// Who did it.
    pub who: String,
    /// When.
    pub when: Timestamp,
    /// Why.
    pub why: String,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditAction {
    /// A version was registered.
    Register,
    /// An alias was moved.
    MoveAlias,
}

impl AuditAction {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::MoveAlias => "move_alias",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, ModelError> {
        match text {
            "register" => Ok(Self::Register),
            "move_alias" => Ok(Self::MoveAlias),
            other => {
                Err(ModelError::CorruptRegistry { what: "action", why: format!("{other:?} is not known") })
            }
        }
    }
}
