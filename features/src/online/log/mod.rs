//! The durable log of pushed rows: append-only segment files, each a run of checked frames.
//!
//! ```text
//! state/online/log/
//!   00000000000000000000.log     rows that arrived after 0
//!   00001323456789012345.log     rows that arrived after that number; the last one is written to
//!   durable                      how far the last segment is known to be on disk, for other processes
//!   lock                         held by the process that writes
//! ```
//!
//! **Frame**: magic, CRC-32, length, kind, schema number, *synced*, first arrival, payload. *Synced*
//! is the length of the segment that was on disk when the frame was written. A bad frame that a later frame
//! proves to have been on disk is damage, and the log refuses to open; a bad frame without such proof is the
//! tail of a write that never finished and was never acknowledged, and is cut off.
//!
//! **Kinds**: every segment begins with a *start* frame; *columns* frames name a source's columns before its
//! first *rows* frame in that segment, so that rows find their columns after the project has changed; an
//! *ids* frame at the start carries the event ids remembered so far, so that dropping old segments forgets
//! none. One `append` is one *rows* frame: all of it counts, or none.
//!
//! **Position**: the arrival number of a row. Arrival numbers ascend strictly, so "after position p" means
//! the same in memory, in the log and in history.

mod codec;
mod frame;
mod reader;
mod segment;
mod writer;

use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use codec::encode_row;
pub use reader::{LogEntry, LogReader, read_from};
#[cfg(test)]
pub(crate) use writer::Operation;
pub(crate) use writer::{LogWriter, Replayed, Write};

/// A place in the log: the arrival number of the last row before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub i64);

impl Position {
    /// Before the first row.
    pub const START: Self = Self(0);
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
