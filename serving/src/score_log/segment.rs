//! Segments: what is written first, one version's answers of one day as they were handed over.
//!
//! A segment begins with its [`Shape`] and goes on in chunks, each with its length and checksum. A chunk is in the
//! segment once its bytes are; a crash leaves at most one torn chunk at the end, which reading passes over. Large chunks
//! stand in blocks of their own, since they are written past the page cache; where the head of a chunk would be, zeros say
//! that nothing follows in a block.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::columns::{Shape, batch};
use super::direct::Direct;
use super::piece::{BLOCK, HEAD, Piece, whole_blocks};
use super::syncer::{self, Due};

/// What segments' names end in.
pub const ENDING: &str = "answers";

/// Bytes of a chunk at most; what waits in memory is less.
const MOST: u32 = 1 << 30;
/// Bytes of a chunk for which a block that is left half empty does not count.
const LARGE: usize = 64 << 10;
/// Bytes of answers that make one batch when a segment is read.
const BATCH: usize = 4 << 20;

/// A segment that is being written.
pub struct Segment {
    path: PathBuf,
    file: Arc<File>,
    direct: Direct,
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
        let mut segment = Self { path, file: file.into(), direct: Direct::default(), bytes: 0, unsynced: 0 };
        let mut head = Piece::with_capacity(0);
        let shape = serde_json::to_vec(shape)?;
        head.put(|to| to.extend(shape));
        match segment.write(head.chunk()) {
            Ok(()) => Ok(segment),
            Err(error) => {
                // Nothing is in it; what a full disk leaves of it is in the way only.
                let _ = std::fs::remove_file(&segment.path);
                Err(error)
            }
        }
    }

    /// Appends answers; large ones past the page cache, unless `cached`.
    ///
    /// # Errors
    /// When the disk refuses them; the segment must not be written to again.
    pub fn append(&mut self, answers: &mut Piece, cached: bool) -> io::Result<()> {
        // Answers that wait are bounded, but a chunk's length is a promise that reading relies on.
        answers
            .len()
            .try_into()
            .ok()
            .filter(|length: &u32| *length <= MOST)
            .ok_or(io::ErrorKind::InvalidInput)?;
        if !cached && answers.len() >= LARGE && self.direct.may_be_open() {
            let empty = whole_blocks(self.bytes as usize) - self.bytes as usize;
            self.write(&[0; BLOCK + HEAD][..empty])?;
            let (path, direct, place) = (&self.path, &mut self.direct, self.bytes);
            let write = |blocks: &[u8]| {
                Ok::<_, io::Error>(direct.write(path, place, blocks)?.then_some(blocks.len()))
            };
            if let Some(length) = answers.with_blocks(write).transpose()?.flatten() {
                self.wrote(length);
                return Ok(());
            }
        }
        self.write(answers.chunk())
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

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.file.as_ref();
        // What went past the cache did not move it.
        file.seek(SeekFrom::Start(self.bytes))?;
        file.write_all(bytes)?;
        self.wrote(bytes.len());
        Ok(())
    }

    const fn wrote(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.unsynced += bytes as u64;
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
    let mut chunks = Chunks { file: BufReader::new(File::open(path)?), place: 0 };
    let (shape, whole) = match chunks.next() {
        Chunk::End => (None, true),
        Chunk::Broken => (None, false),
        Chunk::Whole(bytes) => {
            let shape = serde_json::from_slice::<Shape>(&bytes).ok().filter(Shape::is_readable);
            let whole = shape.is_some();
            (shape, whole)
        }
    };
    Ok(Batches { chunks, shape, whole })
}

