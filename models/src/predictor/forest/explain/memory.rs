//! Memory that walks fill again and again.

/// What one thread's walks fill. Memory that is new for each row would have to be cleared for each row.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// What splits ask the row for.
    pub(super) asked: Vec<f64>,
    pub(super) go: Numbers,
    pub(super) places: Numbers,
    pub(super) sums: Numbers,
}

/// Numbers that begin with a line of the cache: a vector that lies across two lines takes twice as long to read.
#[derive(Debug, Default)]
pub(super) struct Numbers(Vec<f64>);

/// Numbers of a line.
const LINE: usize = 8;

impl Numbers {
    /// Room for so many numbers, which hold whatever they held.
    pub(super) fn room(&mut self, len: usize) -> &mut [f64] {
        self.0.resize(self.0.len().max(len + LINE), 0.0);
        let first = self.0.as_ptr().align_offset(LINE * size_of::<f64>()).min(LINE);
        &mut self.0[first..first + len]
    }
}
