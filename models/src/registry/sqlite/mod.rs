//! The registry on SQLite, artifacts as files beside it: the embedded default.

mod rows;
mod schema;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, ObjectStoreExt};
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use scorehouse_features::ids::ModelName;

use crate::artifact::Artifact;
use crate::error::ModelError;
use crate::ids::{AliasName, ArtifactDigest, ModelVersion};
use crate::registry::{
    AliasMove, AuditAction, AuditEntry, ModelRecord, RegisterRequest, Registered, Registry, Selector,
    VersionRecord,
};

/// A registry in one folder: `registry.sqlite`, and every artifact as `artifacts/<digest>`.
///
/// Several processes may hold the folder open; each sees the others' changes at once.
#[derive(Debug)]
pub struct SqliteRegistry {
    connection: Mutex<Connection>,
    artifacts: LocalFileSystem,
    folder: PathBuf,
}

/// How long a writer waits for another.
const BUSY: Duration = Duration::from_secs(10);

fn io(path: &Path) -> impl Fn(std::io::Error) -> ModelError + '_ {
    move |source| ModelError::Io { path: path.display().to_string(), source }
}

impl SqliteRegistry {
    /// Opens the registry in `dir`, making it when there is none.
    ///
    /// # Errors
    /// [`ModelError::Io`] or [`ModelError::Database`] when the folder or the database cannot be opened, and
    /// [`ModelError::CorruptRegistry`] for a database of a later release.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, ModelError> {
        let folder = dir.as_ref().join("artifacts");
        std::fs::create_dir_all(&folder).map_err(io(&folder))?;
        let mut connection = Connection::open(dir.as_ref().join("registry.sqlite"))?;
        connection.busy_timeout(BUSY)?;
        keep_side_files(&connection)?;
        schema::prepare(&mut connection)?;
        let artifacts = LocalFileSystem::new_with_prefix(&folder)?;
        Ok(Self { connection: Mutex::new(connection), artifacts, folder })
    }

    /// Puts the bytes under their digest, where they are unless another registration brought them, and makes
    /// sure that the disk has them before the database says so.
    fn store(&self, digest: &ArtifactDigest, bytes: &[u8]) -> Result<(), ModelError> {
        let location = object_store::path::Path::from(digest.as_str());
        let payload = bytes::Bytes::copy_from_slice(bytes).into();
        futures::executor::block_on(self.artifacts.put(&location, payload))?;
        let path = self.folder.join(digest.as_str());
        std::fs::File::open(&path).and_then(|file| file.sync_all()).map_err(io(&path))?;
        std::fs::File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(io(&self.folder))
    }

    fn load(&self, digest: &ArtifactDigest) -> Result<Vec<u8>, ModelError> {
        let location = object_store::path::Path::from(digest.as_str());
        let store: &dyn ObjectStore = &self.artifacts;
        let bytes = futures::executor::block_on(async { store.get(&location).await?.bytes().await })?;
        if Artifact::verify(&bytes)? != *digest {
            return Err(ModelError::Tampered { what: format!("artifact {digest}") });
        }
        Ok(bytes.into())
    }
}

/// Has SQLite leave its side files (`-wal`, `-shm`) where they are when the last connection closes. On a disk that is full
/// when a process starts, they could not be made again, and then the database could not even be read.
///
/// # Errors
/// When the file system does not know how.
pub fn keep_side_files(connection: &Connection) -> rusqlite::Result<()> {
    connection.file_control(None::<&str>, rusqlite::FileControl::PersistWal(&mut 1))
}

impl Registry for SqliteRegistry {
    fn register(&self, request: &RegisterRequest) -> Result<Registered, ModelError> {
        let artifact = Artifact::from_bytes(&request.artifact)?;
        let digest = Artifact::verify(&request.artifact)?;
        self.store(&digest, &request.artifact)?;
        let mut connection = self.connection.lock();
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let held = tx
            .prepare_cached("SELECT version FROM versions WHERE model = ?1 AND digest = ?2")?
            .query_row(params![request.model.as_str(), digest.as_str()], |row| row.get(0))
            .optional()?;
        if let Some(version) = held {
            return Ok(Registered { version: ModelVersion(version), created: false });
        }
        let version: u32 = tx
            .prepare_cached("SELECT coalesce(max(version), 0) + 1 FROM versions WHERE model = ?1")?
            .query_row([request.model.as_str()], |row| row.get(0))?;
        rows::insert_version(&tx, request, &artifact, &digest, version)?;
        let entry = AuditEntry {
            number: 0,
            model: request.model.clone(),
            action: AuditAction::Register,
            alias: None,
            from: None,
            to: Some(ModelVersion(version)),
            who: request.who.clone(),
            when: request.when,
            why: String::new(),
        };
        rows::record(&tx, &entry)?;
        tx.commit()?;
        Ok(Registered { version: ModelVersion(version), created: true })
    }

