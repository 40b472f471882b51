//! The node layout: 16 bytes, four to a cache line, children side by side, so that a step is one comparison and
//! one addition.

/// Set in [`Node::test`] when the node asks for membership in a set of codes.
const CATEGORICAL: u32 = 1 << 31;
/// Most columns that a node can ask for.
pub(super) const MOST_COLUMNS: usize = 1 << 30;

/// One node.
///
/// A row is walked in a form that holds each column [twice](sides), so that where a missing value goes is a matter
/// of which of the two is read. A leaf is its own child under a threshold that nothing exceeds, so that a walk may
/// take more steps than the tree is deep and still end there: a walk never asks "is this a leaf".
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub(super) struct Node {
    /// Goes left up to and including this; for a categorical node the number of its set.
    pub(super) threshold: f64,
    /// Position in the row of sides, and a flag.
    test: u32,
    /// The left child; the right one follows it.
    pub(super) child: u32,
}

/// What a split asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Question {
    pub(super) column: u32,
    pub(super) categorical: bool,
    pub(super) missing_right: bool,
    /// The threshold, or the number of the set.
    pub(super) threshold: f64,
}

impl Node {
    /// The leaf at position `own`.
    pub(super) const fn leaf(own: u32) -> Self {
        Self { threshold: f64::INFINITY, test: 0, child: own }
    }

    /// A split; its column must be below [`MOST_COLUMNS`].
    pub(super) const fn split(question: Question, child: u32) -> Self {
        let side = question.column * 2 + question.missing_right as u32;
        let flag = if question.categorical { CATEGORICAL } else { 0 };
        Self { threshold: question.threshold, test: side | flag, child }
    }

    /// What a split asks.
    pub(super) const fn question(self) -> Question {
        Question {
            column: (self.test & !CATEGORICAL) / 2,
            categorical: self.is_categorical(),
            missing_right: self.test & 1 == 1,
            threshold: self.threshold,
        }
    }

    pub(super) const fn is_categorical(self) -> bool {
        self.test & CATEGORICAL != 0
    }

    pub(super) const fn column(self) -> usize {
        self.question().column as usize
    }

    /// Where the node's value stands in a row of sides. Only a forest with categorical nodes has flags to cut off.
    #[inline(always)]
    pub(super) const fn side<const SETS: bool>(self) -> usize {
        if SETS { (self.test & !CATEGORICAL) as usize } else { self.test as usize }
    }
}

impl Node {
    /// True when a row goes right that holds `x` at this node's [side](Node::side).
    #[inline(always)]
    pub(super) fn goes_right<const SETS: bool>(self, sets: &CodeSets, x: f64) -> bool {
        if SETS && self.is_categorical() {
            !sets.goes_left(self.threshold as usize, x)
        } else {
            x > self.threshold
        }
    }
}

/// Writes each column of a row twice: first as a node reads it that sends missing values left, then as one that
/// sends them right. A missing value becomes the infinity that lies on that side of every threshold.
pub(super) fn sides(row: &[f64], out: &mut [f64]) {
    for (pair, x) in out.as_chunks_mut::<2>().0.iter_mut().zip(row) {
        *pair = if x.is_nan() { [f64::NEG_INFINITY, f64::INFINITY] } else { [*x, *x] };
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

    /// True when a value from a row of sides goes left: its code is in the set, or it is missing and was read on
    /// the left side. A number that is no code (a fraction, a negative) is in no set.
    #[inline]
    pub(super) fn goes_left(&self, set: usize, code: f64) -> bool {
        if !(code >= 0.0 && code.fract() == 0.0) {
            return code == f64::NEG_INFINITY;
        }
        let start = if set == 0 { 0 } else { self.ends[set - 1] as usize };
        let words = &self.words[start..self.ends[set] as usize];
        let code = code as usize;
        words.get(code / 64).is_some_and(|word| word >> (code % 64) & 1 == 1)
    }
}
