//! From trees to blocks of splits in runs.

use std::collections::BTreeSet;

use super::super::quadrature::Quadrature;
use super::draft::{Child, Draft, in_runs};
use super::steps::Steps;
use super::trees::{Again, Block, Questions, Run, Seat, TOGETHER, Trees};

/// Numbers of a block's walk, roughly: they should stay in the cache.
const MOST: usize = 3072;

/// Trees while they are laid out.
#[derive(Debug)]
pub(super) struct Laying<const N: usize> {
    rule: Quadrature<N>,
    blocks: Vec<Block<N>>,
    /// Columns that they ask.
    columns: BTreeSet<u32>,
    /// Splits of the trees that go into the next block, and how many trees that are.
    drafts: Vec<Draft>,
    roots: usize,
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
        self.drafts.extend(splits.into_iter().filter_map(|local| Draft::of(tree, local, &numbers, sets)));
    }

    pub(super) fn finish(mut self) -> Trees<N> {
        self.close();
        // From here on columns are known by their position among those asked.
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
        self.columns.extend(drafts.iter().map(|draft| draft.column));
        let plan = Plan::new(&drafts);
        let mut block = Block::new(&plan, std::mem::take(&mut self.roots));
        for at in plan.runs.iter().flatten() {
            block.place(&plan, *at);
            block.note(&plan, *at, &self.rule);
        }
        self.blocks.push(block);
    }
}

/// Where the drafts of a block go.
struct Plan<'d> {
    drafts: &'d [Draft],
    runs: Vec<Vec<usize>>,
    /// By draft, its position in the block.
    positions: Vec<usize>,
    /// The position at which the splits begin that have no splits below.
    last: usize,
}

impl<'d> Plan<'d> {
    fn new(drafts: &'d [Draft]) -> Self {
        let runs = in_runs(drafts);
        let inner = drafts.iter().filter(|draft| draft.splits() > 0).count();
        let last = inner.next_multiple_of(TOGETHER);
        let mut positions = vec![0; drafts.len()];
        for (at, draft) in runs.iter().flatten().enumerate() {
            positions[*draft] = if at < inner { at } else { at - inner + last };
        }
        Self { drafts, runs, positions, last }
    }

    /// How many positions there are; those that are not filled ask nothing.
    fn len(&self) -> usize {
        let inner = self.drafts.iter().filter(|draft| draft.splits() > 0).count();
        self.last + (self.drafts.len() - inner).next_multiple_of(TOGETHER)
    }

    /// The runs of a block, and the splits in the order of their places: the roots in the order of their trees, then the
    /// children of each split in theirs.
    fn seat(&self) -> (Vec<Run>, Vec<usize>) {
        let mut seated: Vec<usize> =
            (0..self.drafts.len()).filter(|at| self.drafts[*at].depth == 0).collect();
        let (mut runs, mut agains) = (Vec::new(), 0);
        for run in &self.runs {
            let (from, first) = (self.positions[run[0]], &self.drafts[run[0]]);
            runs.push(Run {
                splits: from..from + run.len(),
                children: first.splits(),
                first_child: seated.len(),
                again: first.again.map(|_| agains),
            });
            agains += if first.again.is_some() { run.len() } else { 0 };
            seated.extend(run.iter().flat_map(|at| self.drafts[*at].below()));
        }
        (runs, seated)
    }
}

impl<const N: usize> Block<N> {
    /// A block whose splits have their places, but no numbers yet.
    fn new(plan: &Plan<'_>, roots: usize) -> Self {
        let mut seats = vec![Seat::default(); plan.len()];
        let (runs, seated) = plan.seat();
        for (place, draft) in seated.iter().enumerate() {
            let column = plan.drafts[*draft].column;
            seats[plan.positions[*draft]] = Seat { place: place as u32, column, leaves: 0.0 };
        }
        let questions = vec![Questions::default(); plan.len() / TOGETHER];
        Self { roots, places: seated.len(), runs, last: plan.last, questions, seats, again: Vec::new() }
    }

    /// Fills in what a split asks and what becomes of the row.
    fn place(&mut self, plan: &Plan<'_>, at: usize) {
        let (draft, position) = (&plan.drafts[at], plan.positions[at]);
        let (questions, bit) = (&mut self.questions[position / TOGETHER], position % TOGETHER);
        questions.swapped |= u8::from(draft.swapped()) << bit;
        questions.asked[bit] = draft.asked;
        questions.thresholds[bit] = draft.threshold;
        let [first, other] = draft.in_order();
        // q of the column relative to q so far.
        let so_far = draft.again.map_or(1.0, |before| before.share);
        let opened = |child: Child| so_far / child.share;
        let leaf = |child: Child| child.value * draft.reach;
        let both = first.weighted + other.weighted;
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
    }

    /// Notes the earlier question for the same column, if there was one.
    fn note(&mut self, plan: &Plan<'_>, at: usize, rule: &Quadrature<N>) {
        let Some(before) = plan.drafts[at].again else { return };
        let second = before.right != plan.drafts[before.split].swapped();
        self.again.push(Again {
            before: (2 * plan.positions[before.split] + usize::from(second)) as u32,
            inverse: rule.points.map(|t| 1.0 / ((1.0 - t) + t / before.share)),
        });
    }
}