    fn get(&self, model: &ModelName, version: ModelVersion) -> Result<VersionRecord, ModelError> {
        let connection = self.connection.lock();
        rows::require_version(&connection, model, version)?;
        let mut found = rows::versions(&connection, model, Some(version))?;
        found.pop().ok_or_else(|| ModelError::UnknownVersion {
            model: model.to_string(),
            version,
            latest: None,
        })
    }

    fn list(&self) -> Result<Vec<ModelRecord>, ModelError> {
        let mut connection = self.connection.lock();
        // One transaction, so that the listing is of one moment.
        let tx = connection.transaction()?;
        rows::models(&tx)?
            .into_iter()
            .map(|(name, latest)| {
                let aliases = rows::aliases(&tx, &name)?;
                Ok(ModelRecord { name, latest, aliases })
            })
            .collect()
    }

    fn versions(&self, model: &ModelName) -> Result<Vec<VersionRecord>, ModelError> {
        let connection = self.connection.lock();
        rows::require_model(&connection, model)?;
        rows::versions(&connection, model, None)
    }

    fn resolve(&self, model: &ModelName, selector: &Selector) -> Result<ModelVersion, ModelError> {
        let connection = self.connection.lock();
        match selector {
            Selector::Version(version) => {
                rows::require_version(&connection, model, *version)?;
                Ok(*version)
            }
            Selector::Alias(alias) => {
                rows::require_model(&connection, model)?;
                let aliases = rows::aliases(&connection, model)?;
                aliases.get(alias).copied().ok_or_else(|| ModelError::UnknownAlias {
                    model: model.to_string(),
                    alias: alias.clone(),
                    known: aliases.keys().map(ToString::to_string).collect(),
                })
            }
        }
    }

    fn artifact(&self, model: &ModelName, version: ModelVersion) -> Result<Artifact, ModelError> {
        Artifact::from_bytes(&self.artifact_bytes(model, version)?)
    }

    fn artifact_bytes(&self, model: &ModelName, version: ModelVersion) -> Result<Vec<u8>, ModelError> {
        let digest = self.get(model, version)?.digest;
        self.load(&digest)
    }

    fn move_alias(&self, request: &AliasMove) -> Result<Option<ModelVersion>, ModelError> {
        let mut connection = self.connection.lock();
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        rows::require_model(&tx, &request.model)?;
        if let Some(to) = request.to {
            rows::require_version(&tx, &request.model, to)?;
        }
        let from = rows::aliases(&tx, &request.model)?.get(&request.alias).copied();
        if from == request.to {
            return Ok(from);
        }
        rows::point(&tx, request)?;
        let entry = AuditEntry {
            number: 0,
            model: request.model.clone(),
            action: AuditAction::MoveAlias,
            alias: Some(request.alias.clone()),
            from,
            to: request.to,
            who: request.who.clone(),
            when: request.when,
            why: request.why.clone(),
        };
        rows::record(&tx, &entry)?;
        tx.commit()?;
        Ok(from)
    }

    fn aliases(&self, model: &ModelName) -> Result<BTreeMap<AliasName, ModelVersion>, ModelError> {
        let connection = self.connection.lock();
        rows::require_model(&connection, model)?;
        rows::aliases(&connection, model)
    }

    fn audit(&self, model: &ModelName) -> Result<Vec<AuditEntry>, ModelError> {
        let connection = self.connection.lock();
        rows::require_model(&connection, model)?;
        rows::audit(&connection, model)
    }

    fn revision(&self) -> Result<u64, ModelError> {
        let connection = self.connection.lock();
        // Every change writes one line of the trail, so its last number is the revision.
        let mut statement = connection.prepare_cached("SELECT coalesce(max(number), 0) FROM audit")?;
        Ok(statement.query_row([], |row| row.get::<_, i64>(0))? as u64)
    }
}

#[cfg(test)]
mod tests;
