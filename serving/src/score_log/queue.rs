//! Answers that wait to be written, bounded in bytes.
//!
//! A push takes a lock for as long as a vector grows by one, and wakes nobody while the queue is less than a
//! quarter full: the writer comes by itself, and a wake-up costs more than all the rest.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

use super::record::Answered;
use crate::error::ServeError;

/// Longest wait for room.
const PATIENCE: Duration = Duration::from_secs(1);

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

#[derive(Debug, Default)]
struct Waiting {
    answers: Vec<Answered>,
    bytes: usize,
    /// How often somebody asked for a flush, and how many of these are done.
    asked: u64,
    done: u64,
    closed: bool,
}

/// What the writer takes at once.
#[derive(Debug)]
pub struct Taken {
    /// The answers in the order in which they were handed over.
    pub answers: Vec<Answered>,
    /// Their bytes.
    pub bytes: usize,
    /// True: nothing follows.
    pub closed: bool,
    asked: u64,
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

    /// Hands an answer over; one that `must` be kept is taken even when the queue is full. False when it was not
    /// taken.
    pub fn push(&self, answered: Answered, must: bool) -> bool {
        let bytes = size_of::<Answered>() + answered.answers.bytes();
        let held = self.held.fetch_add(bytes, Ordering::Relaxed);
        if held >= self.limit && !must {
            self.held.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        let mut waiting = self.waiting.lock();
        waiting.answers.push(answered);
        let (before, after) = (waiting.bytes, waiting.bytes + bytes);
        waiting.bytes = after;
        drop(waiting);
        if before < self.limit / 4 && after >= self.limit / 4 {
            self.wake.notify_one();
        }
        true
    }

    /// Takes everything that waits, after at most `patience`.
    pub fn take(&self, patience: Duration) -> Taken {
        let mut waiting = self.waiting.lock();
        if !waiting.closed && waiting.asked == waiting.done && waiting.bytes < self.limit / 4 {
            let _ = self.wake.wait_for(&mut waiting, patience);
        }
        Taken {
            answers: std::mem::take(&mut waiting.answers),
            bytes: std::mem::take(&mut waiting.bytes),
            closed: waiting.closed,
            asked: waiting.asked,
        }
    }

    /// What was taken is written, or given up.
    pub fn settle(&self, taken: &Taken, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
        self.held.fetch_sub(taken.bytes, Ordering::Relaxed);
        self.freed.notify_waiters();
        self.waiting.lock().done = taken.asked;
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
