//! The thread that rolls segments into Parquet while nobody else needs the processor.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

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
    pace: Arc<Pace>,
}

/// What the thread has to know of the server's work.
#[derive(Debug, Default)]
struct Pace {
    /// Bytes of answers in the last second.
    bytes: AtomicU64,
    /// Segments that wait.
    waiting: AtomicUsize,
    /// True when the log is closed: rolling is all there is left to do.
    closing: AtomicBool,
}

impl Pace {
    /// Waits until requests leave room, or there is no waiting any more.
    fn wait(&self) {
        while self.bytes.load(Ordering::Relaxed) > BUSY
            && self.waiting.load(Ordering::Relaxed) <= MOST_WAITING
            && !self.closing.load(Ordering::Relaxed)
        {
            std::thread::sleep(LOOK);
        }
    }
}

struct Work {
    folder: PathBuf,
    keep: Option<Span>,
    clock: Arc<dyn Clock>,
    pace: Arc<Pace>,
}

impl Roller {
    /// Starts the thread; it rolls what an earlier process left behind first.
    ///
    /// # Errors
    /// [`ServeError::Io`] when the thread cannot be started.
    pub fn start(folder: PathBuf, keep: Option<Span>, clock: Arc<dyn Clock>) -> Result<Self, ServeError> {
        let left = roll::segments(&folder);
        let (due, told) = channel();
        let pace: Arc<Pace> = Arc::default();
        let work = Work { folder, keep, clock, pace: pace.clone() };
        let run = move || {
            idle::step_back("the score log is rolled");
            work.first(left);
            work.run(&told);
        };
        let thread =
            std::thread::Builder::new().name("score-log-roll".into()).spawn(run).map_err(|source| {
                ServeError::Io { what: "the thread that rolls the score log did not start".into(), source }
            })?;
        Ok(Self { due: Some(due), thread: Some(thread), pace })
    }

    /// Rolls a segment that nobody writes to any more, soon.
    pub fn roll(&self, segment: PathBuf) {
        self.pace.waiting.fetch_add(1, Ordering::Relaxed);
        // A thread that is gone leaves the segment to the next start.
        let _ = self.due.as_ref().map(|due| due.send(segment));
    }

    /// Says how many bytes of answers the last second brought.
    pub fn tell(&self, bytes: u64) {
        self.pace.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Waits until everything is rolled.
    pub fn finish(&mut self) {
        self.pace.closing.store(true, Ordering::Relaxed);
        drop(self.due.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so; its segments are rolled at the next start.
            let _ = thread.join();
        }
    }
}

impl Work {
    fn first(&self, left: std::io::Result<Vec<PathBuf>>) {
        match left {
            Ok(paths) => paths.iter().for_each(|path| self.roll(path)),
            Err(error) => tracing::warn!(%error, "the score log's segments cannot be listed"),
        }
        self.forget();
    }

    fn run(&self, told: &Receiver<PathBuf>) {
        for path in told {
            self.roll(&path);
            self.pace.waiting.fetch_sub(1, Ordering::Relaxed);
            self.forget();
        }
    }

    fn roll(&self, path: &Path) {
        if let Err(error) = roll::roll(&self.folder, path, &|| self.pace.wait()) {
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
