//! From trees to blocks of splits in runs.

use std::collections::BTreeSet;

use super::super::quadrature::Quadrature;
use super::steps::{Step, Steps};
use super::trees::{Again, Block, Questions, Run, Seat, TOGETHER, Trees};

/// Numbers of a block's walk, roughly: they should stay in the cache.
const MOST: usize = 3072;

/// Trees while they are laid out.
#[derive(Debug)]
pub(super) struct Laying<const N: usize> {
    rule: Quadrature<N>,
    blocks: Vec<Block<N>>,
    columns: BTreeSet<u32>,
    /// Splits of the trees that go into the next block, and how many trees that are.
    drafts: Vec<Draft>,
    roots: usize,
}

/// A split, named by its position among the drafts.
#[derive(Debug, Clone)]
struct Draft {
    asked: u32,
    threshold: f64,
    column: u32,
    depth: u32,
    reach: f64,
    children: [Child; 2],
    again: Option<Before>,
}

/// What a split leads to.
#[derive(Debug, Clone, Copy)]
struct Child {
    /// The split that it is, if it is one.
    split: Option<usize>,
    /// Its value times its reach, if it is a leaf.
    weighted: f64,
    value: f64,
    share: f64,
}

/// An earlier question for the same column.
#[derive(Debug, Clone, Copy)]
struct Before {
    split: usize,
    right: bool,
    share: f64,
}

impl<const N: usize> Laying<N> {
    pub(super) fn new() -> Self {
        let (blocks, columns, drafts) = (Vec::new(), BTreeSet::new(), Vec::new());
        Self { rule: Quadrature::new(), blocks, columns, drafts, roots: 0 }
    }

    /// Adds a tree, and to `sets` the sets that it asks for. One that is a leaf contributes nothing.
    pub(super) fn push(&mut self, tree: &Steps<'_>, sets: &mut Vec<(u32, u32)>) {
        let splits: Vec<usize> = (0..tree.steps.len()).filter(|at| tree.children(*at).is_some()).collect();
        if !self.drafts.is_empty() && (self.drafts.len() + splits.len()) * N > MOST {
            self.close();
        }
        self.roots += usize::from(!splits.is_empty());
        let mut numbers = vec![None; tree.steps.len()];
        splits.iter().zip(self.drafts.len()..).for_each(|(local, number)| numbers[*local] = Some(number));
        for local in splits {
            let Some(children) = tree.children(local) else { continue };
            let Step { depth, reach, .. } = tree.steps[local];
            let question = tree.node(local).question();
            let (asked, threshold) = ask(tree, local, sets);
            self.columns.insert(question.column);
            let again = tree.steps[children[0]].before.and_then(|before| {
                let Step { parent, share, .. } = tree.steps[before as usize];
                let right = tree.children(parent as usize)?[1] == before as usize;
                Some(Before { split: numbers[parent as usize]?, right, share })
            });
            let children = children.map(|child| {
                let value = tree.value(child);
                let Step { reach, share, .. } = tree.steps[child];
                Child { split: numbers[child], weighted: value * reach, value, share }
            });
            self.drafts.push(Draft {
                asked,
                threshold,
                column: question.column,
                depth,
                reach,
                children,
                again,
            });
        }
    }

    pub(super) fn finish(mut self) -> Trees<N> {
        self.close();
        // Columns are known by their position among those asked.
        let columns: Vec<u32> = self.columns.into_iter().collect();
        for seat in self.blocks.iter_mut().flat_map(|block| &mut block.seats) {
            seat.column = columns.binary_search(&seat.column).unwrap_or_default() as u32;
        }
        Trees { rule: self.rule, blocks: self.blocks, columns }
    }

    /// Makes a block of the drafts.
    fn close(&mut self) {
        let drafts = std::mem::take(&mut self.drafts);
        if drafts.is_empty() {
            return;
        }
        let runs = in_runs(&drafts);
        let inner: usize = drafts.iter().filter(|draft| draft.splits() > 0).count();
        let last = inner.next_multiple_of(TOGETHER);
        let mut positions = vec![0; drafts.len()];
        for (at, draft) in runs.iter().flatten().enumerate() {
            positions[*draft] = if at < inner { at } else { at - inner + last };
        }
        let mut block = Block::new(last, last + (drafts.len() - inner).next_multiple_of(TOGETHER));
        block.roots = std::mem::take(&mut self.roots);
        block.places = drafts.len();
        block.seat(&drafts, &runs, &positions);
        for draft in runs.iter().flatten() {
            block.place(&self.rule, &drafts, &positions, *draft);
        }
        self.blocks.push(block);
    }
}

