//! Splits before they are laid out, and in which order they go.

use super::steps::{Step, Steps};

/// A split, named by its position among the drafts.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) asked: u32,
    pub(super) threshold: f64,
    pub(super) column: u32,
    pub(super) depth: u32,
    pub(super) reach: f64,
    pub(super) children: [Child; 2],
    pub(super) again: Option<Before>,
}

/// What a split leads to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Child {
    /// The split that it is, if it is one.
    pub(super) split: Option<usize>,
    /// Its value times its reach, if it is a leaf.
    pub(super) weighted: f64,
    pub(super) value: f64,
    pub(super) share: f64,
}

/// An earlier question for the same column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    pub(super) split: usize,
    pub(super) right: bool,
    pub(super) share: f64,
}

impl Draft {
    /// The split at `local` of a tree whose nodes will have these numbers among the drafts; none for a leaf. A set that it
    /// asks for is added to `sets`.
    pub(super) fn of(
        tree: &Steps<'_>,
        local: usize,
        numbers: &[Option<usize>],
        sets: &mut Vec<(u32, u32)>,
    ) -> Option<Self> {
        let children = tree.children(local)?;
        let Step { depth, reach, .. } = tree.steps[local];
        let (asked, threshold) = ask(tree, local, sets);
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
        let column = tree.node(local).question().column;
        Some(Self { asked, threshold, column, depth, reach, children, again })
    }

    /// How many children are splits.
    pub(super) fn splits(&self) -> usize {
        self.below().count()
    }

    /// Those children.
    pub(super) fn below(&self) -> impl Iterator<Item = usize> + use<> {
        self.children.into_iter().filter_map(|child| child.split)
    }

    /// The children, the one that counts as the first first.
    pub(super) fn in_order(&self) -> [Child; 2] {
        let [left, right] = self.children;
        if self.swapped() { [right, left] } else { [left, right] }
    }

    /// True when the right child counts as the first, since it alone is a split.
    pub(super) fn swapped(&self) -> bool {
        self.children[0].split.is_none() && self.children[1].split.is_some()
    }
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

/// The splits in runs of one kind, none above one of an earlier run, those above two leaves last.
///
/// Of the kinds that could come next, the one comes that has the split with most below it, so that nothing is left over in
/// the end that has to be gone through one by one.
pub(super) fn in_runs(drafts: &[Draft]) -> Vec<Vec<usize>> {
    let mut heights = vec![0_usize; drafts.len()];
    // Children are numbered after their parents.
    for at in (0..drafts.len()).rev() {
        heights[at] = drafts[at].below().map(|child| 1 + heights[child]).max().unwrap_or(0);
    }
    let mut ready: [Vec<usize>; 4] = Default::default();
    let mut last: [Vec<usize>; 2] = Default::default();
    let mut put = |ready: &mut [Vec<usize>; 4], at: usize| {
        let (again, splits) = (usize::from(drafts[at].again.is_some()), drafts[at].splits());
        if splits == 0 { last[again].push(at) } else { ready[2 * again + splits - 1].push(at) }
    };
    (0..drafts.len()).filter(|at| drafts[*at].depth == 0).for_each(|root| put(&mut ready, root));
    let mut runs = Vec::new();
    loop {
        let tallest = |run: &Vec<usize>| (run.iter().map(|at| heights[*at]).max(), run.len());
        let Some(next) = ready.iter_mut().max_by_key(|run| tallest(run)).filter(|run| !run.is_empty()) else {
            break;
        };
        let run = std::mem::take(next);
        run.iter().flat_map(|at| drafts[*at].below()).for_each(|child| put(&mut ready, child));
        runs.push(run);
    }
    runs.extend(last);
    runs.retain(|run| !run.is_empty());
    runs
}
