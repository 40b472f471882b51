//! A block of rows passes the trees of a [`Chunk`] together.
//!
//! First every question gets its word: a row's bit goes to the number of thresholds that its value exceeds, and is handed
//! down from there to all lower ones. Then each tree sends the rows on their way, split by split, until every leaf has the
//! word of the rows that reach it. The words of the leaves give the bits of each row's leaf number, and the leaf is added
//! to the row's sum. Trees come in their order, so the bits of a sum are those of the walk.

use super::crowd::{Chunk, Column, MOST_KEYS, MOST_LEAVES, Shape, key};
use super::node::CodeSets;

/// Numbers looked up side by side.
const LANES: usize = 4;
/// Bits of a leaf's number at most.
const BITS: usize = 8;
/// Nodes of a tree at most, rounded up.
const NODES: usize = 2 * MOST_LEAVES;

/// A bit for each of `64 * W` rows.
type Word<const W: usize> = [u64; W];

/// Rows laid one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'a> {
    pub(super) rows: &'a [f64],
    pub(super) width: usize,
    pub(super) sets: &'a CodeSets,
}

/// Memory that a pass works in.
#[derive(Debug)]
pub(super) struct Pass<const W: usize> {
    /// For every question the rows that go right.
    asked: Vec<Word<W>>,
    /// For every node of a tree the rows that reach it.
    reach: Vec<Word<W>>,
    /// Values met in a column of codes, and where.
    met: Vec<(f64, Word<W>)>,
}

impl<const W: usize> Pass<W> {
    /// Rows that pass together at most.
    pub(super) const ROWS: usize = 64 * W;

    pub(super) fn new() -> Self {
        Self { asked: Vec::new(), reach: vec![[0; W]; NODES], met: Vec::new() }
    }

    /// Adds the leaves of a chunk's trees to the sums of the rows, one for each of at most [`Pass::ROWS`] rows; sums
    /// beyond the last row, up to a multiple of eight, become something.
    pub(super) fn add(&mut self, chunk: &Chunk, block: Block<'_>, sums: &mut [[f64; 8]]) {
        self.asked.clear();
        self.asked.resize(chunk.slots, [0; W]);
        for column in &chunk.columns {
            self.ask(column, block);
        }
        for tree in &chunk.trees {
            self.descend(chunk, tree);
            let leaves = &chunk.leaves[tree.leaves.clone()];
            let values = &chunk.values[tree.values.clone()];
            match values.len() {
                1 => self.add_leaves::<1>(leaves, values, sums),
                2 => self.add_leaves::<2>(leaves, values, sums),
                4 => self.add_leaves::<4>(leaves, values, sums),
                8 => self.add_leaves::<8>(leaves, values, sums),
                16 => self.add_leaves::<16>(leaves, values, sums),
                32 => self.add_leaves::<32>(leaves, values, sums),
                64 => self.add_leaves::<64>(leaves, values, sums),
                128 => self.add_leaves::<128>(leaves, values, sums),
                _ => self.add_leaves::<MOST_LEAVES>(leaves, values, sums),
            }
        }
    }

    /// Fills in the words of one column's questions.
    fn ask(&mut self, column: &Column, block: Block<'_>) {
        let missing = match column.keys.len() {
            0..=16 => self.mark::<16>(column, block),
            32 => self.mark::<32>(column, block),
            64 => self.mark::<64>(column, block),
            128 => self.mark::<128>(column, block),
            256 => self.mark::<256>(column, block),
            512 => self.mark::<512>(column, block),
            1024 => self.mark::<1024>(column, block),
            2048 => self.mark::<2048>(column, block),
            4096 => self.mark::<4096>(column, block),
            _ => self.mark::<MOST_KEYS>(column, block),
        };
        let words = &mut self.asked[column.first..=column.first + column.thresholds];
        let mut above = [0; W];
        for word in words[1..].iter_mut().rev() {
            above = or(above, *word);
            *word = above;
        }
        if !column.sets.is_empty() {
            self.ask_sets(column, block);
        }
        if missing != [0; W] {
            for slot in &column.right {
                let word = &mut self.asked[*slot as usize];
                *word = or(*word, missing);
            }
        }
    }

    /// Writes each row's bit to the last threshold that it exceeds, and gives the rows without a value.
    fn mark<const N: usize>(&mut self, column: &Column, block: Block<'_>) -> Word<W> {
        let mut missing = [0; W];
        let Some(keys) = column.keys.first_chunk::<N>() else { return missing };
        let words = &mut self.asked[column.first..=column.first + column.thresholds];
        for (group, rows) in block.rows.chunks(LANES * block.width).enumerate() {
            // Rows beyond the last read as missing, and lead to sums that nobody reads.
            let mut x = [i64::MIN; LANES];
            for (x, row) in x.iter_mut().zip(rows.chunks_exact(block.width)) {
                *x = key(row[column.column]);
            }
            let (word, shift) = (group * LANES / 64 % W, group * LANES % 64);
            for (lane, (exceeded, x)) in exceeded(keys, x).into_iter().zip(x).enumerate() {
                words[exceeded][word] |= 1 << (shift + lane);
                missing[word] |= u64::from(x == i64::MIN) << (shift + lane);
            }
        }
        missing
    }

