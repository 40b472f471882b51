//! Segments: what is written first, one version's answers of one day as they were handed over.
//!
//! A segment begins with its [`Shape`] and goes on in chunks, each with its length and checksum. A chunk is in the
//! segment once its bytes are; a crash leaves at most one torn chunk at the end, which reading passes over.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;

use super::columns::{Shape, batch};

/// What segments' names end in.
pub const ENDING: &str = "answers";

/// Bytes of a chunk at most; what waits in memory is less.
const MOST: u32 = 1 << 30;
/// Bytes of answers that make one batch when a segment is read.
const BATCH: usize = 4 << 20;

/// A segment that is being written.
pub struct Segment {
    path: PathBuf,
    file: File,
    bytes: u64,
    unsynced: bool,
}

impl Segment {
    /// Begins a segment.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: PathBuf, shape: &Shape) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let mut segment = Self { path, file, bytes: 0, unsynced: true };
        segment.chunk(&serde_json::to_vec(shape)?)?;
        Ok(segment)
    }

    /// Appends answers.
    ///
    /// # Errors
    /// When the disk refuses them; the segment must not be written to again.
    pub fn append(&mut self, answers: &[u8]) -> io::Result<()> {
        // Answers that wait are bounded, but a chunk's length is a promise that reading relies on.
        answers
            .len()
            .try_into()
            .ok()
            .filter(|length: &u32| *length <= MOST)
            .ok_or(io::ErrorKind::InvalidInput)?;
        self.chunk(answers)
    }

    /// Waits until all that was appended is on the disk.
    ///
    /// # Errors
    /// When the disk refuses it; the segment must not be written to again.
    pub fn sync(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.unsynced) { self.file.sync_data() } else { Ok(()) }
    }

    fn chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut head = [0; 8];
        head[..4].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        head[4..].copy_from_slice(&crc32fast::hash(bytes).to_le_bytes());
        self.file.write_all(&head)?;
        self.file.write_all(bytes)?;
        self.bytes += (head.len() + bytes.len()) as u64;
        self.unsynced = true;
        Ok(())
    }

    /// True when all that was appended is on the disk.
    #[must_use]
    pub const fn is_synced(&self) -> bool {
        !self.unsynced
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its file.
    #[must_use]
    pub fn into_path(self) -> PathBuf {
        self.path
    }
}

/// The whole chunks of a segment as batches; what a crash tore off at its end is passed over.
///
/// # Errors
/// When the file cannot be opened. A file without even a shape has no batches.
pub fn batches(path: &Path) -> io::Result<impl Iterator<Item = RecordBatch> + use<>> {
    let mut file = BufReader::new(File::open(path)?);
    let shape = chunk(&mut file).and_then(|bytes| serde_json::from_slice::<Shape>(&bytes).ok());
    Ok(std::iter::from_fn(move || {
        let shape = shape.as_ref()?;
        let mut bytes = chunk(&mut file)?;
        // One batch for each flush would make files of very many, very small pieces.
        while bytes.len() < BATCH {
            let Some(next) = chunk(&mut file) else { break };
            bytes.extend_from_slice(&next);
        }
        batch(shape, &bytes).ok()
    }))
}

/// The next chunk, if it is whole.
fn chunk(file: &mut impl Read) -> Option<Vec<u8>> {
    let mut head = [0; 8];
    file.read_exact(&mut head).ok()?;
    let (length, sum) = head.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length);
    if length > MOST {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(length.into()).read_to_end(&mut bytes).ok()?;
    let whole = bytes.len() == length as usize && crc32fast::hash(&bytes).to_le_bytes() == *sum;
    whole.then_some(bytes)
}
