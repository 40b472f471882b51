//! Reading the log from another process, while it is being written.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use crate::ids::SourceName;
use crate::online::error::OnlineError;
use crate::online::interface::PushedRow;
use crate::online::log::codec::Decoder;
use crate::online::log::frame::Kind;
use crate::online::log::segment::{self, Frames, Start};
use crate::online::log::{Position, writer};
use crate::view::Layout;

/// One row of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    /// Where it stands: its arrival number.
    pub position: Position,
    /// Its source.
    pub source: SourceName,
    /// The row, its values in the order of the source's columns as they are declared now.
    pub row: PushedRow,
}

/// Rows of the log in order of arrival, up to what was on disk when each segment was reached.
///
/// Rows of sources that are no longer declared are passed over and counted.
#[derive(Debug)]
pub struct LogReader<'a> {
    layout: &'a Layout,
    after: Position,
    segments: VecDeque<(PathBuf, Option<u64>)>,
    ready: std::vec::IntoIter<LogEntry>,
    undeclared: usize,
}

/// Reads rows after `after` from the log in `folder`. The log may be open for writing elsewhere; only rows
/// that are on disk, and so were or will be acknowledged, are given. A folder that does not exist holds no
/// rows.
///
/// # Errors
/// [`OnlineError::Gap`] when rows after `after` were dropped already; [`OnlineError::Io`].
pub fn read_from<'a>(
    folder: &Path,
    after: Position,
    layout: &'a Layout,
) -> Result<LogReader<'a>, OnlineError> {
    let mut reader =
        LogReader { layout, after, segments: VecDeque::new(), ready: Vec::new().into_iter(), undeclared: 0 };
    if !folder.exists() {
        return Ok(reader);
    }
    let segments = segment::list(folder)?;
    let Some((begins, _)) = segments.first() else { return Ok(reader) };
    if *begins > after.0 {
        return Err(OnlineError::Gap { begins: Position(*begins), wanted: after });
    }
    // Asked for after the list, so that every listed segment before the marked one is closed.
    let mark = writer::durable_mark(folder);
    let newest = segments.last().map_or(0, |(newest, _)| *newest);
    for (at, (begins, path)) in segments.iter().enumerate() {
        // Rows end before the next segment begins.
        if segments.get(at + 1).is_some_and(|(next, _)| *next <= after.0) {
            continue;
        }
        let limit = match mark {
            Some((marked, _)) if *begins < marked => None,
            Some((marked, len)) if *begins == marked => Some(len),
            Some(_) => continue,
            None if *begins == newest => Some(u64::MAX),
            None => None,
        };
        reader.segments.push_back((path.clone(), limit));
    }
    Ok(reader)
}

impl LogReader<'_> {
    /// Rows passed over so far because their source is no longer declared.
    #[must_use]
    pub const fn undeclared(&self) -> usize {
        self.undeclared
    }

    /// Reads one segment; `limit` is how much of it is on disk, none for all.
    fn load(&mut self, path: &Path, limit: Option<u64>) -> Result<Vec<LogEntry>, OnlineError> {
        let mut bytes = std::fs::read(path).map_err(|error| OnlineError::io(path, &error))?;
        if let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) {
            bytes.truncate(limit);
        }
        let (start, at) = Start::read(&bytes, path)?;
        let mut frames = Frames::new(&bytes, start.seed, at);
        let mut decoder = Decoder::new(self.layout, path);
        let mut entries = Vec::new();
        for frame in &mut frames {
            match frame.head.kind {
                Kind::Start | Kind::Ids => {}
                Kind::Columns => drop(decoder.columns(frame.head.schema, frame.payload)?),
                Kind::Rows => match decoder.rows(frame.head, frame.payload)? {
                    Some((source, rows)) => entries.extend(self.entries(&source, rows)),
                    None => self.undeclared += super::codec::count(frame.payload) as usize,
                },
            }
        }
        // Within the mark, every byte was on disk; without one, the end may be an unfinished write.
        let whole = limit != Some(u64::MAX);
        if (whole && !frames.reached_end()) || frames.is_damaged() {
            return Err(segment::damage(path, frames.at));
        }
        Ok(entries)
    }

    fn entries<'s>(
        &self,
        source: &'s SourceName,
        rows: Vec<PushedRow>,
    ) -> impl Iterator<Item = LogEntry> + use<'s> {
        let after = self.after;
        let entry =
            |row: PushedRow| LogEntry { position: Position(row.arrival), source: source.clone(), row };
        rows.into_iter().map(entry).filter(move |entry| entry.position > after)
    }
}

impl Iterator for LogReader<'_> {
    type Item = Result<LogEntry, OnlineError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.ready.next() {
                return Some(Ok(entry));
            }
            let (path, limit) = self.segments.pop_front()?;
            match self.load(&path, limit) {
                Ok(entries) => self.ready = entries.into_iter(),
                Err(error) => {
                    self.segments.clear();
                    return Some(Err(error));
                }
            }
        }
    }
}
