//! Where a project's stores lie, and how a server opens them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use scorehouse_features::definition::Project;
use scorehouse_features::online::{Base, EmbeddedStore, OnlineError, StoreOptions};
use scorehouse_features::time::Clock;
use scorehouse_features::view::Layout;
use scorehouse_models::SqliteRegistry;
use scorehouse_offline::OfflineStore;

use crate::access::{self, store::KeyStore};
use crate::error::ServeError;

/// The snapshot of the online store, built from history.
#[must_use]
pub fn base_path(project: &Project) -> PathBuf {
    project.state.join("online").join("base.snapshot")
}

/// The folder of the online store's durable log.
#[must_use]
pub fn log_path(project: &Project) -> PathBuf {
    project.state.join("online").join("log")
}

/// The folder of the registry.
#[must_use]
pub fn registry_path(project: &Project) -> PathBuf {
    project.state.join("registry")
}

/// Opens the online store over its snapshot. A snapshot that is not there, damaged, or of an earlier state of
/// the project is built again from history.
///
/// # Errors
/// What the stores report: another process writes to the log, history cannot be read.
pub fn open_online(
    project: &Project,
    history: &OfflineStore,
    clock: Arc<dyn Clock>,
) -> Result<EmbeddedStore, ServeError> {
    let layout = Layout::of(project)?;
    let base = match kept_base(&base_path(project), &layout)? {
        Some(base) => base,
        None => build_base(project, history)?,
    };
    Ok(EmbeddedStore::open(project, base, &log_path(project), StoreOptions::default(), clock)?)
}

/// The snapshot, if there is one that fits.
fn kept_base(path: &Path, layout: &Layout) -> Result<Option<Base>, ServeError> {
    if !path.exists() {
        return Ok(None);
    }
    match Base::load(path, layout) {
        Ok(base) => Ok(Some(base)),
        Err(error @ (OnlineError::OtherProject | OnlineError::Corrupt { .. })) => {
            tracing::warn!(%error, "the online snapshot is built again from history");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Builds the snapshot from history and saves it.
///
/// # Errors
/// What reading history and writing the snapshot report.
pub fn build_base(project: &Project, history: &OfflineStore) -> Result<Base, ServeError> {
    let base = history.materialize(project)?;
    let path = base_path(project);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|source| ServeError::Io { what: folder.display().to_string(), source })?;
    }
    base.save(&path)?;
    Ok(base)
}

/// Opens the keys of those who may ask.
///
/// # Errors
/// What the store reports.
pub fn open_keys(project: &Project) -> Result<KeyStore, ServeError> {
    KeyStore::open(&access::store::folder(project))
}

/// Opens history.
///
/// # Errors
/// What the offline store reports.
pub fn open_history(project: &Project) -> Result<OfflineStore, ServeError> {
    Ok(OfflineStore::open(project)?)
}

/// Opens the registry.
///
/// # Errors
/// What the registry reports.
pub fn open_registry(project: &Project) -> Result<SqliteRegistry, ServeError> {
    Ok(SqliteRegistry::open(registry_path(project))?)
}
