//! Memory for answers on their way to a segment: their bytes as one chunk that the disk can take from where it lies.
//!
//! A write that passes the system's page cache by wants memory, place and length in whole blocks. So the chunk's head has
//! its place ahead of the answers, at a block's beginning, and zeros may follow them up to a block's end.

/// Bytes of a block: what the disks of today write at least, or a multiple of it.
pub const BLOCK: usize = 4096;
/// Bytes ahead of a chunk's answers: their length and their checksum.
pub const HEAD: usize = 8;

/// Answers of one version and one day, one after the other.
#[derive(Debug)]
pub struct Piece {
    memory: Vec<u8>,
    /// Where the chunk begins.
    begins: usize,
    /// For how much there was room at first, and what memory held then.
    room: usize,
    capacity: usize,
}

impl Piece {
    /// Room for so many bytes of answers, before memory has to grow.
    pub fn with_capacity(room: usize) -> Self {
        let mut memory: Vec<u8> = Vec::with_capacity(BLOCK + whole_blocks(HEAD + room));
        let begins = memory.as_ptr().align_offset(BLOCK).min(BLOCK);
        memory.resize(begins + HEAD, 0);
        Self { capacity: memory.capacity(), room, memory, begins }
    }

    /// Bytes of answers.
    pub const fn len(&self) -> usize {
        self.memory.len() - self.begins - HEAD
    }

    /// True when so many bytes more need no other memory.
    pub const fn has_room(&self, bytes: usize) -> bool {
        self.begins + whole_blocks(HEAD + self.len() + bytes) <= self.memory.capacity()
    }

    /// True where there was room for so many bytes from the beginning, and for all that came.
    pub const fn holds(&self, bytes: usize) -> bool {
        self.room == bytes && self.memory.capacity() == self.capacity
    }

    /// Has answers appended.
    pub fn put(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        put(&mut self.memory);
    }

    /// Forgets the answers; the memory stays.
    pub fn clear(&mut self) {
        self.memory.truncate(self.begins + HEAD);
    }

    /// The answers as a chunk: their length, their checksum, and they themselves.
    pub fn chunk(&mut self) -> &[u8] {
        let (length, sum) = (self.len() as u32, crc32fast::hash(&self.memory[self.begins + HEAD..]));
        let head = u64::from(length) | u64::from(sum) << 32;
        self.memory[self.begins..self.begins + HEAD].copy_from_slice(&head.to_le_bytes());
        &self.memory[self.begins..]
    }

    /// The chunk in [`whole_blocks`], the last filled up with zeros. None where memory had to grow, and lies anyhow.
    pub fn with_blocks<T>(&mut self, see: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let length = self.chunk().len();
        self.memory.resize(self.begins + whole_blocks(length), 0);
        let blocks = &self.memory[self.begins..];
        let seen = (blocks.as_ptr().align_offset(BLOCK) == 0).then(|| see(blocks));
        self.memory.truncate(self.begins + length);
        seen
    }
}

/// The bytes of whole blocks that hold so many. What they hold besides has room for a [`HEAD`]: one of zeros says that
/// nothing follows in its block.
pub const fn whole_blocks(bytes: usize) -> usize {
    if bytes.is_multiple_of(BLOCK) { bytes } else { (bytes + HEAD).next_multiple_of(BLOCK) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn blocks_are_the_chunk_with_zeros_behind_it(room in 0..10_000_usize, pushed in prop::collection::vec(0..3_000_usize, 0..6)) {
            let mut piece = Piece::with_capacity(room);
            // Memory that had to grow once lies anyhow from then on.
            let mut fits = true;
            for round in 1..=2 {
                piece.clear();
                let mut answers = Vec::new();
                for length in &pushed {
                    fits &= piece.has_room(*length);
                    piece.put(|to| to.resize(to.len() + length, round));
                    answers.extend(vec![round; *length]);
                }
                prop_assert_eq!(piece.len(), answers.len());
                prop_assert!(fits || answers.len() > room, "room for what was asked for");
                let chunk = piece.chunk().to_vec();
                prop_assert_eq!(&chunk[HEAD..], &answers);
                prop_assert_eq!(&chunk[..4], (answers.len() as u32).to_le_bytes());
                prop_assert_eq!(&chunk[4..HEAD], crc32fast::hash(&answers).to_le_bytes());
                let blocks = piece.with_blocks(<[u8]>::to_vec);
                prop_assert!(blocks.is_some() || !fits);
                if let Some(blocks) = blocks {
                    let zeros = blocks.strip_prefix(&*chunk).unwrap();
                    prop_assert!(blocks.len() % BLOCK == 0 && zeros.iter().all(|byte| *byte == 0));
                    prop_assert!(zeros.is_empty() || (HEAD..BLOCK + HEAD).contains(&zeros.len()));
                }
                prop_assert_eq!(piece.chunk(), &chunk, "and stays as it was");
                prop_assert!(!fits || piece.holds(room));
            }
        }
    }
}
