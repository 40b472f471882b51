//! Asking the challenger beside the champion, off the way of the request.
//!
//! A thread of its own takes what was answered, scores it again with the challenger and hands that to the score log.
//! At most [`MOST_WAITING`] rows wait; more are skipped and counted, for no request may wait for an answer that
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
    queue: Option<Arc<Queue>>,
    metrics: Arc<Metrics>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    /// Wakes the thread.
    wake: Condvar,
    /// Wakes those who wait until nothing waits.
    idle: Condvar,
}

#[derive(Default)]
struct Waiting {
    answers: VecDeque<Answer>,
    /// Rows that wait or are being scored.
    rows: usize,
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
        let queue = Arc::new(Queue::default());
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
        let count = rows.len();
        let answer = Answer { at, asker: asker.clone(), challenger: challenger.clone(), rows };
        if !queue.push(answer) {
            self.metrics.shadow_rows(challenger.model.name(), "skipped", count);
        }
    }

    /// Waits until nothing waits.
    pub fn settle(&self) {
        let Some(queue) = &self.queue else { return };
        let mut waiting = queue.waiting.lock();
        while waiting.rows > 0 && !waiting.closed {
            queue.idle.wait(&mut waiting);
        }
    }

    /// Lets the challenger answer what waits, and ends the thread.
    pub fn close(&self) {
        if let Some(queue) = &self.queue {
            queue.waiting.lock().closed = true;
            queue.wake.notify_one();
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

impl Queue {
    /// False when there is no room.
    fn push(&self, answer: Answer) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.closed || waiting.rows + answer.rows.len() > MOST_WAITING {
            return false;
        }
        waiting.rows += answer.rows.len();
        waiting.answers.push_back(answer);
        drop(waiting);
        self.wake.notify_one();
        true
    }

    /// The next answer; none once the queue is closed and empty.
    fn take(&self) -> Option<Answer> {
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

    fn done(&self, rows: usize) {
        self.waiting.lock().rows -= rows;
        self.idle.notify_all();
    }
}

impl Worker {
    fn run(mut self, queue: &Queue) {
        while let Some(answer) = queue.take() {
            let (rows, model) = (answer.rows.len(), answer.challenger.model.name());
            let scored = catch_unwind(AssertUnwindSafe(|| self.answer(&answer)));
            let scored = scored.unwrap_or_else(|_| {
                self.metrics.panics().inc();
                0
            });
            self.metrics.shadow_rows(model, "scored", scored);
            self.metrics.shadow_rows(model, "failed", rows - scored);
            queue.done(rows);
        }
    }

    /// Scores the rows and keeps what came out; how many could be scored.
    fn answer(&mut self, answer: &Answer) -> usize {
        let Answer { at, asker, challenger, rows } = answer;
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
                Ok(score_bytes(model, Computed { as_of, stored, inputs, given, score: &score, decision }))
            }
            Followed::Inputs { as_of, values, .. } => {
                let score = model.scoring().score(values, *as_of, 0, &mut self.scratch)?;
                let (as_of, stored, decision, given) = (*as_of, false, None, &[][..]);
                let computed = Computed { as_of, stored, inputs: values, given, score: &score, decision };
                Ok(score_bytes(model, computed))
            }
            Followed::List(list) => list_bytes(self.online.as_ref(), model, list),
        }
    }
}

impl std::fmt::Debug for Shadows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shadows").field("follows", &self.queue.is_some()).finish_non_exhaustive()
    }
}
