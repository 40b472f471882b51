//! Taking a sorted input in runs of whole keys.

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::StreamExt;

/// A run is held three times while it is answered: as it came, sorted, and as the kernel's columns.
pub(super) const COPIES: usize = 3;

/// An input, a run of whole keys at a time.
pub struct Chunks {
    input: SendableRecordBatchStream,
    key: usize,
    /// Bytes after which a run ends with the key at hand; none: one run for everything.
    limit: Option<usize>,
    reservation: MemoryReservation,
    held: Vec<RecordBatch>,
    done: bool,
}

impl Chunks {
    /// Over `input`, whose column `key` is the key.
    pub fn new(
        input: SendableRecordBatchStream,
        key: &str,
        limit: Option<usize>,
        reservation: MemoryReservation,
    ) -> Result<Self> {
        let key = input.schema().index_of(key)?;
        Ok(Self { input, key, limit, reservation, held: Vec::new(), done: false })
    }

    /// True when the last run has been given.
    pub const fn is_done(&self) -> bool {
        self.done
    }

    /// The next run; none after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        if self.done {
            return Ok(None);
        }
        // The run given before is answered and gone by now; only what is held still counts.
        let mut bytes: usize = self.held.iter().map(RecordBatch::get_array_memory_size).sum();
        self.reservation.try_resize(bytes * COPIES)?;
        while let Some(batch) = self.input.next().await {
            let batch = batch?;
            if batch.num_rows() == 0 {
                continue;
            }
            bytes += batch.get_array_memory_size();
            self.reservation.try_resize(bytes * COPIES)?;
            self.held.push(batch);
            if self.limit.is_some_and(|limit| bytes >= limit)
                && let Some(run) = self.split()
            {
                return Ok(Some(run));
            }
        }
        self.done = true;
        Ok(Some(std::mem::take(&mut self.held)))
    }

    /// Cuts before the last key, which may go on in the next batch; none when there is but one key.
    fn split(&mut self) -> Option<Vec<RecordBatch>> {
        let last = self.held.last()?;
        let keys = last.column(self.key);
        let (at, whole) = match keys.as_string_opt::<i32>() {
            Some(keys) => {
                start_of_last(keys.len(), |row| if keys.is_null(row) { "" } else { keys.value(row) })
            }
            None => {
                let keys = keys.as_string_view_opt()?;
                start_of_last(keys.len(), |row| if keys.is_null(row) { "" } else { keys.value(row) })
            }
        };
        if whole {
            // The whole last batch is one key, which may have begun earlier still: take more before cutting.
            return None;
        }
        let last = self.held.pop()?;
        let mut run = std::mem::take(&mut self.held);
        run.push(last.slice(0, at));
        self.held.push(last.slice(at, last.num_rows() - at));
        Some(run)
    }
}

/// Where the last key's rows begin, and whether that is the very first row.
fn start_of_last<'a>(rows: usize, key: impl Fn(usize) -> &'a str) -> (usize, bool) {
    let mut at = rows - 1;
    let last = key(at);
    while at > 0 && key(at - 1) == last {
        at -= 1;
    }
    (at, at == 0)
}
