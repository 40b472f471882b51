//! The evidence: every answer as it was given, with its inputs, version, reasons and caller.
//!
//! An answer is written into bytes while its request is answered (`wire`) and waits in a queue bounded in bytes
//! (`queue`). A thread of its own (`writer`) appends what waits to a segment per model, version and day (`segment`),
//! synced at least every `[score_log] flush`. Another (`roller`), which lets all others go first, turns segments that
//! are full into Arrow batches (`columns`) and these into Parquet (`roll`). What reads the log (`read`) sees both.

mod asker;
mod columns;
mod direct;
mod piece;
mod queue;
pub mod read;
mod roll;
mod roller;
mod segment;
mod syncer;
mod wire;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use scorehouse_features::definition::{Overflow, ScoreLogSettings};
use scorehouse_features::time::{Clock, DAY, Timestamp};

pub use asker::Asker;
pub use wire::{Computed, items as items_bytes, score as score_bytes};

use crate::challenger::Variant;
use crate::error::ServeError;
use crate::live_model::Selected;
use crate::telemetry::Metrics;
use queue::{Handed, Queue};
use wire::Head;
use writer::Writer;

/// The folder of a project's score log.
#[must_use]
pub fn folder(state: &Path) -> PathBuf {
    state.join("scores")
}

/// What all answers of one request share.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// When they were given.
    pub at: Timestamp,
    /// The version that answered.
    pub selected: &'a Selected,
    /// Who asked.
    pub asker: &'a Asker,
    /// In which part the version answered, where a challenger is tried out.
    pub variant: Option<Variant>,
}

/// One answer.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Its place in the request.
    pub row: u32,
    /// The entity's or customer's key.
    pub key: Option<&'a str>,
    /// Its bytes, by [`score_bytes`] or [`items_bytes`].
    pub body: &'a [u8],
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

    /// Hands answers over. They are dropped, and counted, when there is no room and `overflow` says so.
    pub fn keep<'a>(&self, given: Given<'_>, answers: impl Iterator<Item = Answer<'a>> + Clone) {
        let Some(queue) = &self.queue else { return };
        let Given { at, selected, asker, variant } = given;
        let variant = variant.map(Variant::as_str);
        let alias = selected.alias.as_ref().map(|alias| alias.as_str());
        let (caller, request) = (asker.name(), asker.request());
        let head = Head { at: at.0, request, caller, alias, variant };
        let (rows, most) = wire::measure(&head, answers.clone());
        if rows == 0 {
            return;
        }
        let must = self.overflow == Overflow::Wait && !queue.is_failing();
        let handed = Handed { model: &selected.model, day: at.0.div_euclid(DAY), rows, most };
        if !queue.push(handed, must, |to| wire::append(to, &head, answers)) {
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
