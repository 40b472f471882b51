//! Group commit: appends that come while the disk is busy share the next wait for it.
//!
//! A thread that appends queues its rows. If nobody is writing, it becomes the leader: it takes all that is
//! queued, writes it in one go, waits for the disk once, makes the rows visible, and wakes the others. Rows
//! get their arrival numbers when queued, so queue, log and memory agree on their order.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex, MutexGuard};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::ids::SourceName;
use crate::online::error::OnlineError;
use crate::online::event_id::{Fingerprint, RecentIds};
use crate::online::interface::Receipt;
use crate::online::log::{LogWriter, Position, Write};
use crate::online::rows::StoredRow;
use crate::time::Clock;
use crate::view::Layout;

/// Rows of one append before they are queued.
pub(crate) struct Draft {
    pub(crate) source: SourceName,
    pub(crate) rows: Vec<DraftRow>,
}

/// A row as it will be kept, and its bytes in the log.
pub(crate) struct DraftRow {
    pub(crate) row: StoredRow,
    pub(crate) bytes: Vec<u8>,
    pub(crate) id: Option<Fingerprint>,
}

/// Rows of one append, numbered and waiting for the disk.
pub(crate) struct Pending {
    pub(crate) source: SourceName,
    pub(crate) rows: Vec<StoredRow>,
    payload: Vec<u8>,
    ids: Vec<Fingerprint>,
    ticket: u64,
}

struct Queue {
    pending: Vec<Pending>,
    /// The last ticket given out; tickets ascend from 1.
    issued: u64,
    /// All tickets up to this one are decided.
    decided: u64,
    /// Someone is writing.
    led: bool,
    /// Why tickets failed that their owners have not yet asked about.
    failed: FxHashMap<u64, String>,
    /// The last arrival number given out.
    arrival: i64,
    /// Ids of rows on disk.
    recent: RecentIds,
    /// Ids of rows on their way there.
    in_flight: FxHashSet<Fingerprint>,
}

/// The queue before the log.
pub(crate) struct Committer {
    queue: Mutex<Queue>,
    decided: Condvar,
    writer: Mutex<LogWriter>,
    clock: Arc<dyn Clock>,
}

impl Committer {
    pub(crate) fn new(writer: LogWriter, recent: RecentIds, clock: Arc<dyn Clock>) -> Self {
        let queue = Queue {
            pending: Vec::new(),
            issued: 0,
            decided: 0,
            led: false,
            failed: FxHashMap::default(),
            arrival: writer.last(),
            recent,
            in_flight: FxHashSet::default(),
        };
        Self { queue: Mutex::new(queue), decided: Condvar::new(), writer: Mutex::new(writer), clock }
    }

    /// Takes rows through the log. `show` makes rows visible; it is called with what one write made durable,
    /// in order, by one thread at a time.
    pub(crate) fn commit(
        &self,
        draft: Draft,
        layout: &Layout,
        show: &dyn Fn(&[Pending]),
    ) -> Result<Receipt, OnlineError> {
        let mut queue = self.queue.lock();
        let (draft, repeated) = queue.sift(draft);
        let accepted = draft.rows.len();
        let mine = (accepted > 0).then(|| queue.enqueue(draft, self.clock.now().0));
        let position = Position(queue.arrival);
        // A repeated row is acknowledged only once the row it repeats is on disk.
        let awaited = mine.unwrap_or(if repeated.is_empty() { 0 } else { queue.issued });
        while queue.decided < awaited {
            if queue.led {
                self.decided.wait(&mut queue);
            } else {
                self.lead(&mut queue, layout, show);
            }
        }
        if let Some(reason) = mine.and_then(|ticket| queue.failed.remove(&ticket)) {
            return Err(OnlineError::NotDurable { reason });
        }
        if repeated.iter().any(|id| !queue.recent.contains(*id)) {
            let reason = "the first attempt to push a row of this id failed; send it again".to_owned();
            return Err(OnlineError::NotDurable { reason });
        }
        Ok(Receipt { accepted, duplicates: repeated.len(), position })
    }

