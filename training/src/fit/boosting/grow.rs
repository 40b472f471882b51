//! Growing one tree, best leaf first.

use rayon::prelude::*;

use super::bins::Binned;
use super::histogram::GroupHistograms;
use super::params::BoostingParams;
use super::split::{LeafState, Search, Split, Sums};
use super::tree::{Node, Side, SplitRule, Tree, leaf_child};

/// Row-feature pairs below which starting threads costs more than it saves.
const WORTH_THREADS: usize = 1 << 14;
/// Rows from which a leaf is cut in parallel, and rows that one thread cuts at a time.
const PARTITION: usize = 1 << 14;

/// Grows trees over one binned matrix, keeping its buffers from tree to tree.
pub(super) struct Grower<'a> {
    binned: &'a Binned,
    params: &'a BoostingParams,
    histograms: Vec<GroupHistograms<'a>>,
    /// The rows being grown on, those of a leaf side by side, each leaf's ascending.
    order: Vec<u32>,
    spare: Vec<u32>,
}

struct Leaf {
    from: usize,
    to: usize,
    state: LeafState,
    depth: usize,
    slot: usize,
    value: f64,
    best: Option<Split>,
    /// The node above and the side it hangs on.
    parent: Option<(usize, Side)>,
}

impl Leaf {
    fn rows(&self) -> usize {
        self.to - self.from
    }
}

/// A grown tree with the rows of each leaf.
pub(super) struct Grown<'a> {
    pub tree: Tree,
    /// Rows of leaf i, in the order of leaves.
    pub rows: Vec<&'a [u32]>,
}

impl<'a> Grower<'a> {
    pub fn new(binned: &'a Binned, params: &'a BoostingParams) -> Self {
        Self { binned, params, histograms: GroupHistograms::of(binned), order: Vec::new(), spare: Vec::new() }
    }

    /// Grows a tree on `rows` (ascending) with the features that take part.
    pub fn grow(&mut self, rows: &[u32], gradients: &[[f32; 2]], takes_part: &[bool]) -> Grown<'_> {
        self.order.clear();
        self.order.extend_from_slice(rows);
        self.histograms.iter_mut().for_each(|group| group.choose(takes_part));
        let mut leaves = vec![self.root(gradients)];
        let mut nodes: Vec<Node> = Vec::new();
        while leaves.len() < self.params.leaves {
            let Some((at, split)) = most_gain(&leaves) else { break };
            let (left, right) = self.cut(&leaves[at], &split, nodes.len());
            let parent = leaves[at].parent;
            nodes.push(self.node(&split, at, leaves.len()));
            if let Some((above, side)) = parent {
                let child = (nodes.len() - 1) as i32;
                match side {
                    Side::Left => nodes[above].left = child,
                    Side::Right => nodes[above].right = child,
                }
            }
            let last = leaves.len() + 2 > self.params.leaves;
            leaves[at] = left;
            leaves.push(right);
            if !last {
                let new = leaves.len() - 1;
                let (low, high) = leaves.split_at_mut(new);
                self.examine(&mut low[at], &mut high[0], gradients);
            }
        }
        self.finish(leaves, nodes)
    }

    fn root(&mut self, gradients: &[[f32; 2]]) -> Leaf {
        let mut sums = Sums::default();
        for row in &self.order {
            let [gradient, hessian] = gradients[*row as usize];
            sums.gradient += f64::from(gradient);
            sums.hessian += f64::from(hessian);
        }
        let rows = self.order.len();
        let state = LeafState { sums, rows, bounds: [f64::NEG_INFINITY, f64::INFINITY] };
        let value = -sums.gradient / (sums.hessian + self.params.l2).max(1e-300);
        let mut root = Leaf { from: 0, to: rows, state, depth: 0, slot: 0, value, best: None, parent: None };
        if Search::possible(self.params, &state) {
            let order = &self.order;
            let found = each_group(&mut self.histograms, rows * self.binned.features(), |group| {
                group.build(0, order, gradients);
                best_of(self.binned, self.params, group, 0, state)
            });
            root.best = found.into_iter().fold(None, better);
        }
        root
    }

    fn node(&self, split: &Split, left: usize, right: usize) -> Node {
        Node {
            feature: split.feature,
            rule: SplitRule::of(self.binned, split.feature, split.cut),
            missing: split.missing,
            left: leaf_child(left),
            right: leaf_child(right),
            gain: split.gain,
            cut: split.cut,
        }
    }

    /// Puts the rows of a leaf on their sides and makes the two new leaves; the smaller gets a new slot.
    fn cut(&mut self, leaf: &Leaf, split: &Split, node: usize) -> (Leaf, Leaf) {
        let middle = leaf.from + self.partition(leaf.from, leaf.to, split);
        let [low, high] = leaf.state.bounds;
        let (mut left_bounds, mut right_bounds) = ([low, high], [low, high]);
        let between = (split.left_value + split.right_value) / 2.0;
        match self.params.monotone.get(split.feature) {
            Some(1) => (left_bounds[1], right_bounds[0]) = (between, between),
            Some(-1) => (left_bounds[0], right_bounds[1]) = (between, between),
            _ => {}
        }
        let child = |from: usize, to: usize, sums, bounds, value, side| Leaf {
            from,
            to,
            state: LeafState { sums, rows: to - from, bounds },
            depth: leaf.depth + 1,
            slot: leaf.slot,
            value,
            best: None,
            parent: Some((node, side)),
        };
        let mut left = child(leaf.from, middle, split.left, left_bounds, split.left_value, Side::Left);
        let mut right = child(middle, leaf.to, split.right, right_bounds, split.right_value, Side::Right);
        // Node k is the k-th split, and every split adds one slot.
        let smaller = if left.rows() <= right.rows() { &mut left } else { &mut right };
        smaller.slot = node + 1;
        (left, right)
    }

    /// Moves rows that go left to the front, both sides keeping their order; returns how many go left.
    fn partition(&mut self, from: usize, to: usize, split: &Split) -> usize {
        let (group, lane) = self.binned.place[split.feature];
        let codes = &self.binned.groups[group].codes;
        let left: [bool; 256] =
            std::array::from_fn(|bin| split.cut.side(bin as u8, split.missing) == Side::Left);
        let goes_left = |row: u32| left[codes[row as usize][lane] as usize];
        let rows = &mut self.order[from..to];
        if self.spare.len() < rows.len() {
            self.spare.resize(rows.len(), 0);
        }
        let spare = &mut self.spare[..rows.len()];
        if rows.len() <= PARTITION {
            let kept = cut_in_two(rows, spare, goes_left);
            rows[kept..].copy_from_slice(&spare[..to - from - kept]);
            return kept;
        }
        let parts = rows.par_chunks_mut(PARTITION).zip(spare.par_chunks_mut(PARTITION));
        let kept: Vec<usize> = parts.map(|(rows, spare)| cut_in_two(rows, spare, goes_left)).collect();
        let mut at = 0;
        for (part, kept) in kept.iter().enumerate() {
            rows.copy_within(part * PARTITION..part * PARTITION + kept, at);
            at += kept;
        }
        let all = at;
        for (spare, kept) in spare.chunks(PARTITION).zip(kept) {
            let gone = &spare[..spare.len() - kept];
            rows[at..at + gone.len()].copy_from_slice(gone);
            at += gone.len();
        }
        all
    }

    /// Finds the best splits of two sibling leaves: the smaller is added up, the larger is what remains.
    fn examine(&mut self, left: &mut Leaf, right: &mut Leaf, gradients: &[[f32; 2]]) {
        let params = self.params;
        let deep = params.max_depth > 0 && left.depth >= params.max_depth;
        let open = |leaf: &Leaf| !deep && Search::possible(params, &leaf.state);
        let (search_left, search_right) = (open(left), open(right));
        if !search_left && !search_right {
            return;
        }
        let (small, large) = if left.rows() <= right.rows() { (&*left, &*right) } else { (&*right, &*left) };
        let rows = &self.order[small.from..small.to];
        let (small, large) = (small.slot, large.slot);
        let (left_slot, right_slot) = (left.slot, right.slot);
        let work = rows.len() * self.binned.features();
        let found = each_group(&mut self.histograms, work, |group| {
            group.build(small, rows, gradients);
            group.subtract(large, small);
            let best = |wanted: bool, slot, state| {
                if wanted { best_of(self.binned, params, group, slot, state) } else { None }
            };
            (best(search_left, left_slot, left.state), best(search_right, right_slot, right.state))
        });
        for (of_left, of_right) in found {
            left.best = better(left.best.take(), of_left);
            right.best = better(right.best.take(), of_right);
        }
    }

    fn finish(&self, leaves: Vec<Leaf>, nodes: Vec<Node>) -> Grown<'_> {
        let values = leaves.iter().map(|leaf| leaf.value * self.params.learning_rate).collect();
        let cover = leaves.iter().map(Leaf::rows).collect();
        let rows = leaves.iter().map(|leaf| &self.order[leaf.from..leaf.to]).collect();
        Grown { tree: Tree { nodes, values, cover }, rows }
    }
}

