//! Segment files: their names, their first frame, and how far they are sound.

use std::path::{Path, PathBuf};

use crate::online::error::OnlineError;
use crate::online::log::frame::{self, Frame, Head, Kind};

const FORMAT: u32 = 1;
/// Bytes of a start frame's payload.
const START_LEN: usize = 16;

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// Seeds the checks of its other frames.
    pub(super) seed: u32,
    /// All its rows arrived after this number.
    pub(super) after: i64,
}

impl Start {
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        let mut payload = Vec::with_capacity(START_LEN);
        payload.extend_from_slice(&FORMAT.to_le_bytes());
        payload.extend_from_slice(&self.seed.to_le_bytes());
        payload.extend_from_slice(&self.after.to_le_bytes());
        let head = Head { kind: Kind::Start, schema: 0, synced: 0, first: self.after };
        frame::push(out, 0, head, &payload);
    }

    /// The start of a segment. A segment is renamed into place only once its start is on disk, so a bad one
    /// is always damage.
    pub(super) fn read(bytes: &[u8], path: &Path) -> Result<(Self, usize), OnlineError> {
        let bad = || {
            OnlineError::corrupt(
                path,
                "the first frame of this log segment is damaged; restore the file from a backup",
            )
        };
        let frame =
            frame::read(bytes, 0, 0).filter(|frame| frame.head.kind == Kind::Start).ok_or_else(bad)?;
        let word = |at: usize| frame.payload.get(at..at + 4).and_then(|four| four.try_into().ok());
        let format = word(0).map(u32::from_le_bytes).ok_or_else(bad)?;
        if format != FORMAT {
            let reason = format!("log format {format}, but this version reads only {FORMAT}");
            return Err(OnlineError::corrupt(path, reason));
        }
        let seed = word(4).map(u32::from_le_bytes).ok_or_else(bad)?;
        Ok((Self { seed, after: frame.head.first }, frame.end))
    }
}

/// The file of the segment whose rows arrived after `after`.
pub(super) fn path_of(folder: &Path, after: i64) -> PathBuf {
    folder.join(format!("{after:020}.log"))
}

/// The segments in order, each with the number in its name.
pub(super) fn list(folder: &Path) -> Result<Vec<(i64, PathBuf)>, OnlineError> {
    let io = |error: std::io::Error| OnlineError::io(folder, &error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let after = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let Some(after) = after.filter(|_| path.extension().is_some_and(|extension| extension == "log")) {
            found.push((after, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Frames of a segment after its start, until the first that is not sound.
pub(super) struct Frames<'a> {
    bytes: &'a [u8],
    seed: u32,
    /// Where the next frame begins; after the last one, where soundness ends.
    pub(super) at: usize,
}

impl<'a> Frames<'a> {
    pub(super) const fn new(bytes: &'a [u8], seed: u32, at: usize) -> Self {
        Self { bytes, seed, at }
    }

    /// True when every byte belongs to a sound frame.
    pub(super) const fn reached_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// True when what stands at the end of soundness was on disk once.
    pub(super) fn is_damaged(&self) -> bool {
        !self.reached_end() && frame::proves_damage(self.bytes, self.at, self.seed)
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let frame = frame::read(self.bytes, self.at, self.seed)?;
        self.at = frame.end;
        Some(frame)
    }
}

/// What is said of a damaged place.
pub(super) fn damage(path: &Path, at: usize) -> OnlineError {
    let reason = format!(
        "acknowledged rows at byte {at} are damaged; restore the file from a backup, or move it away to go on \
         without its rows"
    );
    OnlineError::corrupt(path, reason)
}
