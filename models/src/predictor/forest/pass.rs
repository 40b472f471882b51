//! A block of rows passes the trees of a [`Chunk`] together.
//!
//! First every question gets its word: a row's bit goes to the number of thresholds that its value exceeds, and is handed
//! down from there to all lower ones. Then each tree sends the rows on their way, split by split, until every leaf has the
//! word of the rows that reach it. The words of the leaves give each row's leaf number as a byte, and the leaf is added
//! to the row's sum. Trees come in their order, so the bits of a sum are those of the walk.

use std::cell::RefCell;

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f64x8, mask8x64, u8x64, u64x8};

use super::crowd::{Chunk, Column, MOST_LEAVES, Shape};
use super::node::CodeSets;

/// Bits of a leaf's number at most.
const BITS: usize = 8;
/// Splits and leaves of a tree at most, rounded up.
const NODES: usize = 2 * MOST_LEAVES;
/// Trees whose leaves are added in one go, so that a sum is read and written once for all of them.
const TREES: usize = 4;

/// A bit for each of `64 * W` rows.
type Word<const W: usize> = [u64; W];

/// Rows laid one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'a> {
    pub(super) rows: &'a [f64],
    pub(super) width: usize,
    pub(super) sets: &'a CodeSets,
}

/// Memory that the passes of a thread fill again and again: memory that is new each time is dear, since the system has to
/// clear it first.
#[derive(Debug, Default)]
struct Memory {
    asked: Vec<u64>,
    reach: Vec<u64>,
    ends: Vec<[u8; 64]>,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// What a pass fills.
struct Pass<'m, const W: usize> {
    /// For every question the rows that go right.
    asked: &'m mut [Word<W>],
    /// For every split of a tree, and from [`MOST_LEAVES`] on for every leaf, the rows that reach it.
    reach: &'m mut [Word<W>],
    /// For some trees the number of each row's leaf.
    ends: &'m mut [[[u8; 64]; W]],
}

/// Adds the leaves of a chunk's trees to the sums of at most `64 * W` rows, one sum for each.
pub(super) fn add<const W: usize>(level: Level, chunk: &Chunk, block: Block<'_>, sums: &mut [f64]) {
    MEMORY.with_borrow_mut(|memory| {
        let Memory { asked, reach, ends } = memory;
        asked.clear();
        asked.resize(chunk.slots * W, 0);
        reach.resize(reach.len().max(NODES * W), 0);
        ends.resize(ends.len().max(TREES * W), [0; 64]);
        let (asked, reach, ends) = (asked.as_chunks_mut().0, reach.as_chunks_mut().0, ends.as_chunks_mut().0);
        let mut pass = Pass::<W> { asked, reach, ends };
        dispatch!(level, simd => pass.add(simd, chunk, block, sums));
    });
}

