//! Writing the log: one process, one thread at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use crate::ids::SourceName;
use crate::online::base::sync_folder;
use crate::online::error::OnlineError;
use crate::online::event_id::Fingerprint;
use crate::online::interface::PushedRow;
use crate::online::log::frame::{self, HEADER, Head, Kind};
use crate::online::log::segment::{self, Frames, Start};
use crate::online::log::{Position, codec};
use crate::time::Clock;
use crate::view::{Layout, SourceLayout};

/// Name of the file that tells other processes how far the log is on disk.
const DURABLE: &str = "durable";
const LOCK: &str = "lock";

/// What opening finds in the log, in order.
pub(crate) enum Replayed<'a> {
    /// An event id to remember.
    Id(Fingerprint),
    /// Rows of one append.
    Rows(&'a SourceName, Vec<PushedRow>),
}

/// One append on its way to the log.
pub(crate) struct Write<'a> {
    pub(crate) source: &'a SourceLayout,
    /// Number of rows as four bytes, then the rows.
    pub(crate) payload: &'a [u8],
    /// Arrival number of the first row; the others follow one by one.
    pub(crate) first: i64,
    pub(crate) rows: usize,
}

/// A segment that is no longer written to.
#[derive(Debug)]
struct Sealed {
    path: PathBuf,
    last: i64,
    len: u64,
}

/// The segment that is written to.
#[derive(Debug)]
struct Active {
    file: File,
    path: PathBuf,
    start: Start,
    /// Length that is on disk.
    len: u64,
    schemas: Schemas,
}

/// Numbers given to sources' columns in one segment.
#[derive(Debug, Clone, Default)]
struct Schemas {
    numbers: FxHashMap<SourceName, u16>,
    next: u16,
}

/// A test's way to make the disk fail.
pub(crate) type Fault = Box<dyn Fn(Operation) -> io::Result<()> + Send>;

/// What is about to be done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Write bytes.
    Write,
    /// Wait until they are on disk.
    Sync,
    /// Cut the file.
    Cut,
    /// Begin a segment.
    Create,
}

/// The log, open for writing.
pub(crate) struct LogWriter {
    folder: PathBuf,
    sealed: Vec<Sealed>,
    active: Active,
    /// Arrival number of the last row on disk.
    last: i64,
    /// Why the end of the active segment could not be cleaned up, if so; nothing is written until it is.
    unclean: Option<String>,
    segment_bytes: u64,
    durable: File,
    buffer: Vec<u8>,
    fault: Option<Fault>,
    /// Bytes of unfinished writes cut off at opening.
    pub(crate) cut_off: u64,
    /// Rows found whose source is no longer declared.
    pub(crate) undeclared: usize,
    _lock: File,
}

