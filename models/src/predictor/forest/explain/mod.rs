//! Exact contributions of the columns to a forest's score: path-dependent `TreeSHAP`.
//!
//! The values are those of Lundberg et al., "From local explanations to global understanding with explainable AI
//! for trees" (Nature Machine Intelligence, 2020), algorithm 2, computed another way. Take the way to a leaf of
//! value v that asks d different columns. Let z(j) be the share of the training rows that column j lets through
//! on that way, and o(j) be 1 if it lets this row through, else 0. The leaf gives column i
//!
//! ```text
//! v (o(i) - z(i)) Σ over S of |S|! (d-|S|-1)! / d! · Π o(j), j in S · Π z(j), j neither in S nor i
//! ```
//!
//! Since `s! (d-s-1)! / d!` is the integral of `t^s (1-t)^(d-s-1)` over t from 0 to 1, the sum over all subsets is
//!
//! ```text
//! ∫ Π f(j, t) dt over j other than i,   f(j, t) = t·o(j) + (1-t)·z(j)
//! ```
//!
//! a polynomial of degree d-1, which Gauss–Legendre quadrature with d/2 points gives exactly; and every number in
//! it is positive, so nothing cancels. The products are shared along the tree: one pass down multiplies the
//! factors of the columns above each node, one pass up adds up what lies below (the sharing of Yu et al., "Linear
//! `TreeSHAP`", 2022). A row costs a few multiplications per split and point, where the recursion of the paper costs
//! the square of the depth per leaf. [`trees`] does them for all points at once, and without asking the processor to
//! guess what a split or a leaf is.

mod trees;

use super::Forest;
use trees::Trees;

/// What contributions need to know of a forest.
///
/// Trees stand by the number of quadrature points that their longest way needs: half as many as it asks columns, rounded
/// up to what there is code for; the last is enough for the 128 columns that a way may ask.
#[derive(Debug, Clone)]
pub(super) struct Explainer {
    by_4: Trees<4>,
    by_8: Trees<8>,
    by_16: Trees<16>,
    by_64: Trees<64>,
    /// The mean score of the training rows.
    base: f64,
}

/// A step from a node to a child.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// z of the column asked, over all its questions on the way so far.
    share: f64,
    /// The node, within its tree, that the last step before that asked this column led to; `FIRST` if none did.
    before: u32,
}

const FIRST: u32 = u32::MAX;
const NOWHERE: Step = Step { share: 1.0, before: FIRST };

impl Explainer {
    pub(super) fn new(forest: &Forest) -> Self {
        let mut explainer = Self {
            by_4: Trees::new(),
            by_8: Trees::new(),
            by_16: Trees::new(),
            by_64: Trees::new(),
            base: forest.base,
        };
        let mut steps = Vec::new();
        for (i, tree) in forest.trees.iter().enumerate() {
            let end = forest.trees.get(i + 1).map_or(forest.nodes.len(), |next| next.root as usize);
            steps.clear();
            steps.resize(end - tree.root as usize, NOWHERE);
            let columns = lay_steps(forest, tree.root, &mut steps);
            explainer.base += mean(forest, tree.root, steps.len());
            match columns {
                0..=8 => explainer.by_4.push(forest, tree.root, &steps),
                9..=16 => explainer.by_8.push(forest, tree.root, &steps),
                17..=32 => explainer.by_16.push(forest, tree.root, &steps),
                _ => explainer.by_64.push(forest, tree.root, &steps),
            }
        }
        explainer
    }

    /// The mean score of the training rows.
    pub(super) const fn base(&self) -> f64 {
        self.base
    }

    /// Adds every column's contribution for `row`, a row of sides, to `out`.
    pub(super) fn add(&self, forest: &Forest, row: &[f64], out: &mut [f64]) {
        self.by_4.add(&forest.sets, row, out);
        self.by_8.add(&forest.sets, row, out);
        self.by_16.add(&forest.sets, row, out);
        self.by_64.add(&forest.sets, row, out);
    }
}

/// Fills in the steps of one tree, and gives the most different columns on a way.
fn lay_steps(forest: &Forest, root: u32, steps: &mut [Step]) -> usize {
    let mut columns = vec![0_usize; steps.len()];
    // The step that last led through each node's parent, so that a way can be followed up.
    let mut parents = vec![FIRST; steps.len()];
    for local in 0..steps.len() {
        let node = forest.nodes[root as usize + local];
        if node.child == root + local as u32 {
            continue;
        }
        let column = node.column() as u32;
        let before = asked_before(forest, root, &parents, local, column);
        let so_far = if before == FIRST { 1.0 } else { steps[before as usize].share };
        let both = forest.cover[node.child as usize] + forest.cover[node.child as usize + 1];
        for child in [node.child, node.child + 1] {
            let share = so_far * (forest.cover[child as usize] / both);
            let child = (child - root) as usize;
            steps[child] = Step { share, before };
            parents[child] = local as u32;
            columns[child] = columns[local] + usize::from(before == FIRST);
        }
    }
    columns.into_iter().max().unwrap_or(0)
}

/// The child under the nearest node above `local` that asks `column`, on the way to `local`.
fn asked_before(forest: &Forest, root: u32, parents: &[u32], local: usize, column: u32) -> u32 {
    let mut below = local as u32;
    while parents[below as usize] != FIRST {
        let parent = parents[below as usize];
        if forest.nodes[(root + parent) as usize].column() as u32 == column {
            return below;
        }
        below = parent;
    }
    FIRST
}

/// The mean of a tree's leaves, weighted by the training rows that reached them.
fn mean(forest: &Forest, root: u32, nodes: usize) -> f64 {
    let mut means = vec![0.0; nodes];
    for local in (0..nodes).rev() {
        let at = root as usize + local;
        let left = forest.nodes[at].child as usize;
        means[local] = if left == at {
            forest.leaf[at]
        } else {
            let (l, r) = (forest.cover[left], forest.cover[left + 1]);
            let left = left - root as usize;
            (l * means[left] + r * means[left + 1]) / (l + r)
        };
    }
    means[0]
}
