//! Keeping the online store short: pushed rows move into history, and a fresh snapshot takes their place.
//!
//! A thread of its own looks every so often. When `scorehouse ingest` has written a new snapshot, it is taken
//! over; when many rows were pushed, they are drained into history and the snapshot is built again. Requests go
//! on meanwhile and see either all of the old state or all of the new.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use scorehouse_features::definition::Project;
use scorehouse_features::online::{Base, EmbeddedStore};
use scorehouse_features::view::Layout;
use scorehouse_offline::{OfflineError, OfflineStore};

use crate::error::ServeError;
use crate::stores;

/// Pushed rows over which the snapshot is built again.
const MANY: usize = 100_000;

/// Starts the thread; it ends when `online` is dropped.
///
/// # Errors
/// [`ServeError::Io`] when the thread cannot be started.
pub fn start(
    project: Project,
    online: &Arc<EmbeddedStore>,
    history: Arc<OfflineStore>,
    poll: Duration,
) -> Result<(), ServeError> {
    let online = Arc::downgrade(online);
    let mut upkeep = Upkeep { taken: modified(&stores::base_path(&project)), project, history, many: MANY };
    std::thread::Builder::new()
        .name("upkeep".into())
        .spawn(move || upkeep.run(&online, poll))
        .map(drop)
        .map_err(|source| ServeError::Io { what: "the upkeep thread did not start".into(), source })
}

struct Upkeep {
    project: Project,
    history: Arc<OfflineStore>,
    /// When the snapshot in place was written.
    taken: Option<SystemTime>,
    many: usize,
}

impl Upkeep {
    fn run(&mut self, online: &Weak<EmbeddedStore>, poll: Duration) {
        let mut failing = false;
        loop {
            std::thread::sleep(poll);
            let Some(online) = online.upgrade() else { return };
            match self.look(&online) {
                Ok(()) => failing = false,
                Err(error) if !failing => {
                    tracing::error!(%error, "the online store's snapshot stays as it is");
                    failing = true;
                }
                Err(_) => {}
            }
        }
    }

    fn look(&mut self, online: &EmbeddedStore) -> Result<(), ServeError> {
        let path = stores::base_path(&self.project);
        let written = modified(&path);
        if written != self.taken && written.is_some() {
            let base = Base::load(&path, &Layout::of(&self.project)?)?;
            tracing::info!("taking over a new snapshot");
            self.taken = written;
            return swap(online, base);
        }
        if online.status().pushed_rows < self.many {
            return Ok(());
        }
        match self.history.drain_log(&self.project) {
            // Another process is at it and will leave a snapshot behind.
            Err(OfflineError::Locked { .. }) => return Ok(()),
            other => other?,
        };
        let base = stores::build_base(&self.project, &self.history)?;
        self.taken = modified(&path);
        swap(online, base)
    }
}

/// Puts `base` in place and drops the log that it holds.
fn swap(online: &EmbeddedStore, base: Base) -> Result<(), ServeError> {
    let drained = base.drained();
    online.replace_base(base)?;
    online.checkpoint(drained)?;
    Ok(())
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|found| found.modified()).ok()
}