/// See [`batches`].
pub struct Batches {
    chunks: Chunks,
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
            match self.chunks.next() {
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

/// What is left of a segment.
struct Chunks {
    file: BufReader<File>,
    /// How many bytes were read.
    place: u64,
}

impl Chunks {
    fn next(&mut self) -> Chunk {
        let mut head = [0; HEAD];
        loop {
            if self.file.read_exact(&mut head).is_err() {
                return Chunk::End;
            }
            self.place += HEAD as u64;
            if head != [0; HEAD] {
                break;
            }
            let left = self.place.next_multiple_of(BLOCK as u64) - self.place;
            match self.take(left) {
                Ok(zeros) if zeros.iter().any(|byte| *byte != 0) => return Chunk::Broken,
                Ok(zeros) if zeros.len() as u64 == left => {}
                Ok(_) => return Chunk::End,
                Err(_) => return Chunk::Broken,
            }
        }
        let (length, sum) = head.split_at(4);
        let length = length.try_into().map_or(u32::MAX, u32::from_le_bytes);
        if length > MOST {
            return Chunk::Broken;
        }
        match self.take(length.into()) {
            Ok(bytes) if bytes.len() < length as usize => Chunk::End,
            Ok(bytes) if crc32fast::hash(&bytes).to_le_bytes() == *sum => Chunk::Whole(bytes),
            Ok(_) if self.file.fill_buf().is_ok_and(<[u8]>::is_empty) => Chunk::End,
            Ok(_) | Err(_) => Chunk::Broken,
        }
    }

    /// So many bytes, or as many as there are.
    fn take(&mut self, bytes: u64) -> io::Result<Vec<u8>> {
        let mut taken = Vec::new();
        self.place += self.file.by_ref().take(bytes).read_to_end(&mut taken)? as u64;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use proptest::prelude::*;

    fn piece(bytes: &[u8]) -> Piece {
        let mut piece = Piece::with_capacity(bytes.len());
        piece.put(|to| to.extend(bytes));
        piece
    }

    /// The file of a segment of `shape` with these chunks, each with whether it goes through the cache.
    fn written(folder: &Path, shape: &str, chunks: &[(&[u8], bool)]) -> PathBuf {
        let path = folder.join("win.2024-01-01.1-1.answers");
        let file = OpenOptions::new().write(true).create_new(true).open(&path).unwrap();
        let direct = Direct::default();
        let mut segment = Segment { path: path.clone(), file: file.into(), direct, bytes: 0, unsynced: 0 };
        segment.write(piece(shape.as_bytes()).chunk()).unwrap();
        for (bytes, cached) in chunks {
            segment.append(&mut piece(bytes), *cached).unwrap();
        }
        assert_eq!(std::fs::metadata(&path).unwrap().len(), segment.bytes());
        path
    }

    /// A segment of `shape` with these chunks; how many batches it has, and whether that is all of it.
    fn read(shape: &str, chunks: &[&[u8]], change: impl FnOnce(&mut Vec<u8>)) -> (usize, bool) {
        let folder = tempfile::tempdir().unwrap();
        let chunks: Vec<(&[u8], bool)> = chunks.iter().map(|bytes| (*bytes, false)).collect();
        let path = written(folder.path(), shape, &chunks);
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
        assert_eq!(read(LISTS, &[b"no answer"], same), (1, false));
        assert_eq!(
            read(&LISTS.replace("\"form\": 2, ", ""), &[b"some"], same),
            (0, false),
            "an earlier form"
        );
        assert_eq!(read(LISTS, &[b"torn"], |bytes| bytes.truncate(bytes.len() - 1)), (0, true));
        let head = HEAD + LISTS.len();
        assert_eq!(read(LISTS, &[b"a", b"b", b"c"], |bytes| bytes[head + 4] ^= 1), (0, false));
    }

    #[test]
    fn zeros_that_a_crash_left_at_the_end_are_no_damage_and_anything_else_behind_zeros_is() {
        let zeros = |count: usize| move |bytes: &mut Vec<u8>| bytes.resize(bytes.len() + count, 0);
        for count in [1, HEAD, BLOCK, 10 * BLOCK + 5] {
            assert_eq!(read(LISTS, &[], zeros(count)), (0, true), "{count} zeros");
        }
        let other = |bytes: &mut Vec<u8>| {
            let end = bytes.len().next_multiple_of(BLOCK);
            bytes.resize(end, 0);
            bytes[end - 1] = 1;
        };
        assert_eq!(read(LISTS, &[], other), (0, false));
    }

    /// All chunks behind the shape, and whether nothing that is broken ended them.
    fn chunks(path: &Path) -> (Vec<Vec<u8>>, bool) {
        let mut chunks = Chunks { file: BufReader::new(File::open(path).unwrap()), place: 0 };
        let mut all = Vec::new();
        loop {
            match chunks.next() {
                Chunk::Whole(bytes) => all.push(bytes),
                end => return (all, matches!(end, Chunk::End)),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn chunks_are_read_as_they_were_appended_up_to_where_the_file_ends(
            sizes in prop::collection::vec((prop_oneof![1..300_usize, 4_070..4_100_usize, LARGE - 9..LARGE + 5_000], any::<bool>()), 1..7),
            cut in 0.0..1.0_f64,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let all: Vec<(Vec<u8>, bool)> =
                sizes.iter().zip(1..).map(|((size, cached), byte)| (vec![byte; *size], *cached)).collect();
            let given: Vec<(&[u8], bool)> = all.iter().map(|(bytes, cached)| (bytes.as_slice(), *cached)).collect();
            let path = written(folder.path(), LISTS, &given);
            let mut wanted = vec![LISTS.as_bytes().to_vec()];
            wanted.extend(all.into_iter().map(|(bytes, _)| bytes));
            let (read, whole) = chunks(&path);
            prop_assert!(whole && read == wanted);
            let length = std::fs::metadata(&path).unwrap().len();
            File::options().write(true).open(&path).unwrap().set_len((length as f64 * cut) as u64).unwrap();
            let (read, whole) = chunks(&path);
            prop_assert!(whole && wanted.starts_with(&read), "{} of {} chunks", read.len(), wanted.len());
        }
    }
}
