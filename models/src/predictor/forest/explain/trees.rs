//! Trees laid out for contributions, and the two passes over them.
//!
//! Only splits are kept, parents before their children; a leaf is a number of the split above it. The passes go over all
//! points at once and have no branch that depends on the row or on where a leaf stands: a processor guesses half of those
//! wrong, and a wrong guess costs as much as the split.

use fearless_simd::{Level, dispatch};

use super::super::Forest;
use super::super::node::{CodeSets, Node};
use super::super::quadrature::Quadrature;
use super::{FIRST, Step};

/// Some trees, with the points that their contributions are integrated by.
#[derive(Debug, Clone)]
pub(super) struct Trees<const N: usize> {
    rule: Quadrature<N>,
    splits: Vec<Split>,
    /// Where each tree's splits end.
    ends: Vec<usize>,
    again: Vec<Again<N>>,
    /// Splits of the largest tree.
    largest: usize,
}

/// A split: 64 bytes, one line of the cache.
#[derive(Debug, Clone, Copy)]
struct Split {
    /// What it asks.
    node: Node,
    /// z of its column on either side, over all questions on the way so far.
    share: [f64; 2],
    /// The value of a leaf on either side, else 0.
    leaf: [f64; 2],
    /// The split on either side, within its tree; one past the last for a leaf.
    child: [u32; 2],
    /// The split above and the side that this one is on, as its lowest bit.
    from: u32,
    /// Where it stands in `again`, if its column was asked on the way before; else `FIRST`.
    again: u32,
}

/// A column that was asked before on the way.
#[derive(Debug, Clone, Copy)]
struct Again<const N: usize> {
    /// The split that its last question led to, within its tree.
    before: u32,
    /// z of the column up to there.
    share: f64,
    /// One over f of the column up to there, at each point: if the row does not follow, and if it does.
    inverse: [[f64; N]; 2],
}

/// What one row's walk fills.
struct Walk<const N: usize> {
    /// For every split: weight · Π f(j, t) over the columns j on the way to it, at each point t.
    above: Vec<[f64; N]>,
    /// For every split: the sum over the leaves below of value · Π f(j, t) over the columns on the way from there to the
    /// leaf. One past the last stays 0, for leaves.
    below: Vec<[f64; N]>,
    /// For every split: 1 if the row follows the column that led to it, over all its questions on the way.
    open: Vec<u8>,
    /// For every split: 1 if the row goes right.
    right: Vec<u8>,
    /// Contributions of the columns, point by point.
    sums: Vec<[f64; N]>,
}

impl<const N: usize> Trees<N> {
    pub(super) fn new() -> Self {
        let (splits, ends, again) = (Vec::new(), Vec::new(), Vec::new());
        Self { rule: Quadrature::new(), splits, ends, again, largest: 0 }
    }

    /// Adds the tree at `root`, whose steps are laid out. One that is a leaf contributes nothing.
    pub(super) fn push(&mut self, forest: &Forest, root: u32, steps: &[Step]) {
        let node = |local: usize| forest.nodes[root as usize + local];
        let splits: Vec<usize> =
            (0..steps.len()).filter(|local| node(*local).child != root + *local as u32).collect();
        let mut numbers = vec![splits.len() as u32; steps.len()];
        splits.iter().zip(0..).for_each(|(local, number)| numbers[*local] = number);
        let mut from = vec![0; splits.len() + 1];
        for (local, number) in splits.iter().zip(0..) {
            let node = node(*local);
            let left = (node.child - root) as usize;
            let [child, other] = [numbers[left], numbers[left + 1]];
            from[child as usize] = number * 2;
            from[other as usize] = number * 2 + 1;
            let again = self.note_again(steps[left].before, &numbers, steps);
            self.splits.push(Split {
                node,
                share: [steps[left].share, steps[left + 1].share],
                leaf: [forest.leaf[node.child as usize], forest.leaf[node.child as usize + 1]],
                child: [child, other],
                from: from[number as usize],
                again,
            });
        }
        self.largest = self.largest.max(splits.len());
        self.ends.push(self.splits.len());
    }

    fn note_again(&mut self, before: u32, numbers: &[u32], steps: &[Step]) -> u32 {
        if before == FIRST {
            return FIRST;
        }
        let share = steps[before as usize].share;
        let closed = self.rule.points.map(|t| 1.0 / ((1.0 - t) * share));
        let open = self.rule.points.map(|t| 1.0 / (t + (1.0 - t) * share));
        self.again.push(Again { before: numbers[before as usize], share, inverse: [closed, open] });
        self.again.len() as u32 - 1
    }