impl LogWriter {
    /// Opens the log in `folder`, creating it if need be, cuts off an unfinished tail and hands everything in
    /// it to `see`. A new log holds rows after `floor`.
    pub(crate) fn open(
        folder: &Path,
        floor: Position,
        segment_bytes: u64,
        (layout, clock): (&Layout, &dyn Clock),
        see: &mut dyn FnMut(Replayed<'_>),
    ) -> Result<Self, OnlineError> {
        let io = |error: io::Error| OnlineError::io(folder, &error);
        std::fs::create_dir_all(folder).map_err(io)?;
        let lock = take_lock(folder)?;
        remove_unfinished(folder).map_err(io)?;
        let mut segments = segment::list(folder)?;
        if segments.is_empty() {
            let start = Start { seed: draw_seed(clock, floor.0), after: floor.0 };
            let path = create_segment(folder, start, &[]).map_err(io)?;
            segments.push((floor.0, path));
        }
        let begins = Position(segments[0].0);
        if begins > floor {
            return Err(OnlineError::Gap { begins, wanted: floor });
        }
        let mut replay = Replay { layout, see, last: floor.0, undeclared: 0 };
        let (_, newest) = segments.pop().ok_or_else(|| io(io::Error::other("no segment")))?;
        let mut sealed = Vec::new();
        for (_, path) in segments {
            let len = replay.sealed(&path)?;
            sealed.push(Sealed { path, last: replay.last, len });
        }
        let (active, cut_off) = replay.newest(newest)?;
        let (last, undeclared) = (replay.last, replay.undeclared);
        let path = folder.join(DURABLE);
        let durable = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(io)?;
        let writer = Self {
            folder: folder.to_owned(),
            sealed,
            active,
            last,
            unclean: None,
            segment_bytes,
            durable,
            buffer: Vec::new(),
            fault: None,
            cut_off,
            undeclared,
            _lock: lock,
        };
        writer.publish();
        Ok(writer)
    }

    /// Arrival number of the last row on disk.
    pub(crate) const fn last(&self) -> i64 {
        self.last
    }

    /// Bytes and files of the log.
    pub(crate) fn size(&self) -> (u64, usize) {
        (self.active.len + self.sealed.iter().map(|s| s.len).sum::<u64>(), self.sealed.len() + 1)
    }

    /// Writes `writes` and waits until they are on disk. On failure none of them is in the log: what was
    /// written of them is cut off again.
    pub(crate) fn append(
        &mut self,
        writes: &[Write<'_>],
        ids: &dyn Fn() -> Vec<Fingerprint>,
        clock: &dyn Clock,
    ) -> io::Result<()> {
        self.clean()?;
        let total: usize = writes.iter().map(|write| write.payload.len() + HEADER).sum();
        let full = self.active.len + total as u64 > self.segment_bytes;
        if full && self.last > self.active.start.after {
            self.rotate(&ids(), clock)?;
        }
        let known = self.active.schemas.clone();
        self.encode(writes);
        let outcome = self.write_buffer();
        if let Err(error) = outcome {
            self.active.schemas = known;
            self.unclean = Some(error.to_string());
            // A second failure is told when the next append tries again.
            let _ = self.clean();
            return Err(error);
        }
        self.active.len += self.buffer.len() as u64;
        if let Some(write) = writes.last() {
            self.last = write.first + write.rows as i64 - 1;
        }
        self.publish();
        Ok(())
    }

    fn encode(&mut self, writes: &[Write<'_>]) {
        self.buffer.clear();
        let (seed, synced) = (self.active.start.seed, self.active.len);
        for write in writes {
            let (schema, new) = self.active.schemas.of(&write.source.name);
            if new {
                let head = Head { kind: Kind::Columns, schema, synced, first: write.first };
                frame::push(&mut self.buffer, seed, head, &codec::encode_columns(write.source));
            }
            let head = Head { kind: Kind::Rows, schema, synced, first: write.first };
            frame::push(&mut self.buffer, seed, head, write.payload);
        }
    }

    fn write_buffer(&self) -> io::Result<()> {
        let file = &self.active.file;
        if let Err(error) = self.check(Operation::Write) {
            // What a full disk does: some of it fits.
            file.write_all_at(&self.buffer[..self.buffer.len() / 2], self.active.len)?;
            return Err(error);
        }
        file.write_all_at(&self.buffer, self.active.len)?;
        self.check(Operation::Sync)?;
        file.sync_data()
    }

    /// Cuts off what a failed write left behind.
    fn clean(&mut self) -> io::Result<()> {
        if let Some(reason) = &self.unclean {
            let explain =
                |error: io::Error| io::Error::new(error.kind(), format!("{reason}; cleaning up: {error}"));
            self.check(Operation::Cut).map_err(explain)?;
            self.active.file.set_len(self.active.len).map_err(explain)?;
            self.active.file.sync_data().map_err(explain)?;
            self.unclean = None;
        }
        Ok(())
    }

    fn check(&self, operation: Operation) -> io::Result<()> {
        self.fault.as_ref().map_or(Ok(()), |fault| fault(operation))
    }

    /// Lets a test make operations fail.
    #[cfg(test)]
    pub(crate) fn set_fault(&mut self, fault: Fault) {
        self.fault = Some(fault);
    }

    /// Begins a new segment.
    fn rotate(&mut self, ids: &[Fingerprint], clock: &dyn Clock) -> io::Result<()> {
        self.check(Operation::Create)?;
        let start = Start { seed: draw_seed(clock, self.last), after: self.last };
        let path = create_segment(&self.folder, start, ids)?;
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let len = file.metadata()?.len();
        let next = Active { file, path, start, len, schemas: Schemas::default() };
        let old = std::mem::replace(&mut self.active, next);
        self.sealed.push(Sealed { path: old.path, last: self.last, len: old.len });
        self.publish();
        Ok(())
    }

    /// Deletes segments all of whose rows arrived at or before `taken`. Returns how many were deleted.
    pub(crate) fn checkpoint(
        &mut self,
        taken: Position,
        ids: &dyn Fn() -> Vec<Fingerprint>,
        clock: &dyn Clock,
    ) -> Result<usize, OnlineError> {
        if self.last > self.active.start.after && self.last <= taken.0 {
            let rotated = self.clean().and_then(|()| self.rotate(&ids(), clock));
            rotated.map_err(|error| OnlineError::io(&self.folder, &error))?;
        }
        let done = self.sealed.iter().take_while(|sealed| sealed.last <= taken.0).count();
        for sealed in self.sealed.drain(..done) {
            std::fs::remove_file(&sealed.path).map_err(|error| OnlineError::io(&sealed.path, &error))?;
        }
        if done > 0 {
            sync_folder(&self.active.path).map_err(|error| OnlineError::io(&self.folder, &error))?;
        }
        Ok(done)
    }

    /// Tells other processes how far the log is on disk. It need not be on disk itself: a reader that finds
    /// an older mark reads less, and finds the rest later.
    fn publish(&self) {
        let mut mark = Vec::with_capacity(20);
        mark.extend_from_slice(&self.active.start.after.to_le_bytes());
        mark.extend_from_slice(&self.active.len.to_le_bytes());
        mark.extend_from_slice(&crc32fast::hash(&mark).to_le_bytes());
        let _ = self.durable.write_all_at(&mark, 0);
    }
}

impl Schemas {
    /// The number of a source's columns, and whether it is new.
    fn of(&mut self, source: &SourceName) -> (u16, bool) {
        if let Some(number) = self.numbers.get(source) {
            return (*number, false);
        }
        let number = self.next;
        self.next += 1;
        self.numbers.insert(source.clone(), number);
        (number, true)
    }
}

/// How far the log in `folder` is on disk: the segment written to, and its length. None when nobody has said.
pub(super) fn durable_mark(folder: &Path) -> Option<(i64, u64)> {
    // A mark that is being replaced may be read half old, half new; its check tells.
    (0..3).find_map(|_| {
        let mark: [u8; 20] = std::fs::read(folder.join(DURABLE)).ok()?.try_into().ok()?;
        let (body, check) = mark.split_at(16);
        let sound = crc32fast::hash(body).to_le_bytes() == check;
        let (after, len) = body.split_at(8);
        let mark = (i64::from_le_bytes(after.try_into().ok()?), u64::from_le_bytes(len.try_into().ok()?));
        sound.then_some(mark)
    })
}

fn take_lock(folder: &Path) -> Result<File, OnlineError> {
    let path = folder.join(LOCK);
    let io = |error: io::Error| OnlineError::io(&path, &error);
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OnlineError::InUse { path: path.clone() }),
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}

/// Segments whose beginning was never finished hold no rows.
fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "new") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// A number that whoever pushes rows cannot know; see [`frame`].
fn draw_seed(clock: &dyn Clock, after: i64) -> u32 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&clock.now().0.to_le_bytes());
    hasher.update(&after.to_le_bytes());
    hasher.update(&std::process::id().to_le_bytes());
    let hash = hasher.finalize();
    hash.as_bytes().first_chunk().map_or(0, |four| u32::from_le_bytes(*four))
}