impl<const W: usize> Pass<'_, W> {
    #[inline(always)]
    fn add<S: Simd>(&mut self, simd: S, chunk: &Chunk, block: Block<'_>, sums: &mut [f64]) {
        for column in &chunk.columns {
            self.ask(simd, column, block);
        }
        let mut left = chunk.trees.as_slice();
        while let Some(first) = left.first() {
            let leaves = first.values.len();
            let alike = |trees: &&[Shape]| trees.iter().all(|tree| tree.values.len() == leaves);
            let (trees, rest) = left.split_at(left.get(..TREES).filter(alike).map_or(1, <[Shape]>::len));
            left = rest;
            match leaves {
                1 => self.add_trees::<1, S>(simd, chunk, trees, sums),
                2 => self.add_trees::<2, S>(simd, chunk, trees, sums),
                4 => self.add_trees::<4, S>(simd, chunk, trees, sums),
                8 => self.add_trees::<8, S>(simd, chunk, trees, sums),
                16 => self.add_trees::<16, S>(simd, chunk, trees, sums),
                32 => self.add_trees::<32, S>(simd, chunk, trees, sums),
                64 => self.add_trees::<64, S>(simd, chunk, trees, sums),
                128 => self.add_trees::<128, S>(simd, chunk, trees, sums),
                _ => self.add_trees::<MOST_LEAVES, S>(simd, chunk, trees, sums),
            }
        }
    }

    /// Fills in the words of one column's questions.
    #[inline(always)]
    fn ask<S: Simd>(&mut self, simd: S, column: &Column, block: Block<'_>) {
        let missing = self.mark(simd, column, block);
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

    /// Writes each row's bit to the last threshold that it exceeds, and gives the rows without a value, which exceed none.
    #[inline(always)]
    fn mark<S: Simd>(&mut self, simd: S, column: &Column, block: Block<'_>) -> Word<W> {
        let mut missing = [0; W];
        let words = &mut self.asked[column.first..=column.first + column.thresholds];
        let (mut values, mut exceeded) = ([0.0; 64], [0; 64]);
        for (word, rows) in block.rows.chunks(64 * block.width).enumerate().take(W) {
            let count = rows.len() / block.width;
            let of_rows = rows.chunks_exact(block.width).map(|row| row[column.column]);
            values.iter_mut().zip(of_rows).for_each(|(value, x)| *value = x);
            values[count..].fill(0.0);
            missing[word] = missing_among(simd, &values);
            column.keys.exceeded(simd, &values[..count], &mut exceeded);
            for (bit, at) in exceeded.iter().enumerate().take(count) {
                words[*at as usize][word] |= 1 << bit;
            }
        }
        missing
    }

    /// Fills in the words of questions for sets of codes, once for each code that the rows hold.
    fn ask_sets(&mut self, column: &Column, block: Block<'_>) {
        let mut met: Vec<(f64, Word<W>)> = Vec::new();
        for (row, values) in block.rows.chunks_exact(block.width).enumerate() {
            let x = values[column.column];
            if x.is_nan() {
                continue;
            }
            let at = met.iter().position(|(known, _)| *known == x).unwrap_or_else(|| {
                met.push((x, [0; W]));
                met.len() - 1
            });
            met[at].1[row / 64] |= 1 << (row % 64);
        }
        for (set, slot) in &column.sets {
            let others = met.iter().filter(|(x, _)| !block.sets.goes_left(*set, *x));
            self.asked[*slot] = others.fold([0; W], |all, (_, rows)| or(all, *rows));
        }
    }

    /// Adds the leaves of up to [`TREES`] trees, of `N` leaves each when those are filled up.
    #[inline(always)]
    fn add_trees<const N: usize, S: Simd>(
        &mut self,
        simd: S,
        chunk: &Chunk,
        trees: &[Shape],
        sums: &mut [f64],
    ) {
        let mut values = [&[0.0; N]; TREES];
        for (at, tree) in trees.iter().enumerate().take(TREES) {
            self.descend::<N>(chunk, tree);
            self.number_leaves::<N, S>(simd, at);
            if let Some(of_tree) = chunk.values[tree.values.clone()].first_chunk() {
                values[at] = of_tree;
            }
        }
        match trees.len() {
            TREES => add_leaves(values, self.ends, sums),
            _ => add_leaves([values[0]], self.ends, sums),
        }
    }

    /// Fills in which rows reach which node of a tree.
    #[inline(always)]
    fn descend<const N: usize>(&mut self, chunk: &Chunk, tree: &Shape) {
        let Some(reach) = self.reach.first_chunk_mut::<NODES>() else { return };
        // Leaves that only fill up are reached by none.
        reach[MOST_LEAVES + tree.leaves..MOST_LEAVES + N].fill([0; W]);
        reach[0] = [u64::MAX; W];
        for split in &chunk.splits[tree.splits.clone()] {
            let right = self.asked[split.slot as usize];
            let parent = reach[split.parent as usize % NODES];
            reach[split.left as usize % NODES] = std::array::from_fn(|w| parent[w] & !right[w]);
            reach[split.right as usize % NODES] = std::array::from_fn(|w| parent[w] & right[w]);
        }
    }

    /// Fills in the number of each row's leaf for the tree that was descended, as the `at`th of some trees.
    #[inline(always)]
    fn number_leaves<const N: usize, S: Simd>(&mut self, simd: S, at: usize) {
        let leaves = &mut self.reach[MOST_LEAVES..MOST_LEAVES + N];
        let mut number = [[0; W]; BITS];
        // Leaves of the upper half have the highest bit; then both halves count as one.
        for bit in (0..N.trailing_zeros() as usize).rev() {
            let (low, high) = leaves[..2 << bit].split_at_mut(1 << bit);
            number[bit] = fold_upper(simd, low.as_flattened_mut(), high.as_flattened());
        }
        for (word, ends) in self.ends[at].iter_mut().enumerate() {
            let mut leaf = u8x64::splat(simd, 0);
            for (bit, rows) in number.iter().enumerate().take(N.trailing_zeros() as usize) {
                let rows = mask8x64::from_bitmask(simd, rows[word]);
                leaf |= rows.select(u8x64::splat(simd, 1 << bit), u8x64::splat(simd, 0));
            }
            leaf.store_slice(ends);
        }
    }
}

/// A bit for each number that is none.
#[inline(always)]
fn missing_among<S: Simd>(simd: S, values: &[f64; 64]) -> u64 {
    values.as_chunks::<8>().0.iter().rev().fold(0, |bits, values| {
        let values = f64x8::from_slice(simd, values);
        bits << 8 | (!values.simd_eq(values)).to_bitmask()
    })
}

/// Adds the upper words to the lower ones, and gives all of the upper ones in one.
#[inline(always)]
fn fold_upper<const W: usize, S: Simd>(simd: S, low: &mut [u64], high: &[u64]) -> Word<W> {
    let (low_whole, low_rest) = low.as_chunks_mut::<8>();
    let (high_whole, high_rest) = high.as_chunks::<8>();
    let mut all = [0; W];
    if !high_whole.is_empty() {
        let mut folded = u64x8::splat(simd, 0);
        for (low, high) in low_whole.iter_mut().zip(high_whole) {
            let high = u64x8::from_slice(simd, high);
            folded |= high;
            (u64x8::from_slice(simd, low) | high).store_slice(low);
        }
        let mut words = [0; 8];
        folded.store_slice(&mut words);
        all = words.as_chunks::<W>().0.iter().fold(all, |all, word| or(all, *word));
    }
    low_rest.iter_mut().zip(high_rest).for_each(|(low, high)| *low |= high);
    high_rest.as_chunks::<W>().0.iter().fold(all, |all, word| or(all, *word))
}

/// Adds each row's leaves of some trees to its sum, in the order of the trees.
#[inline(always)]
fn add_leaves<const N: usize, const T: usize, const W: usize>(
    values: [&[f64; N]; T],
    ends: &[[[u8; 64]; W]],
    sums: &mut [f64],
) {
    let Some(ends) = ends.first_chunk::<T>() else { return };
    let ends = ends.each_ref().map(|ends| ends.as_flattened());
    for (row, sum) in sums.iter_mut().enumerate() {
        let leaves = values.iter().zip(ends);
        *sum = leaves.fold(*sum, |sum, (values, ends)| sum + values[ends[row % (64 * W)] as usize % N]);
    }
}

#[inline(always)]
fn or<const W: usize>(l: Word<W>, r: Word<W>) -> Word<W> {
    std::array::from_fn(|w| l[w] | r[w])
}
