//! Following moves that others make: the command line, or another server on the same registry.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::LiveModels;
use crate::error::ServeError;

/// Looks at the registry every `poll` on a thread of its own, for as long as `live` is in use.
///
/// # Errors
/// [`ServeError::Io`] when the thread cannot be started.
pub fn watch(live: &Arc<LiveModels>, poll: Duration) -> Result<(), ServeError> {
    let live = Arc::downgrade(live);
    std::thread::Builder::new()
        .name("registry-watch".into())
        .spawn(move || follow(&live, poll))
        .map(drop)
        .map_err(|source| ServeError::Io { what: "the registry's watcher did not start".into(), source })
}

fn follow(live: &Weak<LiveModels>, poll: Duration) {
    let mut failing = false;
    loop {
        std::thread::sleep(poll);
        let Some(live) = live.upgrade() else { return };
        match live.refresh() {
            Ok(_) => failing = false,
            Err(error) => {
                // Said once, not four times a second.
                if !failing {
                    tracing::error!(%error, "the registry cannot be read; live models stay as they are");
                }
                failing = true;
            }
        }
    }
}
