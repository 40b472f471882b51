//! One checked run of bytes in a segment.

/// Bytes before a frame's payload.
pub(super) const HEADER: usize = 32;
const MAGIC: [u8; 4] = *b"SHf1";

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The segment's own description.
    Start = 1,
    /// A source's columns.
    Columns = 2,
    /// Event ids remembered.
    Ids = 3,
    /// Rows of one append.
    Rows = 4,
}

impl Kind {
    const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Start,
            2 => Self::Columns,
            3 => Self::Ids,
            4 => Self::Rows,
            _ => return None,
        })
    }
}

/// What stands in a frame's header besides magic, check and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    /// Number of the source's columns frame in this segment.
    pub(super) schema: u16,
    /// Length of the segment that was on disk when this was written.
    pub(super) synced: u64,
    /// Arrival number of the first row.
    pub(super) first: i64,
}

/// A frame as read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) head: Head,
    pub(super) payload: &'a [u8],
    /// Where the next frame begins.
    pub(super) end: usize,
}

/// The check is seeded with a number drawn for the segment, so that bytes inside a pushed text cannot pose
/// as a frame.
fn check(seed: u32, after_check: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(after_check);
    hasher.update(payload);
    hasher.finalize()
}

/// Appends a frame to `out`.
pub(super) fn push(out: &mut Vec<u8>, seed: u32, head: Head, payload: &[u8]) {
    let mut rest = [0_u8; HEADER - 8];
    rest[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    rest[4] = head.kind as u8;
    rest[6..8].copy_from_slice(&head.schema.to_le_bytes());
    rest[8..16].copy_from_slice(&head.synced.to_le_bytes());
    rest[16..24].copy_from_slice(&head.first.to_le_bytes());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&check(seed, &rest, payload).to_le_bytes());
    out.extend_from_slice(&rest);
    out.extend_from_slice(payload);
}

/// The frame at `at`; none when there is no whole and sound one.
pub(super) fn read(bytes: &[u8], at: usize, seed: u32) -> Option<Frame<'_>> {
    let header: &[u8; HEADER] = bytes.get(at..at.checked_add(HEADER)?)?.try_into().ok()?;
    if header[..4] != MAGIC {
        return None;
    }
    let four = |from: usize| -> Option<[u8; 4]> { header[from..from + 4].try_into().ok() };
    let eight = |from: usize| -> Option<[u8; 8]> { header[from..from + 8].try_into().ok() };
    let len = u32::from_le_bytes(four(8)?) as usize;
    let end = (at + HEADER).checked_add(len)?;
    let payload = bytes.get(at + HEADER..end)?;
    if check(seed, &header[8..], payload) != u32::from_le_bytes(four(4)?) {
        return None;
    }
    let head = Head {
        kind: Kind::of(header[12])?,
        schema: u16::from_le_bytes([header[14], header[15]]),
        synced: u64::from_le_bytes(eight(16)?),
        first: i64::from_le_bytes(eight(24)?),
    };
    Some(Frame { head, payload, end })
}

/// True when some sound frame after `bad` was written once the bytes at `bad` were on disk.
pub(super) fn proves_damage(bytes: &[u8], bad: usize, seed: u32) -> bool {
    let later =
        (bad + 1..bytes.len().saturating_sub(HEADER - 1)).filter(|at| bytes[*at..].starts_with(&MAGIC));
    later.filter_map(|at| read(bytes, at, seed)).any(|frame| frame.head.synced > bad as u64)
}
