//! Where a project's stores lie, and how a server opens them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use scorehouse_features::definition::Project;
use scorehouse_features::online::{Base, EmbeddedStore, StoreOptions};
use scorehouse_features::time::Clock;
use scorehouse_features::view::Layout;
use scorehouse_models::SqliteRegistry;

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

/// Opens the online store over its snapshot, or over nothing where history is still empty.
///
/// # Errors
/// What the store reports: another process writes to its log, a damaged file.
pub fn open_online(project: &Project, clock: Arc<dyn Clock>) -> Result<EmbeddedStore, ServeError> {
    let layout = Layout::of(project)?;
    let base = load_base(&base_path(project), &layout)?;
    Ok(EmbeddedStore::open(project, base, &log_path(project), StoreOptions::default(), clock)?)
}

fn load_base(path: &Path, layout: &Layout) -> Result<Base, ServeError> {
    if path.exists() { Ok(Base::load(path, layout)?) } else { Ok(Base::empty(layout)) }
}

/// Opens the registry.
///
/// # Errors
/// What the registry reports.
pub fn open_registry(project: &Project) -> Result<SqliteRegistry, ServeError> {
    Ok(SqliteRegistry::open(registry_path(project))?)
}