/// Moves what goes left to the front of `rows` and puts the others at the front of `spare`, both in order; returns how
/// many go left. Every row is written to both sides and only the ends move on, so that nothing hangs on a guess.
fn cut_in_two(rows: &mut [u32], spare: &mut [u32], goes_left: impl Fn(u32) -> bool) -> usize {
    let mut kept = 0;
    for at in 0..rows.len() {
        let row = rows[at];
        let left = usize::from(goes_left(row));
        rows[kept] = row;
        spare[at - kept] = row;
        kept += left;
    }
    kept
}

/// Runs `work` on every group, in threads when there is enough to do; results come in group order.
fn each_group<'h, T: Send>(
    groups: &mut [GroupHistograms<'h>],
    pairs: usize,
    work: impl Fn(&mut GroupHistograms<'h>) -> T + Send + Sync,
) -> Vec<T> {
    if pairs < WORTH_THREADS || groups.len() < 2 {
        return groups.iter_mut().map(work).collect();
    }
    groups.par_iter_mut().with_max_len(1).map(work).collect()
}

fn best_of(
    binned: &Binned,
    params: &BoostingParams,
    group: &GroupHistograms<'_>,
    slot: usize,
    state: LeafState,
) -> Option<Split> {
    let search = Search::new(params, state);
    let mut best = None;
    for (feature, cells) in group.features(slot) {
        let found = if binned.is_number(feature) {
            search.number(feature, cells)
        } else {
            search.category(feature, cells)
        };
        best = better(best, found);
    }
    best
}

/// The split with more gain; the first of equals. Splits that gain nothing do not count.
fn better(a: Option<Split>, b: Option<Split>) -> Option<Split> {
    let least = 1e-12;
    match (a, b) {
        (a, Some(b)) if b.gain.is_nan() || b.gain <= least => a,
        (Some(a), Some(b)) => Some(if b.gain > a.gain { b } else { a }),
        (a, b) => a.or(b),
    }
}

fn most_gain(leaves: &[Leaf]) -> Option<(usize, Split)> {
    let mut best: Option<(usize, Split)> = None;
    for (at, leaf) in leaves.iter().enumerate() {
        if let Some(split) = leaf.best
            && best.is_none_or(|(_, other)| split.gain > other.gain)
        {
            best = Some((at, split));
        }
    }
    best
}
