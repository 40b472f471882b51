//! Asking the challenger beside the champion, off the way of the request.
//!
//! A thread of its own takes what was answered, scores it again with the challenger and hands that to the score log.
//! At most [`MOST_WAITING`] rows and [`MOST_BYTES`] wait; more are skipped and counted, for no request may wait for an answer that
//! nobody hears.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};
use scorehouse_features::online::OnlineStore;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_features::view::{Read, RequestFields};

use super::{Followed, Variant};
use crate::error::ServeError;
use crate::live_model::{LiveModel, Selected};
use crate::score_log::{Answer as Kept, Asker, Computed, Given, ScoreLog, score_bytes};
use crate::service::recommend::list_bytes;
use crate::telemetry::Metrics;

/// Rows that wait at most.
const MOST_WAITING: usize = 20_000;
/// Bytes that they hold at most.
const MOST_BYTES: usize = 64 << 20;

/// What a champion answered, for the challenger to answer as well.
struct Answer {
    at: Timestamp,
    asker: Asker,
    challenger: Selected,
    /// Places in the request, and what stands there.
    rows: Vec<(u32, Followed)>,
}

/// Answers that wait for the challenger.
pub struct Shadows {
    queue: Option<Arc<Queue<Answer>>>,
    metrics: Arc<Metrics>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Queue<A> {
    waiting: Mutex<Waiting<A>>,
    /// Wakes the thread.
    wake: Condvar,
    /// Wakes those who wait until what they saw is answered.
    answered: Condvar,
}

/// What an answer takes up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Weight {
    rows: usize,
    bytes: usize,
}

struct Waiting<A> {
    answers: VecDeque<(Weight, A)>,
    /// What waits or is being scored.
    weight: Weight,
    /// How many answers were handed over, and how many of these, in order, are done with.
    handed: u64,
    done: u64,
    closed: bool,
}

/// What the thread works with.
struct Worker {
    online: Arc<dyn OnlineStore>,
    log: Arc<ScoreLog>,
    metrics: Arc<Metrics>,
    read: scorehouse_features::view::Scratch,
    scratch: scorehouse_models::Scratch,
    values: Vec<Value>,
}

