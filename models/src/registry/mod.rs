//! Which models there are, which version is which, and who moved what when.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod record;
mod sqlite;

use std::collections::BTreeMap;

use scorehouse_features::ids::ModelName;

pub use record::{
    AliasMove, AuditAction, AuditEntry, ModelRecord, Parents, RegisterRequest, Registered, Selector,
    TrainingWindow, VersionRecord,
};
pub use sqlite::{SqliteRegistry, keep_side_files};

use crate::artifact::Artifact;
use crate::error::ModelError;
use crate::ids::{AliasName, ModelVersion};

/// Models, their versions, the aliases that point to them, and the trail of every change.
///
/// Every change is atomic: others see all of it or nothing. Every implementation passes the same suite,
/// `conformance::check`.
pub trait Registry: Send + Sync {
    /// Keeps an artifact as the next version of its model. The bytes are verified first. Registering bytes that
    /// a version of this model already holds gives that version and changes nothing.
    ///
    /// # Errors
    /// What [`Artifact::verify`] reports, and what the database and the storage report.
    fn register(&self, request: &RegisterRequest) -> Result<Registered, ModelError>;

    /// One version.
    ///
    /// # Errors
    /// [`ModelError::UnknownModel`] or [`ModelError::UnknownVersion`].
    fn get(&self, model: &ModelName, version: ModelVersion) -> Result<VersionRecord, ModelError>;

    /// All models by name, with their aliases and latest version.
    ///
    /// # Errors
    /// What the database reports.
    fn list(&self) -> Result<Vec<ModelRecord>, ModelError>;

    /// All versions of a model, the first first.
    ///
    /// # Errors
    /// [`ModelError::UnknownModel`].
    fn versions(&self, model: &ModelName) -> Result<Vec<VersionRecord>, ModelError>;

    /// The version that a selector points to now.
    ///
    /// # Errors
    /// [`ModelError::UnknownModel`], [`ModelError::UnknownAlias`] or [`ModelError::UnknownVersion`].
    fn resolve(&self, model: &ModelName, selector: &Selector) -> Result<ModelVersion, ModelError>;

    /// The artifact of a version, its digest compared with the one registered.
    ///
    /// # Errors
    /// As [`Registry::get`]; [`ModelError::Tampered`] when the stored bytes are not those registered.
    fn artifact(&self, model: &ModelName, version: ModelVersion) -> Result<Artifact, ModelError>;

    /// The bytes of a version's artifact, its digest compared with the one registered.
    ///
    /// # Errors
    /// As [`Registry::artifact`].
    fn artifact_bytes(&self, model: &ModelName, version: ModelVersion) -> Result<Vec<u8>, ModelError>;

    /// Points an alias to a version, or takes it away, and gives where it pointed before. A move that changes
    /// nothing is not recorded.
    ///
    /// # Errors
    /// [`ModelError::UnknownModel`] or [`ModelError::UnknownVersion`].
    fn move_alias(&self, request: &AliasMove) -> Result<Option<ModelVersion>, ModelError>;

    /// Where a model's aliases point.
    ///
    /// # Errors
    /// [`ModelError::UnknownModel`].
    fn aliases(&self, model: &ModelName) -> Result<BTreeMap<AliasName, ModelVersion>, ModelError>;

    /// Every change to a model, the first first.
    ///
    /// # Errors
    /// [`ModelError::UnknownModel`].
    fn audit(&self, model: &ModelName) -> Result<Vec<AuditEntry>, ModelError>;

    /// A number that grows with every change, made by whichever process: cheap to ask again and again.
    ///
    /// # Errors
    /// What the database reports.
    fn revision(&self) -> Result<u64, ModelError>;
}
