//! Exact contributions of the columns to a forest's score: path-dependent `TreeSHAP`.
//!
//! The values are those of Lundberg et al., "From local explanations to global understanding with explainable AI
//! for trees" (Nature Machine Intelligence, 2020), algorithm 2. They are computed leaf by leaf instead of by
//! recursion. Let the way to a leaf of value v ask d different columns; let z(j) be the share of the training
//! rows that column j lets through on that way, and call j *open* when it lets this row through. With
//!
//! ```text
//! w(s) = s! (d-s-1)! / d!
//! A(O) = Σ over S ⊆ O of  w(|S|) · Π z(j), j not in S
//! ```
//!
//! the leaf gives every column that is not open `-v·A(O)`, and every open column i `v·(1-z(i))/z(i)·A(O∖i)`,
//! where O is the set of open columns. A depends on the forest and on O only, so for short ways it is tabulated
//! for all 2^d sets (the idea of Yang, "Fast `TreeSHAP`", 2021), and a row costs a look-up per leaf and column.
//! Long ways are worked out as they come, from the polynomial Π (y + z(j)) over the open columns.

use super::Forest;
use super::builder::MOST_ON_PATH;

/// Longest way that is tabulated; a table has 2^d numbers.
const MOST_TABULATED: usize = 10;
/// Numbers that all tables of a forest may hold (32 MiB).
const TABLE_NUMBERS: usize = 1 << 22;

/// What contributions need to know of a forest.
#[derive(Debug, Clone)]
pub(super) struct Explainer {
    /// For a split node: which bit of its way stands for its column.
    bit: Vec<u8>,
    trees: Vec<TreePaths>,
    leaves: Vec<LeafPath>,
    /// Columns on the ways of all leaves, one after the other, and beside each its z.
    columns: Vec<u32>,
    shares: Vec<f64>,
    tables: Vec<f64>,
    /// Nodes of the largest tree.
    largest: usize,
    /// The mean score of the training rows.
    base: f64,
}

/// A tree's nodes and its leaves in [`Explainer::leaves`].
#[derive(Debug, Clone, Copy)]
struct TreePaths {
    root: u32,
    nodes: u32,
    first_leaf: u32,
    leaves: u32,
}

/// The way to one leaf.
#[derive(Debug, Clone, Copy)]
struct LeafPath {
    /// Position of the leaf in its tree.
    local: u32,
    /// Where its columns begin.
    first: u32,
    /// How many there are.
    count: u32,
    /// Where its table begins; `NO_TABLE` when it has none.
    table: u32,
    value: f64,
}

const NO_TABLE: u32 = u32::MAX;

/// The columns asked so far on the way down, with the share each lets through.
type Way = Vec<(u32, f64)>;

impl Explainer {
    pub(super) fn new(forest: &Forest) -> Self {
        let mut explainer = Self {
            bit: vec![0; forest.nodes.len()],
            trees: Vec::with_capacity(forest.trees.len()),
            leaves: Vec::new(),
            columns: Vec::new(),
            shares: Vec::new(),
            tables: Vec::new(),
            largest: 0,
            base: forest.base,
        };
        for (i, tree) in forest.trees.iter().enumerate() {
            let end = forest.trees.get(i + 1).map_or(forest.nodes.len(), |next| next.root as usize);
            explainer.add_tree(forest, tree.root, end as u32 - tree.root);
        }
        explainer
    }

