//! The thread that rolls segments into Parquet while nobody else needs the processor.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parquet::errors::ParquetError;
use scorehouse_features::time::{Clock, Span};

use super::roll;
use crate::error::ServeError;
use crate::idle;

/// Bytes of answers a second above which requests need the processor.
const BUSY: u64 = 1 << 20;
/// Segments that may wait for a quiet time.
const MOST_WAITING: usize = 16;
/// Time between two looks whether it is quiet.
const LOOK: Duration = Duration::from_millis(100);

/// Segments that are to be rolled, one after the other, in the background, when it is quiet.
pub struct Roller {
    due: Option<Sender<PathBuf>>,
    thread: Option<JoinHandle<()>>,
    work: Arc<Work>,
}

/// What the thread has to know of the server's work.
#[derive(Debug, Default)]
struct Pace {
    /// Bytes of answers in the last second.
    bytes: AtomicU64,
    /// Segments that wait.
    waiting: AtomicUsize,
    /// True when the log is closed: somebody waits for what is left, and does it himself.
    closing: AtomicBool,
}

impl Pace {
    /// Waits until requests leave room; interrupted when the log is closed.
    fn wait(&self) -> io::Result<()> {
        while !self.is_closing()
            && self.bytes.load(Ordering::Relaxed) > BUSY
            && self.waiting.load(Ordering::Relaxed) <= MOST_WAITING
        {
            std::thread::sleep(LOOK);
        }
        if self.is_closing() { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}

struct Work {
    folder: PathBuf,
    keep: Option<Span>,
    clock: Arc<dyn Clock>,
    pace: Pace,
}

impl Roller {
    /// Starts the thread; it rolls what an earlier process left behind first.
    ///
    /// # Errors
    /// [`ServeError::Io`] when the thread cannot be started.
    pub fn start(folder: PathBuf, keep: Option<Span>, clock: Arc<dyn Clock>) -> Result<Self, ServeError> {
        let left = roll::segments(&folder);
        let (due, told) = channel();
        let work = Arc::new(Work { folder, keep, clock, pace: Pace::default() });
        let own = work.clone();
        let run = move || {
            idle::step_back("the score log is rolled");
            own.all(left, &|| own.pace.wait());
            own.run(&told);
        };
        let thread =
            std::thread::Builder::new().name("score-log-roll".into()).spawn(run).map_err(|source| {
                ServeError::Io { what: "the thread that rolls the score log did not start".into(), source }
            })?;
        Ok(Self { due: Some(due), thread: Some(thread), work })
    }

    /// Rolls a segment that nobody writes to any more, soon.
    pub fn roll(&self, segment: PathBuf) {
        self.work.pace.waiting.fetch_add(1, Ordering::Relaxed);
        // A thread that is gone leaves the segment to the next start.
        let _ = self.due.as_ref().map(|due| due.send(segment));
    }

    /// Says how many bytes of answers the last second brought.
    pub fn tell(&self, bytes: u64) {
        self.work.pace.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Rolls all that is left. On a busy machine the thread that steps back might need minutes for what is done here in
    /// no time, so it only ends the piece it is at.
    pub fn finish(&mut self) {
        self.work.pace.closing.store(true, Ordering::Relaxed);
        drop(self.due.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
        self.work.all(roll::segments(&self.work.folder), &|| Ok(()));
    }
}

impl Work {
    fn all(&self, segments: io::Result<Vec<PathBuf>>, pause: &dyn Fn() -> io::Result<()>) {
        match segments {
            Ok(paths) => paths.iter().for_each(|path| self.roll(path, pause)),
            Err(error) => tracing::warn!(%error, "the score log's segments cannot be listed"),
        }
        self.forget();
    }

    fn run(&self, told: &Receiver<PathBuf>) {
        for path in told {
            self.roll(&path, &|| self.pace.wait());
            self.pace.waiting.fetch_sub(1, Ordering::Relaxed);
            self.forget();
        }
    }

    fn roll(&self, path: &Path, pause: &dyn Fn() -> io::Result<()>) {
        if let Err(error) = roll::roll(&self.folder, path, pause)
            && !interrupted(&error)
        {
            tracing::warn!(%error, segment = %path.display(), "a segment of the score log stays as it is");
        }
    }

    fn forget(&self) {
        if let Some(keep) = self.keep
            && let Err(error) = roll::forget(&self.folder, self.clock.now(), keep)
        {
            tracing::warn!(%error, "old answers cannot be removed from the score log");
        }
    }
}

/// True when the log was closed meanwhile: who closes it rolls the segment.
fn interrupted(error: &ParquetError) -> bool {
    let ParquetError::External(source) = error else { return false };
    source.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use std::fs;

    use scorehouse_features::time::{FixedClock, Timestamp};

    use super::*;
    use crate::score_log::roll::OPEN;

    /// A segment of no answers but its shape's, which rolling removes.
    fn segment(folder: &Path, own: &str) -> PathBuf {
        let name = format!("upsell.2024-01-01.{own}.answers");
        let path = folder.join(OPEN).join(name);
        fs::create_dir_all(folder.join(OPEN)).unwrap();
        fs::write(&path, []).unwrap();
        path
    }

    #[test]
    fn what_waits_for_a_quiet_time_is_rolled_by_who_closes_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock(Timestamp(0)));
        let mut roller = Roller::start(folder.path().to_owned(), None, clock).unwrap();
        roller.tell(10 * BUSY);
        let segments: Vec<PathBuf> = (0..3).map(|n| segment(folder.path(), &n.to_string())).collect();
        segments.iter().for_each(|path| roller.roll(path.clone()));
        std::thread::sleep(2 * LOOK);
        assert!(segments.iter().all(|path| path.exists()), "the server is busy");
        roller.finish();
        assert!(!segments.iter().any(|path| path.exists()));
    }

    #[test]
    fn a_segment_with_parts_that_cannot_be_read_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = segment(folder.path(), "1");
        fs::write(&path, [[2, 0, 0, 0], [0; 4]].concat().into_iter().chain(*b"{}more").collect::<Vec<u8>>())
            .unwrap();
        roll::roll(folder.path(), &path, &|| Ok(())).unwrap();
        assert!(!path.exists() && path.with_extension("unread").exists());
    }
}