/// Writes a segment's beginning under another name and renames it once it is on disk.
fn create_segment(folder: &Path, start: Start, ids: &[Fingerprint]) -> io::Result<PathBuf> {
    let mut bytes = Vec::new();
    start.encode(&mut bytes);
    if !ids.is_empty() {
        let head = Head { kind: Kind::Ids, schema: 0, synced: 0, first: start.after };
        frame::push(&mut bytes, start.seed, head, &codec::encode_ids(ids));
    }
    let path = segment::path_of(folder, start.after);
    let unfinished = path.with_extension("new");
    let file = File::create(&unfinished)?;
    file.write_all_at(&bytes, 0)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, &path)?;
    sync_folder(&path)?;
    Ok(path)
}

/// Reading the log when it is opened for writing.
struct Replay<'a> {
    layout: &'a Layout,
    see: &'a mut dyn FnMut(Replayed<'_>),
    last: i64,
    undeclared: usize,
}

impl Replay<'_> {
    /// A segment that was closed in good order: every byte must be sound. Returns its length.
    fn sealed(&mut self, path: &Path) -> Result<u64, OnlineError> {
        let bytes = std::fs::read(path).map_err(|error| OnlineError::io(path, &error))?;
        let (start, at) = Start::read(&bytes, path)?;
        let mut frames = Frames::new(&bytes, start.seed, at);
        self.frames(&mut frames, path)?;
        if frames.reached_end() { Ok(bytes.len() as u64) } else { Err(segment::damage(path, frames.at)) }
    }

    /// The segment written to last, ready to be written to, and the bytes cut off its end.
    fn newest(&mut self, path: PathBuf) -> Result<(Active, u64), OnlineError> {
        let io = |error: io::Error| OnlineError::io(&path, &error);
        let bytes = std::fs::read(&path).map_err(io)?;
        let (start, at) = Start::read(&bytes, &path)?;
        let mut frames = Frames::new(&bytes, start.seed, at);
        let schemas = self.frames(&mut frames, &path)?;
        if frames.is_damaged() {
            return Err(segment::damage(&path, frames.at));
        }
        let len = frames.at as u64;
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(io)?;
        let cut_off = bytes.len() as u64 - len;
        if cut_off > 0 {
            file.set_len(len).map_err(io)?;
        }
        // Rows found here may have been written but never waited for; they are shown to readers from now on.
        file.sync_all().map_err(io)?;
        Ok((Active { file, path, start, len, schemas }, cut_off))
    }

    fn frames(&mut self, frames: &mut Frames<'_>, path: &Path) -> Result<Schemas, OnlineError> {
        let mut decoder = codec::Decoder::new(self.layout, path);
        let mut schemas = Schemas::default();
        for frame in frames {
            match frame.head.kind {
                Kind::Start => {}
                Kind::Columns => {
                    schemas.next = schemas.next.max(frame.head.schema + 1);
                    if let Some(source) = decoder.columns(frame.head.schema, frame.payload)? {
                        schemas.numbers.insert(source, frame.head.schema);
                    }
                }
                Kind::Ids => codec::decode_ids(frame.payload).for_each(|id| (self.see)(Replayed::Id(id))),
                Kind::Rows => {
                    let count = codec::count(frame.payload);
                    self.last = self.last.max(frame.head.first + i64::from(count) - 1);
                    match decoder.rows(frame.head, frame.payload)? {
                        Some((source, rows)) => (self.see)(Replayed::Rows(&source, rows)),
                        None => self.undeclared += count as usize,
                    }
                }
            }
        }
        Ok(schemas)
    }
}
