//! Segments: what is written first, one version's answers of one day as they were handed over.
//!
//! A segment begins with its [`Shape`] and goes on in chunks, each with its length and checksum. A chunk is in the
//! segment once its bytes are; a crash leaves at most one torn chunk at the end, which reading passes over.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::columns::{Shape, batch};
use super::syncer::{self, Due};

/// What segments' names end in.
pub const ENDING: &str = "answers";

/// Bytes of a chunk at most; what waits in memory is less.
const MOST: u32 = 1 << 30;
/// Bytes of answers that make one batch when a segment is read.
const BATCH: usize = 4 << 20;

/// A segment that is being written.
pub struct Segment {
    path: PathBuf,
    file: Arc<File>,
    bytes: u64,
    /// Of these, those of which nobody has yet said that they are to reach the disk.
    unsynced: u64,
}

impl Segment {
    /// Begins a segment.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: PathBuf, shape: &Shape) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let mut segment = Self { path, file: file.into(), bytes: 0, unsynced: 0 };
        match segment.chunk(&serde_json::to_vec(shape)?) {
            Ok(()) => Ok(segment),
            Err(error) => {
                // Nothing is in it; what a full disk leaves of it is in the way only.
                let _ = std::fs::remove_file(&segment.path);
                Err(error)
            }
        }
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
        if std::mem::take(&mut self.unsynced) > 0 { syncer::sync(&self.file) } else { Ok(()) }
    }

    /// What is to reach the disk now, by another's hand; none if nothing was appended since.
    pub fn due(&mut self) -> Option<Due> {
        let due = || Due { path: self.path.clone(), file: self.file.clone() };
        (std::mem::take(&mut self.unsynced) > 0).then(due)
    }

    fn chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut head = [0; 8];
        head[..4].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        head[4..].copy_from_slice(&crc32fast::hash(bytes).to_le_bytes());
        let mut file = self.file.as_ref();
        file.write_all(&head)?;
        file.write_all(bytes)?;
        let written = (head.len() + bytes.len()) as u64;
        self.bytes += written;
        self.unsynced += written;
        Ok(())
    }

    /// Bytes of which nobody has yet said that they are to reach the disk.
    #[must_use]
    pub const fn unsynced(&self) -> u64 {
        self.unsynced
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its file.
    #[must_use]
    pub fn into_path(self) -> PathBuf {
        self.path
    }
}

/// The chunks of a segment as batches; what a crash tore off at its end is passed over.
///
/// # Errors
/// When the file cannot be opened. A file without even a shape has no batches.
pub fn batches(path: &Path) -> io::Result<Batches> {
    let mut file = BufReader::new(File::open(path)?);
    let mut batches = match chunk(&mut file) {
        Chunk::End => return Ok(Batches { file, shape: None, whole: true }),
        Chunk::Broken => Batches { file, shape: None, whole: false },
        Chunk::Whole(bytes) => {
            let shape = serde_json::from_slice::<Shape>(&bytes).ok().filter(Shape::is_readable);
            Batches { file, shape, whole: true }
        }
    };
    batches.whole = batches.shape.is_some();
    Ok(batches)
}

/// See [`batches`].
pub struct Batches {
    file: BufReader<File>,
    shape: Option<Shape>,
    whole: bool,
}

impl Batches {
    /// True when nothing was met so far that cannot be read.
    pub const fn is_whole(&self) -> bool {
        self.whole
    }

    /// Answers that make one batch: one for each flush would make files of very many, very small pieces.
    fn bytes(&mut self) -> Option<Vec<u8>> {
        let mut bytes: Option<Vec<u8>> = None;
        while bytes.as_ref().is_none_or(|bytes| bytes.len() < BATCH) {
            match chunk(&mut self.file) {
                Chunk::Whole(next) => bytes.get_or_insert_default().extend_from_slice(&next),
                Chunk::End => break,
                Chunk::Broken => {
                    self.whole = false;
                    break;
                }
            }
        }
        bytes
    }
}

impl Iterator for Batches {
    type Item = RecordBatch;

    fn next(&mut self) -> Option<RecordBatch> {
        let bytes = if self.whole { self.bytes()? } else { return None };
        let read = self.shape.as_ref().and_then(|shape| batch(shape, &bytes).ok());
        let (batch, whole) = read.unzip();
        self.whole &= whole.unwrap_or(false);
        batch
    }
}

/// What comes next in a segment.
enum Chunk {
    Whole(Vec<u8>),
    /// Nothing, or what a crash left of the last one.
    End,
    /// Something else, with more behind it.
    Broken,
}

fn chunk(file: &mut BufReader<File>) -> Chunk {
    let mut head = [0; 8];
    if file.read_exact(&mut head).is_err() {
        return Chunk::End;
    }
    let (length, sum) = head.split_at(4);
    let length = length.try_into().map_or(u32::MAX, u32::from_le_bytes);
    if length > MOST {
        return Chunk::Broken;
    }
    let mut bytes = Vec::new();
    match file.take(length.into()).read_to_end(&mut bytes) {
        Ok(read) if read < length as usize => return Chunk::End,
        Ok(_) => {}
        Err(_) => return Chunk::Broken,
    }
    if crc32fast::hash(&bytes).to_le_bytes() == *sum {
        return Chunk::Whole(bytes);
    }
    if file.fill_buf().is_ok_and(<[u8]>::is_empty) { Chunk::End } else { Chunk::Broken }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    /// A segment of `shape` with these chunks; how many batches it has, and whether that is all of it.
    fn read(shape: &str, chunks: &[&[u8]], change: impl FnOnce(&mut Vec<u8>)) -> (usize, bool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("win.2024-01-01.1-1.answers");
        let file = OpenOptions::new().write(true).create_new(true).open(&path).unwrap();
        let mut segment = Segment { path: path.clone(), file: file.into(), bytes: 0, unsynced: 0 };
        segment.chunk(shape.as_bytes()).unwrap();
        chunks.iter().for_each(|bytes| segment.append(bytes).unwrap());
        let mut bytes = std::fs::read(&path).unwrap();
        change(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        let mut batches = batches(&path).unwrap();
        let count = batches.by_ref().count();
        (count, batches.is_whole())
    }

    const LISTS: &str = r#"{"form": 2, "model": "upsell", "version": 1, "items": true, "inputs": []}"#;

    #[test]
    fn what_cannot_be_read_is_told_apart_from_what_a_crash_tore_off() {
        let same = |_: &mut Vec<u8>| ();
        assert_eq!(read(LISTS, &[], same), (0, true));
        assert_eq!(read(LISTS, &[b""], same), (1, true));
        assert_eq!(read(LISTS, &[b"no answer"], same), (1, false));
        assert_eq!(read(&LISTS.replace("\"form\": 2, ", ""), &[b""], same), (0, false), "an earlier form");
        assert_eq!(read(LISTS, &[b"torn"], |bytes| bytes.truncate(bytes.len() - 1)), (0, true));
        assert_eq!(read(LISTS, &[b"", b"", b""], |bytes| bytes[8 + LISTS.len() + 4] ^= 1), (0, false));
    }
}