    fn add_tree(&mut self, forest: &Forest, root: u32, nodes: u32) {
        let first_leaf = self.leaves.len() as u32;
        let mut waiting: Vec<(u32, Way)> = vec![(root, Way::new())];
        while let Some((at, way)) = waiting.pop() {
            let node = forest.nodes[at as usize];
            if node.child == at {
                self.add_leaf(at - root, forest.leaf[at as usize], &way);
                continue;
            }
            let column = node.column() as u32;
            let bit = way.iter().position(|(asked, _)| *asked == column).unwrap_or(way.len());
            self.bit[at as usize] = bit as u8;
            let both = forest.cover[node.child as usize] + forest.cover[node.child as usize + 1];
            for child in [node.child + 1, node.child] {
                let share = forest.cover[child as usize] / both;
                let mut way = way.clone();
                match way.get_mut(bit) {
                    Some((_, so_far)) => *so_far *= share,
                    None => way.push((column, share)),
                }
                waiting.push((child, way));
            }
        }
        let leaves = self.leaves.len() as u32 - first_leaf;
        self.trees.push(TreePaths { root, nodes, first_leaf, leaves });
        self.largest = self.largest.max(nodes as usize);
    }

    fn add_leaf(&mut self, local: u32, value: f64, way: &Way) {
        self.base += way.iter().fold(value, |product, (_, share)| product * share);
        let first = self.columns.len() as u32;
        self.columns.extend(way.iter().map(|(column, _)| *column));
        let shares: Vec<f64> = way.iter().map(|(_, share)| *share).collect();
        let table = self.add_table(value, &shares);
        self.shares.extend(shares);
        self.leaves.push(LeafPath { local, first, count: way.len() as u32, table, value });
    }

    /// Tabulates `value·A(O)` for every set O, if the way is short and there is room.
    fn add_table(&mut self, value: f64, shares: &[f64]) -> u32 {
        let size = 1_usize << shares.len().min(MOST_TABULATED + 1);
        let start = self.tables.len();
        if shares.is_empty() || shares.len() > MOST_TABULATED || start + size > TABLE_NUMBERS {
            return NO_TABLE;
        }
        let mut open = Polynomial::one();
        self.tables.resize(start + size, 0.0);
        let weights = Weights::new(shares.len());
        for (set, number) in self.tables[start..].iter_mut().enumerate() {
            open.reset();
            let mut closed = value;
            for (i, share) in shares.iter().enumerate() {
                if set >> i & 1 == 1 { open.multiply(*share) } else { closed *= share }
            }
            *number = closed * open.weighted(&weights);
        }
        start as u32
    }

    /// Leaves every way to be worked out.
    #[cfg(test)]
    pub(super) fn drop_tables(&mut self) {
        self.leaves.iter_mut().for_each(|leaf| leaf.table = NO_TABLE);
    }

    /// Adds `factor` times every column's contribution for `row` to `out`, and gives `factor` times the base.
    pub(super) fn add(&self, forest: &Forest, row: &[f64], factor: f64, out: &mut [f64]) -> f64 {
        let mut open = vec![0_u128; self.largest];
        for tree in &self.trees {
            if forest.sets.ends.is_empty() {
                self.mark_open::<false>(forest, *tree, row, &mut open);
            } else {
                self.mark_open::<true>(forest, *tree, row, &mut open);
            }
            let leaves = tree.first_leaf as usize..(tree.first_leaf + tree.leaves) as usize;
            for leaf in &self.leaves[leaves] {
                let open = open[leaf.local as usize];
                if leaf.table == NO_TABLE {
                    self.work_out(*leaf, open, factor, out);
                } else {
                    self.look_up(*leaf, open as usize, factor, out);
                }
            }
        }
        factor * self.base
    }

    /// For every node of a tree, which columns on the way to it are open for `row`: parents come before their
    /// children, so one pass does.
    fn mark_open<const SETS: bool>(&self, forest: &Forest, tree: TreePaths, row: &[f64], open: &mut [u128]) {
        open[0] = u128::MAX;
        for local in 0..tree.nodes as usize {
            let at = tree.root + local as u32;
            let left = forest.nodes[at as usize].child;
            if left == at {
                continue;
            }
            let goes_right = forest.step::<SETS>(at, row) != left;
            let both = open[local];
            let closed = both & !(1_u128 << self.bit[at as usize]);
            let child = (left - tree.root) as usize;
            open[child] = if goes_right { closed } else { both };
            open[child + 1] = if goes_right { both } else { closed };
        }
    }

