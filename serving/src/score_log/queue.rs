//! Answers that wait to be written, bounded in bytes.
//!
//! A push takes a lock for as long as its bytes are put down where they wait, and wakes nobody until there is a bite for the writer, who
//! otherwise comes by itself: a wake-up costs more than all the rest, and a large write disturbs requests more than
//! several small ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

use super::piece::Piece;
use crate::error::ServeError;
use crate::live_model::LiveModel;

/// Longest wait for room.
const PATIENCE: Duration = Duration::from_secs(1);

/// Bytes for which the writer is woken.
const BITE: usize = 1 << 20;

/// Bytes of a piece: memory that grows is copied, while all who push wait for it.
const PIECE: usize = 2 * BITE;

/// Bytes of a version's first piece: of most versions no more waits at once.
const FIRST: usize = 64 << 10;

/// Pieces that are kept for what comes next.
const SPARE: usize = 4;

/// Answers that wait.
#[derive(Debug)]
pub struct Queue {
    limit: usize,
    /// Bytes handed over and not yet written.
    held: AtomicUsize,
    waiting: Mutex<Waiting>,
    /// Wakes the writer.
    wake: Condvar,
    /// Wakes those who wait for a flush.
    written: Condvar,
    /// Wakes those who wait for room.
    freed: Notify,
    failing: AtomicBool,
}

/// Answers of one version and one day, in the order in which they were handed over; of a burst, some of them.
#[derive(Debug)]
pub struct Batch {
    /// The version.
    pub model: Arc<LiveModel>,
    /// Days since 1970, in UTC.
    pub day: i64,
    /// The answers.
    pub answers: Piece,
    /// How many they are.
    pub rows: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    batches: Vec<Batch>,
    bytes: usize,
    /// Memory of earlier batches, to be filled again.
    spare: Vec<Piece>,
    /// How often somebody asked for a flush, and how many of these are done.
    asked: u64,
    done: u64,
    closed: bool,
}

/// What the writer takes at once.
#[derive(Debug)]
pub struct Taken {
    /// What waited.
    pub batches: Vec<Batch>,
    /// Its bytes.
    pub bytes: usize,
    /// True when it is so much that the disk seems to be behind.
    pub behind: bool,
    /// True: nothing follows.
    pub closed: bool,
    asked: u64,
    done: u64,
}

impl Taken {
    /// True when somebody waits until it is on the disk.
    #[must_use]
    pub const fn is_awaited(&self) -> bool {
        self.closed || self.asked > self.done
    }
}

/// Answers handed over together.
#[derive(Debug, Clone, Copy)]
pub struct Handed<'a> {
    /// The version that answered.
    pub model: &'a Arc<LiveModel>,
    /// The day of the answer.
    pub day: i64,
    /// How many they are.
    pub rows: usize,
    /// Their bytes, at most.
    pub most: usize,
}