    /// Fills in the words of questions for sets of codes, once for each code that the rows hold.
    fn ask_sets(&mut self, column: &Column, block: Block<'_>) {
        self.met.clear();
        for (row, values) in block.rows.chunks_exact(block.width).enumerate() {
            let x = values[column.column];
            if x.is_nan() {
                continue;
            }
            let at = self.met.iter().position(|(met, _)| *met == x).unwrap_or_else(|| {
                self.met.push((x, [0; W]));
                self.met.len() - 1
            });
            self.met[at].1[row / 64] |= 1 << (row % 64);
        }
        for (set, slot) in &column.sets {
            let others = self.met.iter().filter(|(x, _)| !block.sets.goes_left(*set, *x));
            self.asked[*slot] = others.fold([0; W], |all, (_, rows)| or(all, *rows));
        }
    }

    /// Fills in which rows reach which node of a tree.
    fn descend(&mut self, chunk: &Chunk, tree: &Shape) {
        // Written as one loop over pairs of children: a parent stands before its children.
        let reach = &mut self.reach[..NODES];
        reach[0] = [u64::MAX; W];
        for (pair, split) in chunk.splits[tree.splits.clone()].iter().enumerate() {
            let right = self.asked[split.slot as usize];
            let parent = reach[split.parent as usize % NODES];
            reach[(2 * pair + 1) % NODES] = std::array::from_fn(|w| parent[w] & !right[w]);
            reach[(2 * pair + 2) % NODES] = std::array::from_fn(|w| parent[w] & right[w]);
        }
    }

    /// Adds each row's leaf of a tree to its sum.
    fn add_leaves<const N: usize>(&self, leaves: &[u16], values: &[f64], sums: &mut [[f64; 8]]) {
        let Some(values) = values.first_chunk::<N>() else { return };
        let mut rows = [[0; W]; N];
        for (rows, leaf) in rows.iter_mut().zip(leaves) {
            *rows = self.reach[*leaf as usize % NODES];
        }
        let number = numbers(&mut rows);
        for (group, sums) in sums.iter_mut().enumerate() {
            let (word, shift) = (group / 8, group % 8 * 8);
            let mut leaf = 0;
            for (bit, rows) in number.iter().enumerate().take(N.trailing_zeros() as usize) {
                leaf |= SPREAD[(rows[word % W] >> shift) as usize % 256] << bit;
            }
            for (sum, leaf) in sums.iter_mut().zip(leaf.to_le_bytes()) {
                *sum += values[leaf as usize % N];
            }
        }
    }
}

/// How many keys each number exceeds, found by halving, without a branch that the processor could guess wrong.
#[inline(always)]
fn exceeded<const N: usize>(keys: &[i64; N], x: [i64; LANES]) -> [usize; LANES] {
    let mut from = [0_usize; LANES];
    let mut half = N / 2;
    while half > 0 {
        for (from, x) in from.iter_mut().zip(x) {
            let more = usize::from(x > keys[from.wrapping_add(half - 1) % N]);
            *from = from.wrapping_add(half * more);
        }
        half /= 2;
    }
    from
}

/// From the rows that reach each leaf to the bits of each row's leaf number.
///
/// The odd ones among the leaves give the lowest bit; then each pair of leaves counts as one.
fn numbers<const W: usize, const N: usize>(rows: &mut [Word<W>; N]) -> [Word<W>; BITS] {
    let mut bits = [[0; W]; BITS];
    let mut left = N;
    for bits in bits.iter_mut().take(N.trailing_zeros() as usize) {
        left /= 2;
        for pair in 0..left {
            let (even, odd) = (rows[2 * pair], rows[2 * pair + 1]);
            *bits = or(*bits, odd);
            rows[pair] = or(even, odd);
        }
    }
    bits
}

#[inline(always)]
fn or<const W: usize>(l: Word<W>, r: Word<W>) -> Word<W> {
    std::array::from_fn(|w| l[w] | r[w])
}

/// For every byte its bits as bytes.
static SPREAD: [u64; 256] = spread();

const fn spread() -> [u64; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut bit = 0;
        while bit < 8 {
            table[byte] |= ((byte as u64 >> bit) & 1) << (8 * bit);
            bit += 1;
        }
        byte += 1;
    }
    table
}