    /// Writes all that is queued.
    fn lead(&self, queue: &mut MutexGuard<'_, Queue>, layout: &Layout, show: &dyn Fn(&[Pending])) {
        queue.led = true;
        let pending = std::mem::take(&mut queue.pending);
        let last = pending.last().map_or(queue.decided, |last| last.ticket);
        let outcome = MutexGuard::unlocked(queue, || {
            let written = self.write(&pending, layout);
            if written.is_ok() {
                show(&pending);
            }
            written
        });
        for done in pending {
            for id in &done.ids {
                queue.in_flight.remove(id);
                if outcome.is_ok() {
                    queue.recent.insert(*id);
                }
            }
            if let Err(reason) = &outcome {
                queue.failed.insert(done.ticket, reason.clone());
            }
        }
        queue.decided = last;
        queue.led = false;
        self.decided.notify_all();
    }

    fn write(&self, pending: &[Pending], layout: &Layout) -> Result<(), String> {
        let mut writes = Vec::with_capacity(pending.len());
        for one in pending {
            let source = layout.source(&one.source).ok_or_else(|| format!("no source `{}`", one.source))?;
            let first = one.rows.first().map_or(0, |row| row.arrival);
            writes.push(Write { source, payload: &one.payload, first, rows: one.rows.len() });
        }
        let ids = || self.recent_ids();
        self.writer.lock().append(&writes, &ids, self.clock.as_ref()).map_err(|error| error.to_string())
    }

    fn recent_ids(&self) -> Vec<Fingerprint> {
        self.queue.lock().recent.iter().collect()
    }

    /// Drops what history holds up to `taken`. Returns the number of segments deleted.
    pub(crate) fn checkpoint(&self, taken: Position) -> Result<usize, OnlineError> {
        self.writer.lock().checkpoint(taken, &|| self.recent_ids(), self.clock.as_ref())
    }

    /// The arrival number of the last row queued.
    pub(crate) fn position(&self) -> Position {
        Position(self.queue.lock().arrival)
    }

    pub(crate) fn log_size(&self) -> (u64, usize) {
        self.writer.lock().size()
    }

    #[cfg(test)]
    pub(crate) fn writer(&self) -> MutexGuard<'_, LogWriter> {
        self.writer.lock()
    }
}

impl Queue {
    /// Takes out rows whose id was seen before, in earlier calls or in this one. Returns the ids that earlier
    /// calls brought.
    fn sift(&mut self, mut draft: Draft) -> (Draft, Vec<Fingerprint>) {
        let mut repeated = Vec::new();
        let mut own = FxHashSet::default();
        draft.rows.retain(|row| {
            let Some(id) = row.id else { return true };
            let known = self.recent.contains(id) || self.in_flight.contains(&id) || !own.insert(id);
            if known {
                repeated.push(id);
            }
            !known
        });
        (draft, repeated)
    }

    /// Numbers rows and puts them in line. Returns their ticket.
    fn enqueue(&mut self, draft: Draft, now: i64) -> u64 {
        let first = now.max(self.arrival + 1);
        let mut payload = (draft.rows.len() as u32).to_le_bytes().to_vec();
        let mut rows = Vec::with_capacity(draft.rows.len());
        let mut ids = Vec::new();
        for (number, mut one) in draft.rows.into_iter().enumerate() {
            one.row.arrival = first + number as i64;
            payload.extend_from_slice(&one.bytes);
            ids.extend(one.id);
            rows.push(one.row);
        }
        self.arrival = first + rows.len() as i64 - 1;
        self.in_flight.extend(ids.iter().copied());
        self.issued += 1;
        self.pending.push(Pending { source: draft.source, rows, payload, ids, ticket: self.issued });
        self.issued
    }
}
