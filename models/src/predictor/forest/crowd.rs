//! Trees laid out for many rows at once: a word for every question, with a bit for every row.
//!
//! `QuickScorer` (Lucchese et al., "QuickScorer: a fast algorithm to rank documents with additive ensembles of regression
//! trees", SIGIR 2015) asks all questions about one column together, its thresholds in order, and keeps a word of living
//! leaves for each tree of one row. Here the words are turned round: a bit is a row and a word a question, so that a split
//! sends sixty-four rows on their way with two operations, whatever the tree looks like. The pass itself is in `pass`.
//!
//! Trees of more than [`MOST_LEAVES`] leaves stay with the walk: a row passes few of their nodes, but all of their words.

use std::collections::BTreeMap;
use std::ops::Range;

use super::ladder::Ladder;
use super::{Forest, Tree};

/// Leaves of a tree at most, so that the number of a leaf is a byte.
pub(super) const MOST_LEAVES: usize = 256;
/// Words of a chunk, roughly: they should stay in the second-level cache while rows pass.
const MOST_SLOTS: usize = 8192 - MOST_LEAVES;
/// Rows that pass together at least.
const LEAST: usize = 8;

/// All trees of a forest in their order, in parts.
#[derive(Debug, Clone)]
pub(super) struct Crowd {
    pub(super) parts: Vec<Part>,
    /// Rows from which on passing together costs less than walking.
    pub(super) pays_from: usize,
}

/// Trees that follow each other.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// Passed by all rows at once.
    Bits(Chunk),
    /// Walked, since they are too large; the positions of the trees.
    Walk(Range<usize>),
}

/// Some trees, with all questions that they ask.
#[derive(Debug, Clone, Default)]
pub(super) struct Chunk {
    pub(super) columns: Vec<Column>,
    /// Words that the questions need.
    pub(super) slots: usize,
    pub(super) trees: Vec<Shape>,
    /// Of all trees, breadth first.
    pub(super) splits: Vec<Split>,
    /// Of all trees: what each leaf adds, filled up with zeros to a power of two.
    pub(super) values: Vec<f64>,
}

/// What a chunk asks of one column.
#[derive(Debug, Clone, Default)]
pub(super) struct Column {
    pub(super) column: usize,
    /// The word of rows that exceed no threshold. Those of the thresholds follow, then those of the sets.
    pub(super) first: usize,
    /// How many thresholds there are.
    pub(super) thresholds: usize,
    /// They themselves.
    pub(super) keys: Ladder,
    /// Words of questions that send missing values right.
    pub(super) right: Vec<u32>,
    /// Sets of codes asked for, and their words.
    pub(super) sets: Vec<(usize, usize)>,
}

/// A split: of the rows that reach the `parent`th split of the tree those go right for which the word says so. Where they
/// go is the number of a split, or [`MOST_LEAVES`] and that of a leaf.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split {
    pub(super) slot: u32,
    pub(super) parent: u16,
    pub(super) left: u16,
    pub(super) right: u16,
}

/// Where a tree's parts stand in its chunk.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) splits: Range<usize>,
    /// How many leaves there are.
    pub(super) leaves: usize,
    pub(super) values: Range<usize>,
}

/// Questions of one column while they are collected, each with where it sends missing values.
#[derive(Debug, Default)]
struct Asked {
    numbers: Vec<(f64, bool)>,
    sets: Vec<(usize, bool)>,
}

/// A question's column, threshold or set, and where it sends missing values.
type Key = (usize, Result<f64, usize>, bool);

impl Crowd {
    pub(super) fn new(forest: &Forest) -> Self {
        let mut parts = Vec::new();
        let mut from = 0;
        while from < forest.trees.len() {
            let (mut to, mut slots) = (from, 0);
            while to < forest.trees.len() && is_small(forest, to) && (to == from || slots < MOST_SLOTS) {
                slots += nodes(forest, to).len() / 2;
                to += 1;
            }
            if to > from {
                parts.push(Part::Bits(Chunk::new(forest, from..to)));
            }
            from = to;
            while to < forest.trees.len() && !is_small(forest, to) {
                to += 1;
            }
            if to > from {
                parts.push(Part::Walk(from..to));
            }
            from = to;
        }
        let pays_from = pays_from(forest, &parts);
        Self { parts, pays_from }
    }
}

/// A split costs as much for a block of rows as some steps of the walk do for one; a row's leaf costs about one step.
fn pays_from(forest: &Forest, parts: &[Part]) -> usize {
    const STEPS: usize = 3;
    let chunks =
        || parts.iter().filter_map(|part| if let Part::Bits(chunk) = part { Some(chunk) } else { None });
    let splits: usize = chunks().map(|chunk| chunk.splits.len()).sum();
    let small = (0..forest.trees.len()).filter(|tree| is_small(forest, *tree));
    let steps: usize = small.map(|tree| (forest.trees[tree].depth as usize).saturating_sub(1)).sum();
    (STEPS * splits).checked_div(steps).map_or(usize::MAX, |rows| rows.max(LEAST))
}

