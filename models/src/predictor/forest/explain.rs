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
//! `TreeSHAP`", 2022). A row costs a few multiplications per node and point, where the recursion of the paper costs
//! the square of the depth per leaf.

use super::Forest;
use super::node::Node;
use super::quadrature::Quadrature;

/// What contributions need to know of a forest.
#[derive(Debug, Clone)]
pub(super) struct Explainer {
    /// For every node but roots: the step that leads to it.
    steps: Vec<Step>,
    trees: Vec<Span>,
    /// Nodes of the largest tree.
    largest: usize,
    /// The mean score of the training rows.
    base: f64,
}

/// A step from a node to a child.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// z of the column asked, over all its questions on the way so far.
    share: f64,
    /// The column asked.
    column: u32,
    /// The node, within its tree, that the last step before that asked this column led to; `FIRST` if none did.
    before: u32,
}

const FIRST: u32 = u32::MAX;
const NOWHERE: Step = Step { share: 1.0, column: 0, before: FIRST };

/// A tree's nodes.
#[derive(Debug, Clone, Copy)]
struct Span {
    root: u32,
    nodes: u32,
    /// Quadrature points that its longest way needs, rounded up to one of [`POINTS`].
    points: usize,
}

/// Numbers of points there is code for; the last is enough for the 128 columns that a way may ask.
const POINTS: [usize; 7] = [2, 3, 4, 6, 8, 16, 64];

impl Explainer {
    pub(super) fn new(forest: &Forest) -> Self {
        let mut steps = vec![NOWHERE; forest.nodes.len()];
        let mut explainer = Self { steps: Vec::new(), trees: Vec::new(), largest: 0, base: forest.base };
        for (i, tree) in forest.trees.iter().enumerate() {
            let end = forest.trees.get(i + 1).map_or(forest.nodes.len(), |next| next.root as usize);
            let nodes = tree.root as usize..end;
            let columns = lay_steps(forest, tree.root, &mut steps[nodes.clone()]);
            explainer.base += mean(forest, tree.root, nodes.len());
            explainer.largest = explainer.largest.max(nodes.len());
            let points = POINTS.into_iter().find(|points| 2 * points >= columns).unwrap_or(64);
            explainer.trees.push(Span { root: tree.root, nodes: nodes.len() as u32, points });
        }
        explainer.steps = steps;
        // Trees with the same number of points stand together and are walked with the same code.
        explainer.trees.sort_by_key(|tree| tree.points);
        explainer
    }

    /// The mean score of the training rows.
    pub(super) const fn base(&self) -> f64 {
        self.base
    }

    /// Adds every column's contribution for `row`, a row of sides, to `out`.
    pub(super) fn add(&self, forest: &Forest, row: &[f64], out: &mut [f64]) {
        for trees in self.trees.chunk_by(|l, r| l.points == r.points) {
            match trees[0].points {
                2 => self.add_with::<2>(trees, forest, row, out),
                3 => self.add_with::<3>(trees, forest, row, out),
                4 => self.add_with::<4>(trees, forest, row, out),
                6 => self.add_with::<6>(trees, forest, row, out),
                8 => self.add_with::<8>(trees, forest, row, out),
                16 => self.add_with::<16>(trees, forest, row, out),
                _ => self.add_with::<64>(trees, forest, row, out),
            }
        }
    }

