//! The node layout: 16 bytes, four to a cache line, children side by side so that a step is an addition.

/// Set in [`Node::test`] when a missing value goes right.
pub(super) const MISSING_RIGHT: u32 = 1 << 31;
/// Set in [`Node::test`] when the node asks for membership in a set of codes.
pub(super) const CATEGORICAL: u32 = 1 << 30;
/// The bits of [`Node::test`] that hold the column.
pub(super) const COLUMN: u32 = CATEGORICAL - 1;

/// One node. A leaf is its own child under a threshold nothing exceeds, so that a walk may take more steps than
/// the tree is deep and still end there: a walk needs no question "is this a leaf".
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub(super) struct Node {
    /// Goes left up to and including this; for a categorical node the number of its set.
    pub(super) threshold: f64,
    /// Column and flags.
    pub(super) test: u32,
    /// The left child; the right one follows it.
    pub(super) child: u32,
}

impl Node {
    /// The leaf at position `own`.
    pub(super) const fn leaf(own: u32) -> Self {
        Self { threshold: f64::INFINITY, test: 0, child: own }
    }

    pub(super) const fn column(self) -> usize {
        (self.test & COLUMN) as usize
    }

    pub(super) const fn is_categorical(self) -> bool {
        self.test & CATEGORICAL != 0
    }

    pub(super) const fn missing_right(self) -> bool {
        self.test & MISSING_RIGHT != 0
    }
}

/// Sets of category codes, as bits.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct CodeSets {
    /// Bits of all sets, one after the other.
    pub(super) words: Vec<u64>,
    /// Set i is `words[ends[i-1]..ends[i]]`.
    pub(super) ends: Vec<u32>,
}

impl CodeSets {
    /// Adds a set and gives its number.
    pub(super) fn add(&mut self, codes: &[u32]) -> usize {
        let start = self.words.len();
        let words = codes.iter().max().map_or(0, |c| *c as usize / 64 + 1);
        self.words.resize(start + words, 0);
        for code in codes {
            self.words[start + *code as usize / 64] |= 1 << (code % 64);
        }
        self.ends.push(self.words.len() as u32);
        self.ends.len() - 1
    }

    /// True when `code` is in the set. A number that is no code (a fraction, a negative) is in none.
    #[inline]
    pub(super) fn contains(&self, set: usize, code: f64) -> bool {
        if !(code >= 0.0 && code.fract() == 0.0) {
            return false;
        }
        let start = if set == 0 { 0 } else { self.ends[set - 1] as usize };
        let words = &self.words[start..self.ends[set] as usize];
        let code = code as usize;
        words.get(code / 64).is_some_and(|word| word >> (code % 64) & 1 == 1)
    }
}
