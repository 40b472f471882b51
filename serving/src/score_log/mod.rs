//! The evidence: every answer as it was given, with its inputs, version, reasons and caller.
//!
//! An answer is handed over as one owned [`Answered`] and waits in a queue bounded in bytes (`queue`). A thread
//! of its own (`writer`) turns what waits into Arrow batches (`columns`), appends them to a segment per model,
//! version and day (`segment`: an Arrow IPC stream, synced at least every `[score_log] flush`), and rolls
//! segments into Parquet (`roll`). What reads the log (`read`) sees both.

mod columns;
mod queue;
pub mod read;
mod record;
mod roll;
mod segment;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use scorehouse_features::definition::{Overflow, ScoreLogSettings};
use scorehouse_features::time::Clock;

pub use record::{Answered, Answers, Asker, ItemsGiven, ScoreGiven};

use crate::error::ServeError;
use crate::telemetry::Metrics;
use queue::Queue;
use writer::Writer;

/// The folder of a project's score log.
#[must_use]
pub fn folder(state: &Path) -> PathBuf {
    state.join("scores")
}

/// A log that is being written.
pub struct ScoreLog {
    queue: Option<Arc<Queue>>,
    overflow: Overflow,
    metrics: Arc<Metrics>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl ScoreLog {
    /// Opens the log under `state` and starts the thread that writes it; segments that an earlier process left
    /// behind are rolled first.
    ///
    /// # Errors
    /// [`ServeError::Io`] when the folder cannot be made or the thread cannot be started.
    pub fn open(
        state: &Path,
        settings: &ScoreLogSettings,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ServeError> {
        let overflow = settings.overflow;
        if !settings.enabled {
            return Ok(Self { queue: None, overflow, metrics, thread: Mutex::default() });
        }
        let queue = Arc::new(Queue::new(settings.memory));
        let writer = Writer::new(folder(state), settings, clock, metrics.clone())?;
        let inside = queue.clone();
        let thread =
            std::thread::Builder::new().name("score-log".into()).spawn(move || writer.run(&inside)).map_err(
                |source| ServeError::Io { what: "the score log's thread did not start".into(), source },
            )?;
        Ok(Self { queue: Some(queue), overflow, metrics, thread: Mutex::new(Some(thread)) })
    }

    /// True when answers are kept, so that their inputs must be held on to.
    #[must_use]
    pub const fn keeps(&self) -> bool {
        self.queue.is_some()
    }

    /// Waits until there is room for an answer; asked before it is computed.
    ///
    /// # Errors
    /// [`ServeError::Overloaded`] when there is none within a second. Never with `overflow = "drop"`, nor while the
    /// disk refuses what is written: evidence that cannot be kept does not stop the answers.
    pub async fn room(&self) -> Result<(), ServeError> {
        match &self.queue {
            Some(queue) if self.overflow == Overflow::Wait && queue.is_full() => queue.room().await,
            _ => Ok(()),
        }
    }

    /// Hands an answer over. It is dropped, and counted, when there is no room and `overflow` says so.
    pub fn keep(&self, answered: Answered) {
        let Some(queue) = &self.queue else { return };
        let rows = answered.answers.rows();
        let must = self.overflow == Overflow::Wait && !queue.is_failing();
        if !queue.push(answered, must) {
            self.metrics.score_log_rows("dropped", rows);
        }
    }

    /// Waits until everything handed over so far is on the disk.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`] when the disk refuses it.
    pub fn flush(&self) -> Result<(), ServeError> {
        self.queue.as_ref().map_or(Ok(()), |queue| queue.flush())
    }

    /// Writes what waits, rolls the segments, and ends the thread. Answers handed over later are lost.
    pub fn close(&self) {
        if let Some(queue) = &self.queue {
            queue.close();
        }
        if let Some(thread) = self.thread.lock().take() {
            // A writer that panicked has said so; there is nothing left to wait for.
            let _ = thread.join();
        }
    }
}

impl Drop for ScoreLog {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for ScoreLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScoreLog").field("keeps", &self.keeps()).finish_non_exhaustive()
    }
}