    fn add_with<const N: usize>(&self, trees: &[Span], forest: &Forest, row: &[f64], out: &mut [f64]) {
        let mut walk = Walk::<N>::new(forest, row, self.largest);
        for tree in trees {
            let steps = &self.steps[tree.root as usize..][..tree.nodes as usize];
            if forest.sets.ends.is_empty() {
                walk.down::<false>(tree.root, steps);
            } else {
                walk.down::<true>(tree.root, steps);
            }
            walk.up(tree.root, steps, out);
        }
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
            steps[child] = Step { share, column, before };
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

/// One row's walk through one tree after the other.
struct Walk<'a, const N: usize> {
    forest: &'a Forest,
    row: &'a [f64],
    rule: Quadrature<N>,
    /// For every node: Π f(j, t) over the columns j on the way to it, at each point t.
    above: Vec<[f64; N]>,
    /// For every node: the sum over the leaves below of weight · value · Π f(j, t) over the columns on the way from
    /// the node to the leaf.
    below: Vec<[f64; N]>,
    /// For every node: o of the column that led to it, over all its questions on the way.
    open: Vec<f64>,
}

impl<'a, const N: usize> Walk<'a, N> {
    fn new(forest: &'a Forest, row: &'a [f64], largest: usize) -> Self {
        let empty = || vec![[0.0; N]; largest];
        let rule = Quadrature::new();
        Self { forest, row, rule, above: empty(), below: empty(), open: vec![0.0; largest] }
    }

    /// f at each point for a column that is `open` and lets `share` of the training rows through.
    #[inline]
    fn factor(&self, open: f64, share: f64) -> [f64; N] {
        self.rule.points.map(|t| t * open + (1.0 - t) * share)
    }

    /// Fills in `above` and `open`: parents stand before their children, so one pass does.
    fn down<const SETS: bool>(&mut self, root: u32, steps: &[Step]) {
        self.above[0] = [1.0; N];
        for local in 0..steps.len() {
            let at = root + local as u32;
            let Node { child, .. } = self.forest.nodes[at as usize];
            if child == at {
                continue;
            }
            let taken = self.forest.step::<SETS>(at, self.row);
            for child in [child, child + 1] {
                let follows = f64::from(u8::from(child == taken));
                let child = (child - root) as usize;
                let step = steps[child];
                let mut above = self.above[local];
                let open = if step.before == FIRST { 1.0 } else { self.open[step.before as usize] };
                if step.before != FIRST {
                    let before = self.factor(open, steps[step.before as usize].share);
                    above.iter_mut().zip(before).for_each(|(product, f)| *product /= f);
                }
                let factor = self.factor(open * follows, step.share);
                above.iter_mut().zip(factor).for_each(|(product, f)| *product *= f);
                self.above[child] = above;
                self.open[child] = open * follows;
            }
        }
    }

    /// Fills in `below` from the last node to the first and adds what each step contributes.
    fn up(&mut self, root: u32, steps: &[Step], out: &mut [f64]) {
        for local in (0..steps.len()).rev() {
            let at = root as usize + local;
            let child = self.forest.nodes[at].child;
            if child as usize == at {
                let value = self.forest.leaf[at];
                self.below[local] = self.rule.weights.map(|weight| weight * value);
                continue;
            }
            let left = (child - root) as usize;
            let column = steps[left].column as usize;
            let mut below = [0.0; N];
            for child in [left, left + 1] {
                out[column] += self.add_step(local, child, steps, &mut below);
            }
            self.below[local] = below;
        }
    }

    /// Adds what lies below `child` to its parent's `below`, and gives the contribution of the step between.
    ///
    /// A column asked again replaces its earlier step for the leaves below: what that one will give for them is
    /// taken off here.
    #[inline]
    fn add_step(&self, parent: usize, child: usize, steps: &[Step], below: &mut [f64; N]) -> f64 {
        let step = steps[child];
        let open = self.open[child];
        let factor = self.factor(open, step.share);
        let (above, under) = (&self.above[parent], &self.below[child]);
        let mut sum = 0.0;
        if step.before == FIRST {
            for k in 0..N {
                sum += above[k] * under[k];
                below[k] += factor[k] * under[k];
            }
            return sum * (open - step.share);
        }
        let before = steps[step.before as usize];
        let open_before = self.open[step.before as usize];
        let factor_before = self.factor(open_before, before.share);
        let (now, then) = (open - step.share, open_before - before.share);
        for k in 0..N {
            let ratio = factor[k] / factor_before[k];
            sum += above[k] / factor_before[k] * under[k] * (now - then * ratio);
            below[k] += ratio * under[k];
        }
        sum
    }
}