impl Queue {
    /// A queue that is full at `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            held: AtomicUsize::new(0),
            waiting: Mutex::default(),
            wake: Condvar::new(),
            written: Condvar::new(),
            freed: Notify::new(),
            failing: AtomicBool::new(false),
        }
    }

    /// True when no more should be handed over.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.held.load(Ordering::Relaxed) >= self.limit && !self.is_failing()
    }

    /// True while the disk refuses what is written.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Waits for room.
    ///
    /// # Errors
    /// [`ServeError::Overloaded`] when there is none within a second.
    pub async fn room(&self) -> Result<(), ServeError> {
        self.wake.notify_one();
        let wait = async {
            loop {
                let freed = self.freed.notified();
                if !self.is_full() {
                    return;
                }
                freed.await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.map_err(|_| ServeError::Overloaded { retry_after: 1 })
    }

    /// Hands answers over, which `put` appends where they wait; what `must` be kept is taken even when the queue is full.
    /// False when it was not taken.
    pub fn push(&self, handed: Handed<'_>, must: bool, put: impl FnOnce(&mut Vec<u8>)) -> bool {
        let most = handed.most;
        let held = self.held.fetch_add(most, Ordering::Relaxed);
        if held >= self.limit && !must {
            self.held.fetch_sub(most, Ordering::Relaxed);
            return false;
        }
        let mut waiting = self.waiting.lock();
        let (before, bytes) = (waiting.bytes, waiting.add(handed, put));
        let after = before + bytes;
        waiting.bytes = after;
        drop(waiting);
        self.held.fetch_sub(most.saturating_sub(bytes), Ordering::Relaxed);
        let bite = BITE.min(self.limit / 4);
        if before < bite && after >= bite {
            self.wake.notify_one();
        }
        true
    }

    /// Takes everything that waits, after at most `patience`.
    pub fn take(&self, patience: Duration) -> Taken {
        let mut waiting = self.waiting.lock();
        if !waiting.closed && waiting.asked == waiting.done && waiting.bytes < BITE.min(self.limit / 4) {
            let _ = self.wake.wait_for(&mut waiting, patience);
        }
        let bytes = std::mem::take(&mut waiting.bytes);
        Taken {
            batches: std::mem::take(&mut waiting.batches),
            bytes,
            behind: bytes > self.limit / 4,
            closed: waiting.closed,
            asked: waiting.asked,
            done: waiting.done,
        }
    }

    /// What was taken is written, or given up.
    pub fn settle(&self, taken: Taken, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
        self.held.fetch_sub(taken.bytes, Ordering::Relaxed);
        self.freed.notify_waiters();
        let mut waiting = self.waiting.lock();
        waiting.done = taken.asked;
        // Memory that was filled before costs no page faults when it is filled again. What one burst needed is not held
        // for good.
        let filled = taken.batches.into_iter().map(|batch| batch.answers).filter(|piece| piece.holds(PIECE));
        for mut piece in filled.take(SPARE - waiting.spare.len().min(SPARE)) {
            piece.clear();
            waiting.spare.push(piece);
        }
        drop(waiting);
        self.written.notify_all();
    }

    /// Waits until everything handed over so far is on the disk.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`] when the disk refuses it.
    pub fn flush(&self) -> Result<(), ServeError> {
        let mut waiting = self.waiting.lock();
        waiting.asked += 1;
        let mine = waiting.asked;
        self.wake.notify_one();
        while waiting.done < mine && !waiting.closed {
            self.written.wait(&mut waiting);
        }
        drop(waiting);
        if self.is_failing() {
            let reason = "the disk refuses what is written".into();
            return Err(ServeError::Unavailable { what: "the score log", reason });
        }
        Ok(())
    }

    /// Nothing more will be handed over.
    pub fn close(&self) {
        self.waiting.lock().closed = true;
        self.wake.notify_one();
        self.written.notify_all();
    }
}

impl Waiting {
    /// The bytes that were added.
    fn add(&mut self, handed: Handed<'_>, put: impl FnOnce(&mut Vec<u8>)) -> usize {
        let Handed { model, day, rows, most } = handed;
        let same = |batch: &Batch| batch.day == day && Arc::ptr_eq(&batch.model, model);
        let has_room = |batch: &Batch| batch.answers.has_room(most);
        // The last one has room, if any has.
        let last = self.batches.iter().rposition(same);
        let at = last.filter(|last| has_room(&self.batches[*last])).unwrap_or_else(|| {
            let room = if last.is_some() { PIECE } else { FIRST };
            let answers = self.spare.pop().unwrap_or_else(|| Piece::with_capacity(room.max(most)));
            self.batches.push(Batch { model: model.clone(), day, answers, rows: 0 });
            self.batches.len() - 1
        });
        let batch = &mut self.batches[at];
        let before = batch.answers.len();
        batch.answers.put(put);
        batch.rows += rows;
        batch.answers.len() - before
    }
}