    fn look_up(&self, leaf: LeafPath, open: usize, factor: f64, out: &mut [f64]) {
        let way = leaf.first as usize..(leaf.first + leaf.count) as usize;
        let table = &self.tables[leaf.table as usize..][..1 << leaf.count];
        let open = open & (table.len() - 1);
        let closed = -factor * table[open];
        for (i, (column, share)) in self.columns[way.clone()].iter().zip(&self.shares[way]).enumerate() {
            out[*column as usize] += if open >> i & 1 == 1 {
                factor * (1.0 - share) / share * table[open ^ (1 << i)]
            } else {
                closed
            };
        }
    }

    fn work_out(&self, leaf: LeafPath, open: u128, factor: f64, out: &mut [f64]) {
        let way = leaf.first as usize..(leaf.first + leaf.count) as usize;
        let (columns, shares) = (&self.columns[way.clone()], &self.shares[way]);
        let weights = Weights::new(shares.len());
        let mut polynomial = Polynomial::one();
        let mut scale = factor * leaf.value;
        for (i, share) in shares.iter().enumerate() {
            if open >> i & 1 == 1 { polynomial.multiply(*share) } else { scale *= share }
        }
        let closed = -scale * polynomial.weighted(&weights);
        for (i, (column, share)) in columns.iter().zip(shares).enumerate() {
            out[*column as usize] += if open >> i & 1 == 1 {
                scale * (1.0 - share) * polynomial.weighted_without(*share, &weights)
            } else {
                closed
            };
        }
    }
}

/// `w(s) = s! (d-s-1)! / d!` for s from 0 to d-1, and 0 for d.
struct Weights([f64; MOST_ON_PATH + 1]);

impl Weights {
    fn new(d: usize) -> Self {
        let mut weights = [0.0; MOST_ON_PATH + 1];
        // w(0) = 1/d and w(s) = w(s-1)·s/(d-s), which needs no factorials.
        let mut weight = 1.0 / d as f64;
        for (s, w) in weights.iter_mut().enumerate().take(d) {
            if s > 0 {
                weight *= s as f64 / (d - s) as f64;
            }
            *w = weight;
        }
        Self(weights)
    }
}

/// Π (y + z) by its coefficients, that of y^s at position s.
struct Polynomial {
    coefficients: [f64; MOST_ON_PATH + 1],
    degree: usize,
}

impl Polynomial {
    const fn one() -> Self {
        let mut coefficients = [0.0; MOST_ON_PATH + 1];
        coefficients[0] = 1.0;
        Self { coefficients, degree: 0 }
    }

    const fn reset(&mut self) {
        self.coefficients[0] = 1.0;
        self.degree = 0;
    }

    /// Multiplies by (y + share).
    fn multiply(&mut self, share: f64) {
        let degree = self.degree + 1;
        self.coefficients[degree] = self.coefficients[degree - 1];
        for s in (1..degree).rev() {
            self.coefficients[s] = self.coefficients[s - 1] + share * self.coefficients[s];
        }
        self.coefficients[0] *= share;
        self.degree = degree;
    }

    fn weighted(&self, weights: &Weights) -> f64 {
        self.coefficients[..=self.degree].iter().zip(&weights.0).map(|(c, w)| c * w).sum()
    }

    /// The same sum for the polynomial divided by (y + share), one of its factors. Dividing from the highest
    /// power down shrinks rounding errors, since a share is at most 1.
    fn weighted_without(&self, share: f64, weights: &Weights) -> f64 {
        let mut quotient = 0.0;
        let mut sum = 0.0;
        for s in (1..=self.degree).rev() {
            quotient = self.coefficients[s] - share * quotient;
            sum += quotient * weights.0[s - 1];
        }
        sum
    }
}
