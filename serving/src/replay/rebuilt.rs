//! The online kernel over a base made of history: what a server would have read.

use std::cell::OnceCell;
use std::sync::Arc;

use scorehouse_features::definition::Project;
use scorehouse_features::online::{EmbeddedStore, StoreOptions};
use scorehouse_features::time::{FixedClock, Timestamp};
use scorehouse_offline::OfflineStore;

use crate::error::ServeError;

/// A store that is built when it is first needed.
pub struct Rebuilt<'a> {
    project: &'a Project,
    history: &'a OfflineStore,
    built: OnceCell<(EmbeddedStore, tempfile::TempDir)>,
}

impl<'a> Rebuilt<'a> {
    /// One over a project's history.
    #[must_use]
    pub const fn new(project: &'a Project, history: &'a OfflineStore) -> Self {
        Self { project, history, built: OnceCell::new() }
    }

    /// The store.
    ///
    /// # Errors
    /// What reading history and the disk report.
    pub fn store(&self) -> Result<&EmbeddedStore, ServeError> {
        if let Some((store, _)) = self.built.get() {
            return Ok(store);
        }
        let failed = |source| ServeError::Io { what: "a folder for the replay".into(), source };
        let folder = tempfile::tempdir().map_err(failed)?;
        let base = self.history.materialize(self.project)?;
        let clock = Arc::new(FixedClock(Timestamp(0)));
        let store = EmbeddedStore::open(self.project, base, folder.path(), StoreOptions::default(), clock)?;
        Ok(&self.built.get_or_init(|| (store, folder)).0)
    }
}