fn is_small(forest: &Forest, tree: usize) -> bool {
    nodes(forest, tree).len() < 2 * MOST_LEAVES
}

/// The positions of a tree's nodes.
fn nodes(forest: &Forest, tree: usize) -> Range<usize> {
    let end = forest.trees.get(tree + 1).map_or(forest.nodes.len(), |next: &Tree| next.root as usize);
    forest.trees[tree].root as usize..end
}

/// What the node at a position asks; none of a leaf.
fn question(forest: &Forest, at: usize) -> Option<Key> {
    let node = forest.nodes[at];
    (node.child as usize != at).then(|| {
        let asked = node.question();
        let what = match asked.categorical {
            true => Err(asked.threshold as usize),
            false => Ok(asked.threshold),
        };
        (asked.column as usize, what, asked.missing_right)
    })
}

impl Chunk {
    fn new(forest: &Forest, trees: Range<usize>) -> Self {
        let mut chunk = Self::default();
        let asked = collect(forest, trees.clone());
        for (column, asked) in &asked {
            chunk.add_column(*column, asked);
        }
        for tree in trees {
            chunk.add_tree(forest, nodes(forest, tree), &asked);
        }
        chunk
    }

    fn add_column(&mut self, column: usize, asked: &Asked) {
        let first = self.slots;
        let sets = first + 1 + asked.numbers.len();
        let numbers = asked.numbers.iter().enumerate().map(|(i, (_, right))| (first + 1 + i, *right));
        let of_sets = asked.sets.iter().enumerate().map(|(i, (_, right))| (sets + i, *right));
        let right = numbers.chain(of_sets).filter(|(_, right)| *right).map(|(slot, _)| slot as u32);
        let numbers_asked: Vec<f64> = asked.numbers.iter().map(|(threshold, _)| *threshold).collect();
        self.columns.push(Column {
            column,
            first,
            thresholds: asked.numbers.len(),
            keys: Ladder::new(&numbers_asked),
            right: right.collect(),
            sets: asked.sets.iter().enumerate().map(|(i, (set, _))| (*set, sets + i)).collect(),
        });
        self.slots = sets + asked.sets.len();
    }

    fn add_tree(&mut self, forest: &Forest, nodes: Range<usize>, asked: &BTreeMap<usize, Asked>) {
        let starts = (self.splits.len(), self.values.len());
        // The number of each node among the splits, or behind MOST_LEAVES among the leaves.
        let (mut splits, mut leaves) = (0, MOST_LEAVES as u16);
        let numbers: Vec<u16> = nodes
            .clone()
            .map(|at| {
                let count = if question(forest, at).is_some() { &mut splits } else { &mut leaves };
                *count += 1;
                *count - 1
            })
            .collect();
        for at in nodes.clone() {
            match question(forest, at) {
                Some(question) => {
                    let left = forest.nodes[at].child as usize - nodes.start;
                    let slot = self.slot(asked, question) as u32;
                    let parent = numbers[at - nodes.start];
                    self.splits.push(Split { slot, parent, left: numbers[left], right: numbers[left + 1] });
                }
                None => self.values.push(forest.leaf[at]),
            }
        }
        let leaves = self.values.len() - starts.1;
        self.values.resize(starts.1 + leaves.next_power_of_two(), 0.0);
        let (splits, values) = (starts.0..self.splits.len(), starts.1..self.values.len());
        self.trees.push(Shape { splits, leaves, values });
    }

    /// The word of a question; there is one for each that was collected.
    fn slot(&self, asked: &BTreeMap<usize, Asked>, (column, what, right): Key) -> usize {
        let known = self.columns.partition_point(|known| known.column < column);
        let (Some(known), Some(asked)) = (self.columns.get(known), asked.get(&column)) else { return 0 };
        match what {
            Ok(threshold) => {
                known.first + 1 + asked.numbers.partition_point(|other| less(*other, (threshold, right)))
            }
            Err(set) => {
                let before = asked.sets.partition_point(|other| *other < (set, right));
                known.first + 1 + asked.numbers.len() + before
            }
        }
    }
}

/// All questions of some trees, each once, in order.
fn collect(forest: &Forest, trees: Range<usize>) -> BTreeMap<usize, Asked> {
    let mut all: BTreeMap<usize, Asked> = BTreeMap::new();
    for (column, what, right) in
        trees.flat_map(|tree| nodes(forest, tree)).filter_map(|at| question(forest, at))
    {
        let asked = all.entry(column).or_default();
        match what {
            Ok(threshold) => asked.numbers.push((threshold, right)),
            Err(set) => asked.sets.push((set, right)),
        }
    }
    for asked in all.values_mut() {
        asked.numbers.sort_unstable_by(|l, r| l.0.total_cmp(&r.0).then(l.1.cmp(&r.1)));
        asked.numbers.dedup_by(|l, r| l.0.to_bits() == r.0.to_bits() && l.1 == r.1);
        asked.sets.sort_unstable();
        asked.sets.dedup();
    }
    all
}

fn less(l: (f64, bool), r: (f64, bool)) -> bool {
    l.0.total_cmp(&r.0).then(l.1.cmp(&r.1)).is_lt()
}