/// The splits in runs of one kind, none above one of an earlier run, those above two leaves last. Of the kinds that could
/// come next, the one comes that has most splits, so that runs are few and long.
fn in_runs(drafts: &[Draft]) -> Vec<Vec<usize>> {
    let mut ready: [Vec<usize>; 4] = Default::default();
    let mut last: [Vec<usize>; 2] = Default::default();
    let mut put = |ready: &mut [Vec<usize>; 4], at: usize| {
        let (again, splits) = (usize::from(drafts[at].again.is_some()), drafts[at].splits());
        if splits == 0 { last[again].push(at) } else { ready[2 * again + splits - 1].push(at) }
    };
    for root in (0..drafts.len()).filter(|at| drafts[*at].depth == 0) {
        put(&mut ready, root);
    }
    let mut runs = Vec::new();
    while let Some(most) =
        (0..ready.len()).max_by_key(|kind| ready[*kind].len()).filter(|kind| !ready[*kind].is_empty())
    {
        let run = std::mem::take(&mut ready[most]);
        for child in run.iter().flat_map(|at| drafts[*at].children).filter_map(|child| child.split) {
            put(&mut ready, child);
        }
        runs.push(run);
    }
    runs.extend(last);
    runs.retain(|run| !run.is_empty());
    runs
}

/// What a split asks for: a side of a column and a threshold, or a set, noted among the sets, whose answer is an infinity.
fn ask(tree: &Steps<'_>, local: usize, sets: &mut Vec<(u32, u32)>) -> (u32, f64) {
    let node = tree.node(local);
    let side = node.side::<true>() as u32;
    if !node.is_categorical() {
        return (side, node.threshold);
    }
    sets.push((side, node.threshold as u32));
    (2 * tree.width() + sets.len() as u32 - 1, 0.0)
}

impl Draft {
    /// How many children are splits.
    fn splits(&self) -> usize {
        self.children.iter().filter(|child| child.split.is_some()).count()
    }

    /// True when the right child counts as the first, since it alone is a split.
    fn swapped(&self) -> bool {
        self.children[0].split.is_none() && self.children[1].split.is_some()
    }
}

impl<const N: usize> Block<N> {
    /// With splits from `last` on that have no splits below, `len` positions in all; those that are not filled ask nothing.
    fn new(last: usize, len: usize) -> Self {
        Self {
            roots: 0,
            places: 0,
            runs: Vec::new(),
            last,
            questions: vec![Questions::default(); len / TOGETHER],
            seats: vec![Seat::default(); len],
            again: Vec::new(),
        }
    }

    /// Gives every split its place, and collects the runs.
    fn seat(&mut self, drafts: &[Draft], runs: &[Vec<usize>], positions: &[usize]) {
        // Roots in the order of their trees, then the children of each split in theirs.
        let roots = drafts.iter().enumerate().filter(|(_, draft)| draft.depth == 0).map(|(at, _)| at);
        let mut seated: Vec<usize> = roots.collect();
        let mut agains = 0;
        for run in runs {
            let (from, draft) = (positions[run[0]], &drafts[run[0]]);
            let again = draft.again.map(|_| agains);
            let splits = from..from + run.len();
            self.runs.push(Run { splits, children: draft.splits(), first_child: seated.len(), again });
            agains += if again.is_some() { run.len() } else { 0 };
            seated.extend(run.iter().flat_map(|at| drafts[*at].children).filter_map(|child| child.split));
        }
        for (place, draft) in seated.into_iter().enumerate() {
            let column = drafts[draft].column;
            self.seats[positions[draft]] = Seat { place: place as u32, column, leaves: 0.0 };
        }
    }

    /// Fills in the numbers of a split.
    fn place(&mut self, rule: &Quadrature<N>, drafts: &[Draft], positions: &[usize], at: usize) {
        let (draft, position) = (&drafts[at], positions[at]);
        let (questions, bit) = (&mut self.questions[position / TOGETHER], position % TOGETHER);
        let [mut first, mut other] = draft.children;
        if draft.swapped() {
            (first, other) = (other, first);
            questions.swapped |= 1 << bit;
        }
        questions.asked[bit] = draft.asked;
        questions.thresholds[bit] = draft.threshold;
        let so_far = draft.again.map_or(1.0, |before| before.share);
        // q of the column relative to q so far.
        let opened = |child: Child| so_far / child.share;
        let leaf = |child: Child| child.value * draft.reach;
        let both: f64 = first.weighted + other.weighted;
        let go = match (draft.splits(), draft.again) {
            (0, None) => (leaf(first) - both, leaf(other) - both),
            (0, Some(_)) => (leaf(first), leaf(other)),
            (1, _) => (opened(first), leaf(other)),
            _ => (opened(first), opened(other)),
        };
        let flat = questions.go.as_flattened_mut();
        let (at, next) = if draft.splits() > 0 { (2 * bit, 2 * bit + 1) } else { (bit, TOGETHER + bit) };
        (flat[at], flat[next]) = go;
        self.seats[position].leaves = both;
        if let Some(before) = draft.again {
            let second = before.right != drafts[before.split].swapped();
            let share = before.share;
            self.again.push(Again {
                before: (2 * positions[before.split] + usize::from(second)) as u32,
                inverse: rule.points.map(|t| 1.0 / ((1.0 - t) + t / share)),
            });
        }
    }
}
