//! Segments: what is written first, an Arrow IPC stream of one version's answers of one day.
//!
//! A batch is in the stream once its bytes are; a crash leaves at most one torn batch at the end, which reading
//! passes over.

use std::fs::{File, OpenOptions};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, SchemaRef};

/// What segments' names end in.
pub const ENDING: &str = "arrows";

/// A segment that is being written.
pub struct Segment {
    path: PathBuf,
    writer: StreamWriter<BufWriter<File>>,
    bytes: usize,
}

impl Segment {
    /// Begins a segment.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: PathBuf, schema: &SchemaRef) -> Result<Self, ArrowError> {
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let writer = StreamWriter::try_new_buffered(file, schema)?;
        Ok(Self { path, writer, bytes: 0 })
    }

    /// Appends a batch and waits until it is on the disk.
    ///
    /// # Errors
    /// When the disk refuses it; the segment must not be written to again.
    pub fn append(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.writer.write(batch)?;
        self.writer.flush()?;
        self.writer.get_ref().get_ref().sync_data()?;
        self.bytes += batch.get_array_memory_size();
        Ok(())
    }

    /// Bytes of the batches in memory, roughly.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Ends the segment; its file.
    ///
    /// # Errors
    /// When the disk refuses the stream's end.
    pub fn finish(mut self) -> Result<PathBuf, ArrowError> {
        self.writer.finish()?;
        Ok(self.path)
    }
}

/// The whole batches of a segment; what a crash tore off at its end is passed over.
///
/// # Errors
/// When the file cannot be opened. A file without even a schema has no batches.
pub fn batches(path: &Path) -> std::io::Result<impl Iterator<Item = RecordBatch> + use<>> {
    let reader = StreamReader::try_new_buffered(File::open(path)?, None).ok();
    Ok(reader.into_iter().flat_map(|reader| reader.map_while(Result::ok)))
}