    /// Adds every column's contribution for `row`, a row of sides, to `out`.
    pub(super) fn add(&self, sets: &CodeSets, row: &[f64], out: &mut [f64]) {
        if self.splits.is_empty() {
            return;
        }
        let mut walk = Walk {
            above: vec![[0.0; N]; self.largest],
            below: vec![[0.0; N]; self.largest + 1],
            open: vec![0; self.largest],
            right: vec![0; self.largest],
            sums: vec![[0.0; N]; out.len()],
        };
        if sets.ends.is_empty() {
            dispatch!(Level::new(), _simd => walk_all::<N, false>(self, sets, row, &mut walk));
        } else {
            dispatch!(Level::new(), _simd => walk_all::<N, true>(self, sets, row, &mut walk));
        }
        for (out, sums) in out.iter_mut().zip(&walk.sums) {
            *out += sums.iter().sum::<f64>();
        }
    }
}

#[inline(always)]
fn walk_all<const N: usize, const SETS: bool>(
    trees: &Trees<N>,
    sets: &CodeSets,
    row: &[f64],
    walk: &mut Walk<N>,
) {
    let mut start = 0;
    for end in &trees.ends {
        let splits = &trees.splits[start..*end];
        start = *end;
        for (split, right) in splits.iter().zip(&mut walk.right) {
            *right = u8::from(split.node.goes_right::<SETS>(sets, row[split.node.side::<SETS>()]));
        }
        walk.down(trees, splits);
        walk.up(trees, splits);
    }
}

impl<const N: usize> Walk<N> {
    /// Fills in `above` and `open`.
    #[inline(always)]
    fn down(&mut self, trees: &Trees<N>, splits: &[Split]) {
        let Self { above, open, right, .. } = self;
        if splits.is_empty() {
            return;
        }
        let t = trees.rule.points;
        above[0] = trees.rule.weights;
        for at in 1..splits.len() {
            let (parent, side) = ((splits[at].from / 2) as usize, splits[at].from & 1);
            let split = &splits[parent];
            let share = split.share[side as usize];
            let mut product = above[parent];
            let mut follows = u8::from(u32::from(right[parent]) == side);
            if split.again != FIRST {
                let again = &trees.again[split.again as usize];
                let before = open[again.before as usize] & 1;
                follows &= before;
                let inverse = again.inverse[usize::from(before)];
                product.iter_mut().zip(inverse).for_each(|(product, inverse)| *product *= inverse);
            }
            let follow = f64::from(follows);
            for k in 0..N {
                product[k] *= t[k] * follow + (1.0 - t[k]) * share;
            }
            above[at] = product;
            open[at] = follows;
        }
    }

    /// Fills in `below` from the last split to the first, and adds what each contributes.
    ///
    /// With u the sums below either side, z their shares and m = Σ z·u: the factors f give t·u(taken) + (1-t)·m below
    /// the split, and its column, o being 1 on the side taken, Σ (o - z)·u = u(taken) - m.
    #[inline(always)]
    fn up(&mut self, trees: &Trees<N>, splits: &[Split]) {
        let Self { above, below, open, right, sums } = self;
        let t = trees.rule.points;
        below[splits.len()] = [0.0; N];
        for (at, split) in splits.iter().enumerate().rev() {
            let taken = usize::from(right[at] & 1);
            let other = 1 - taken;
            let (here, there) = (below[split.child[taken] as usize], below[split.child[other] as usize]);
            let (leaf_here, leaf_there) = (split.leaf[taken], split.leaf[other]);
            let (share_here, share_there) = (split.share[taken], split.share[other]);
            let above = above[at];
            let mut sum = sums[split.node.column()];
            let mut total = [0.0; N];
            if split.again == FIRST {
                for k in 0..N {
                    let (here, there) = (here[k] + leaf_here, there[k] + leaf_there);
                    let mixed = share_here * here + share_there * there;
                    let apart = here - mixed;
                    sum[k] += above[k] * apart;
                    total[k] = mixed + t[k] * apart;
                }
            } else {
                // The new factor stands in place of the earlier one, whose own contribution for what lies below is
                // taken off here.
                let again = &trees.again[split.again as usize];
                let before = open[again.before as usize] & 1;
                let inverse = &again.inverse[usize::from(before)];
                let before = f64::from(before);
                for k in 0..N {
                    let (here, there) = (here[k] + leaf_here, there[k] + leaf_there);
                    let mixed = share_here * here + share_there * there;
                    let apart = before * here - mixed;
                    total[k] = (t[k] * (before * here) + (1.0 - t[k]) * mixed) * inverse[k];
                    sum[k] += above[k] * inverse[k] * (apart - (before - again.share) * total[k]);
                }
            }
            below[at] = total;
            sums[split.node.column()] = sum;
        }
    }
}
