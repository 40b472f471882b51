//! The thread that waits for the disk, so that what comes meanwhile is written all the same.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use crate::error::ServeError;

/// A segment whose bytes so far are to reach the disk.
#[derive(Debug)]
pub struct Due {
    /// Where it is.
    pub path: PathBuf,
    /// The file itself.
    pub file: Arc<File>,
}

/// Segments that the disk refused, and why.
pub type Refused = Vec<(PathBuf, io::Error)>;

/// Brings segments to the disk in the background, some at a time.
pub struct Syncer {
    due: Option<Sender<Vec<Due>>>,
    done: Receiver<Refused>,
    under_way: bool,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`ServeError::Io`] when it cannot be started.
    pub fn start() -> Result<Self, ServeError> {
        let (due, told) = channel::<Vec<Due>>();
        let (tell, done) = channel();
        let run = move || {
            for due in told {
                let refused = due.into_iter().filter_map(|due| Some((due.path, sync(&due.file).err()?)));
                // Nobody asks any more: the log is closed, and syncs what is left itself.
                let _ = tell.send(refused.collect());
            }
        };
        let thread =
            std::thread::Builder::new().name("score-log-sync".into()).spawn(run).map_err(|source| {
                ServeError::Io { what: "the thread that syncs the score log did not start".into(), source }
            })?;
        Ok(Self { due: Some(due), done, under_way: false, thread: Some(thread) })
    }

    /// True while segments are on their way; others have to wait.
    pub const fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// Brings segments to the disk. What becomes of them is told by [`outcome`](Self::outcome).
    pub fn sync(&mut self, due: Vec<Due>) {
        // Should the thread be gone, nothing is said of them, and they are synced when they are rolled.
        self.under_way = self.due.as_ref().is_some_and(|to| to.send(due).is_ok());
    }

    /// What the disk refused of the segments given last, once that is known; waits for it if `wait`.
    pub fn outcome(&mut self, wait: bool) -> Refused {
        if !self.under_way {
            return Refused::new();
        }
        let told = if wait { self.done.recv().ok() } else { self.done.try_recv().ok() };
        self.under_way = told.is_none() && !wait;
        told.unwrap_or_default()
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        drop(self.due.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Waits until a file's bytes are on the disk. Then memory need not hold them: they are read once, when they are rolled,
/// and a log that grows by hundreds of megabytes a second would push out all that is read again.
///
/// # Errors
/// When the disk refuses them.
pub fn sync(file: &File) -> io::Result<()> {
    file.sync_data()?;
    #[cfg(target_os = "linux")]
    // Advice that is not taken changes nothing.
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn what_the_disk_refuses_is_told_once_and_the_rest_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("whole");
        let file = Arc::new(File::create(&path).unwrap());
        // A device of this kind cannot be synced.
        let odd = Arc::new(File::open("/dev/null").unwrap());
        let mut syncer = Syncer::start().unwrap();
        assert!(syncer.outcome(true).is_empty(), "nothing was given");
        syncer.sync(vec![Due { path, file }, Due { path: "odd".into(), file: odd }]);
        assert!(syncer.is_under_way());
        let refused: Vec<PathBuf> = syncer.outcome(true).into_iter().map(|(path, _)| path).collect();
        assert_eq!(refused, [PathBuf::from("odd")]);
        assert!(!syncer.is_under_way() && syncer.outcome(false).is_empty());
    }
}
