//! Rows on their way into Parquet files: numbered in the order in which they come, written when many wait.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::SchemaRef;

use scorehouse_features::definition::Source;
use scorehouse_features::ids::SourceName;
use scorehouse_features::source::{Assembled, Reject, stored_schema};

use super::Run;
use super::read::Taker;
use super::rejects::Rejects;
use crate::error::OfflineError;
use crate::manifest::HistoryFile;
use crate::store::OfflineStore;
use crate::write::FileWriter;

/// Bytes of rows that wait before they are written, unless the memory setting is small.
const WAITING: usize = 256 << 20;

/// Takes the rows of one source in one run.
pub(super) struct Sink<'a> {
    store: &'a OfflineStore,
    source: SourceName,
    schema: SchemaRef,
    revision: u64,
    next_arrival: i64,
    waiting: Vec<RecordBatch>,
    bytes: usize,
    limit: usize,
    files: Vec<HistoryFile>,
    rejects: Rejects,
}

impl<'a> Sink<'a> {
    pub(super) fn new(run: &Run<'a>, source: &Source) -> Self {
        Self {
            store: run.store,
            source: source.name.clone(),
            schema: stored_schema(source),
            revision: run.manifest.revision + 1,
            next_arrival: run.manifest.next_arrival,
            waiting: Vec::new(),
            bytes: 0,
            // Sorting and encoding hold the rows about three times over.
            limit: WAITING.min(run.store.memory_limit() / 4),
            files: Vec::new(),
            rejects: Rejects::new(run.store.state(), &source.name),
        }
    }

    /// The number that the next row will get.
    pub(super) fn next_arrival(&self) -> i64 {
        self.next_arrival
    }

    fn flush(&mut self) -> Result<(), OfflineError> {
        let waiting = std::mem::take(&mut self.waiting);
        self.bytes = 0;
        let writer = FileWriter {
            storage: self.store.storage(),
            source: &self.source,
            schema: Arc::clone(&self.schema),
            revision: self.revision,
        };
        self.files.extend(self.store.block_on(writer.write(&waiting))?);
        Ok(())
    }

    /// Writes what still waits; gives the files, the next arrival number and the rejected rows.
    pub(super) fn close(mut self) -> Result<(Vec<HistoryFile>, i64, Rejects), OfflineError> {
        self.flush()?;
        Ok((self.files, self.next_arrival, self.rejects))
    }

    /// Gives the files written so far and the rejected rows of a run that has failed.
    pub(super) fn abandon(self) -> (Vec<HistoryFile>, Rejects) {
        (self.files, self.rejects)
    }
}

impl Taker for Sink<'_> {
    fn rows(&mut self, assembled: Assembled) -> Result<(), OfflineError> {
        let rows = assembled.batch.num_rows() as i64;
        if rows == 0 {
            return Ok(());
        }
        let numbers = self.next_arrival..self.next_arrival + rows;
        self.next_arrival = numbers.end;
        let mut columns: Vec<ArrayRef> = assembled.batch.columns().to_vec();
        columns.push(Arc::new(Int64Array::from_iter_values(numbers)));
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        self.bytes += batch.get_array_memory_size();
        self.waiting.push(batch);
        if self.bytes >= self.limit { self.flush() } else { Ok(()) }
    }

    fn reject(&mut self, reject: Reject) -> Result<(), OfflineError> {
        self.rejects.push(&reject)
    }
}
