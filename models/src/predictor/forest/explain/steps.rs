//! What contributions have to know of every node of a tree: the steps that lead to it.

use super::super::Forest;
use super::super::node::Node;

/// A node that fewer of the training rows reached counts as reached by this share, so that one over it is a number.
const LEAST: f64 = 1e-200;

/// One tree's nodes, each with the step from its parent.
#[derive(Debug)]
pub(super) struct Steps<'f> {
    forest: &'f Forest,
    /// The root's position in the forest.
    root: usize,
    /// By a node's position in its tree.
    pub(super) steps: Vec<Step>,
    /// The most different columns on a way.
    pub(super) columns: usize,
    /// The mean of the leaves, weighted by the training rows that reached them.
    pub(super) mean: f64,
}

/// A step from a node to a child.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// The node above, within the tree; the root's is itself.
    pub(super) parent: u32,
    /// The share of the training rows that reached the child.
    pub(super) reach: f64,
    /// z of the column asked, over all its questions on the way so far.
    pub(super) share: f64,
    /// The node, within the tree, that the last step before that asked this column led to.
    pub(super) before: Option<u32>,
    /// Steps so far.
    pub(super) depth: u32,
    /// Different columns asked so far.
    columns: usize,
}

impl<'f> Steps<'f> {
    /// The steps of the forest's tree number `tree`.
    pub(super) fn of(forest: &'f Forest, tree: usize) -> Self {
        let root = forest.trees[tree].root as usize;
        let end = forest.trees.get(tree + 1).map_or(forest.nodes.len(), |next| next.root as usize);
        let nowhere = Step { parent: 0, reach: 1.0, share: 1.0, before: None, depth: 0, columns: 0 };
        let mut tree = Self { forest, root, steps: vec![nowhere; end - root], columns: 0, mean: 0.0 };
        for local in 0..tree.steps.len() {
            if let Some(children) = tree.children(local) {
                let before = tree.asked_before(local);
                for (child, other) in [(0, 1), (1, 0)].map(|(i, j)| (children[i], children[j])) {
                    let (child_cover, other_cover) = (tree.cover(child), tree.cover(other));
                    let passed = child_cover / (child_cover + other_cover);
                    tree.steps[child] = tree.step(local, passed, before);
                }
            } else {
                tree.columns = tree.columns.max(tree.steps[local].columns);
            }
        }
        tree.mean = tree.mean();
        tree
    }

    /// How many columns the forest's rows have.
    pub(super) fn width(&self) -> u32 {
        self.forest.width as u32
    }

    pub(super) fn node(&self, local: usize) -> Node {
        self.forest.nodes[self.root + local]
    }

    /// The children of a split, within the tree; none for a leaf.
    pub(super) fn children(&self, local: usize) -> Option<[usize; 2]> {
        let left = self.node(local).child as usize - self.root;
        (left != local).then_some([left, left + 1])
    }

    /// The value of a leaf.
    pub(super) fn value(&self, local: usize) -> f64 {
        self.forest.leaf[self.root + local]
    }

    /// Weight of the training rows that passed a node.
    fn cover(&self, local: usize) -> f64 {
        self.forest.cover[self.root + local]
    }

    /// The step from a split whose own step is known, to a child that this share of the split's training rows passed to.
    fn step(&self, parent: usize, passed: f64, before: Option<u32>) -> Step {
        let from = self.steps[parent];
        let passed = passed.max(LEAST / from.reach);
        Step {
            parent: parent as u32,
            reach: from.reach * passed,
            share: before.map_or(1.0, |before| self.steps[before as usize].share) * passed,
            before,
            depth: from.depth + 1,
            columns: from.columns + usize::from(before.is_none()),
        }
    }

    /// The child under the nearest split above `local` that asks the same column, on the way to `local`.
    fn asked_before(&self, local: usize) -> Option<u32> {
        let column = self.node(local).column();
        let mut below = local;
        while below != 0 {
            let parent = self.steps[below].parent as usize;
            if self.node(parent).column() == column {
                return Some(below as u32);
            }
            below = parent;
        }
        None
    }

    fn mean(&self) -> f64 {
        let mut means = vec![0.0; self.steps.len()];
        for local in (0..means.len()).rev() {
            means[local] = match self.children(local) {
                None => self.value(local),
                Some([left, right]) => {
                    let (l, r) = (self.cover(left), self.cover(right));
                    (l * means[left] + r * means[right]) / (l + r)
                }
            };
        }
        means[0]
    }
}