impl Shadows {
    /// Without a shadow nothing is started.
    #[must_use]
    pub fn none(metrics: Arc<Metrics>) -> Self {
        Self { queue: None, metrics, thread: Mutex::default() }
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// [`ServeError::Io`] when it cannot be started.
    pub fn start(
        online: Arc<dyn OnlineStore>,
        log: Arc<ScoreLog>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ServeError> {
        let queue = Arc::new(Queue::new());
        let inside = queue.clone();
        let (read, scratch, values) = Default::default();
        let worker = Worker { online, log, metrics: metrics.clone(), read, scratch, values };
        let thread = std::thread::Builder::new()
            .name("shadow".into())
            .spawn(move || worker.run(&inside))
            .map_err(|source| ServeError::Io { what: "the shadow's thread did not start".into(), source })?;
        Ok(Self { queue: Some(queue), metrics, thread: Mutex::new(Some(thread)) })
    }

    /// Takes what a champion answered, for its challenger. Never waits.
    pub fn follow(
        &self,
        challenger: &Selected,
        (at, asker): (Timestamp, &Asker),
        rows: Vec<(u32, Followed)>,
    ) {
        let Some(queue) = self.queue.as_ref().filter(|_| !rows.is_empty()) else { return };
        let weight = Weight { rows: rows.len(), bytes: rows.iter().map(|(_, row)| row.bytes()).sum() };
        let answer = Answer { at, asker: asker.clone(), challenger: challenger.clone(), rows };
        if !queue.push(weight, answer) {
            self.metrics.shadow_rows(challenger.model.name(), "skipped", weight.rows);
        }
    }

    /// Waits until everything handed over so far is answered.
    pub fn settle(&self) {
        let Some(queue) = &self.queue else { return };
        let ticket = queue.ticket();
        queue.wait(ticket);
    }

    /// Lets the challenger answer what waits, and ends the thread.
    pub fn close(&self) {
        if let Some(queue) = &self.queue {
            queue.waiting.lock().closed = true;
            queue.wake.notify_one();
            queue.answered.notify_all();
        }
        if let Some(thread) = self.thread.lock().take() {
            // The thread catches its panics; there is nothing to hear from it.
            let _ = thread.join();
        }
    }
}

impl Drop for Shadows {
    fn drop(&mut self) {
        self.close();
    }
}

impl<A> Queue<A> {
    fn new() -> Self {
        let weight = Weight::default();
        let waiting = Waiting { answers: VecDeque::new(), weight, handed: 0, done: 0, closed: false };
        Self { waiting: Mutex::new(waiting), wake: Condvar::new(), answered: Condvar::new() }
    }

    /// False when there is no room.
    fn push(&self, weight: Weight, answer: A) -> bool {
        let mut waiting = self.waiting.lock();
        let rows = waiting.weight.rows + weight.rows;
        let bytes = waiting.weight.bytes + weight.bytes;
        if waiting.closed || rows > MOST_WAITING || bytes > MOST_BYTES {
            return false;
        }
        waiting.weight = Weight { rows, bytes };
        waiting.handed += 1;
        waiting.answers.push_back((weight, answer));
        drop(waiting);
        self.wake.notify_one();
        true
    }

    /// The next answer; none once the queue is closed and empty.
    fn take(&self) -> Option<(Weight, A)> {
        let mut waiting = self.waiting.lock();
        loop {
            if let Some(answer) = waiting.answers.pop_front() {
                return Some(answer);
            }
            if waiting.closed {
                return None;
            }
            self.wake.wait(&mut waiting);
        }
    }

    /// The number of the answer handed over last.
    fn ticket(&self) -> u64 {
        self.waiting.lock().handed
    }

    /// Waits until the answer of a number is done with, and so all before it.
    fn wait(&self, ticket: u64) {
        let mut waiting = self.waiting.lock();
        while waiting.done < ticket && !waiting.closed {
            self.answered.wait(&mut waiting);
        }
    }

    fn done(&self, weight: Weight) {
        let mut waiting = self.waiting.lock();
        waiting.weight.rows -= weight.rows;
        waiting.weight.bytes -= weight.bytes;
        waiting.done += 1;
        drop(waiting);
        self.answered.notify_all();
    }
}

impl Worker {
    fn run(mut self, queue: &Queue<Answer>) {
        while let Some((weight, answer)) = queue.take() {
            let (rows, model) = (answer.rows.len(), answer.challenger.model.name());
            let scored = catch_unwind(AssertUnwindSafe(|| self.answer(&answer)));
            let scored = scored.unwrap_or_else(|_| {
                self.metrics.panics().inc();
                0
            });
            self.metrics.shadow_rows(model, "scored", scored);
            self.metrics.shadow_rows(model, "failed", rows - scored);
            queue.done(weight);
        }
    }

    /// Scores the rows and keeps what came out; how many could be scored.
    fn answer(&mut self, answer: &Answer) -> usize {
        let Answer { at, asker, challenger, rows, .. } = answer;
        let mut bodies = Vec::with_capacity(rows.len());
        for (number, row) in rows {
            match self.score(&challenger.model, row) {
                Ok(body) => bodies.push((*number, row.key(), body)),
                Err(error) => {
                    tracing::debug!(model = challenger.model.name(), %error, "a shadow could not score");
                }
            }
        }
        let answers = bodies.iter().map(|(row, key, body)| Kept { row: *row, key: *key, body });
        let variant = Some(Variant::Shadow);
        self.log.keep(Given { at: *at, selected: challenger, asker, variant }, answers);
        bodies.len()
    }

    /// The bytes of one answer. The challenger reads its own inputs, as of the champion's moment.
    fn score(&mut self, model: &LiveModel, row: &Followed) -> Result<Vec<u8>, ServeError> {
        match row {
            Followed::Entity { key, as_of, given } => {
                let (plan, _) = model.plan()?;
                let request = RequestFields::new();
                let read = Read { key, as_of: *as_of, request: &request, overrides: given };
                plan.read(self.online.as_ref(), &read, &mut self.read, &mut self.values)?;
                let inputs = model.scoring().signature().inputs.len().min(self.values.len());
                let inputs = &self.values[..inputs];
                let score = model.scoring().score(inputs, *as_of, 0, &mut self.scratch)?;
                let (as_of, stored, decision) = (*as_of, true, None);
                Ok(bytes(model, Computed { as_of, stored, inputs, given, score: &score, decision }))
            }
            Followed::Inputs { as_of, values, .. } => {
                let score = model.scoring().score(values, *as_of, 0, &mut self.scratch)?;
                let (as_of, stored, decision, given) = (*as_of, false, None, &[][..]);
                let computed = Computed { as_of, stored, inputs: values, given, score: &score, decision };
                Ok(bytes(model, computed))
            }
            Followed::List(list) => list_bytes(self.online.as_ref(), model, list),
        }
    }
}

fn bytes(model: &LiveModel, computed: Computed<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    score_bytes(&mut bytes, model, computed);
    bytes
}

impl std::fmt::Debug for Shadows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shadows").field("follows", &self.queue.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Weight = Weight { rows: 1, bytes: 1_000 };

    #[test]
    fn whoever_waits_is_let_go_once_what_it_saw_is_answered_although_more_came() {
        let queue = Queue::new();
        assert!(queue.push(ONE, "seen"));
        let ticket = queue.ticket();
        assert!(queue.push(ONE, "later"));
        let (weight, answer) = queue.take().unwrap();
        queue.done(weight);
        queue.wait(ticket);
        assert_eq!(answer, "seen");
        assert_eq!((queue.ticket(), queue.waiting.lock().weight), (2, ONE));
    }

    #[test]
    fn what_waits_is_bounded_in_rows_and_in_bytes() {
        let queue = Queue::new();
        assert!(!queue.push(Weight { rows: MOST_WAITING + 1, bytes: 0 }, ()));
        assert!(queue.push(Weight { rows: 1, bytes: MOST_BYTES }, ()));
        assert!(!queue.push(ONE, ()));
        let (weight, ()) = queue.take().unwrap();
        assert!(!queue.push(ONE, ()), "what is being scored is still held");
        queue.done(weight);
        assert!(queue.push(ONE, ()));
    }
}
