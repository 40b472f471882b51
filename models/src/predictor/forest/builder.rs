//! From trees as a learner knows them to the flat layout.

use std::collections::VecDeque;
use std::sync::OnceLock;

use crate::error::ModelError;
use crate::predictor::Scale;
use crate::predictor::forest::node::{CodeSets, MOST_COLUMNS, Node, Question};
use crate::predictor::forest::{Forest, Tree};

/// A node of a tree as a learner knows it: an array of these, the root first, children named by position.
#[derive(Debug, Clone, PartialEq)]
pub enum TreeNode {
    /// Sends a row to one of two children.
    Split {
        /// The column asked.
        column: u32,
        /// Which rows go left.
        rule: SplitRule,
        /// True when a missing value goes left.
        missing_left: bool,
        /// Position of the left child.
        left: u32,
        /// Position of the right child.
        right: u32,
    },
    /// Ends a row's way.
    Leaf {
        /// What is added to the score.
        value: f64,
        /// Weight of the training rows that ended here (their count, or sum of weights or Hessians), above 0.
        cover: f64,
    },
}

/// Which rows go left.
#[derive(Debug, Clone, PartialEq)]
pub enum SplitRule {
    /// Rows whose number is at most this.
    AtMost(f64),
    /// Rows whose category code is one of these.
    OneOf(Vec<u32>),
}

/// Most category codes of a column; a set is a bit per code.
const MOST_CODES: u32 = 1 << 20;
/// Most different columns on one way from root to leaf; reasons keep a bit for each.
pub(super) const MOST_ON_PATH: usize = 128;
const PART: &str = "forest";

/// Builds a [`Forest`] tree by tree.
///
/// ```
/// use scorehouse_models::{ForestBuilder, Scale};
/// use scorehouse_models::predictor::forest::{SplitRule, TreeNode};
///
/// # fn main() -> Result<(), scorehouse_models::ModelError> {
/// let mut builder = ForestBuilder::new(1, 0.5, Scale::LogOdds);
/// builder.add(&[
///     TreeNode::Split { column: 0, rule: SplitRule::AtMost(3.0), missing_left: true, left: 1, right: 2 },
///     TreeNode::Leaf { value: -0.2, cover: 60.0 },
///     TreeNode::Leaf { value: 0.3, cover: 40.0 },
/// ])?;
/// let forest = builder.finish();
/// assert_eq!(forest.raw(&[4.0]), 0.5 + 0.3);
/// assert_eq!(forest.raw(&[f64::NAN]), 0.5 - 0.2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ForestBuilder {
    forest: Forest,
}

impl ForestBuilder {
    /// A forest without trees over rows of `width` columns, whose scores start from `base`. The mean of a random
    /// forest is a sum as well: divide leaf values by the number of trees.
    #[must_use]
    pub fn new(width: usize, base: f64, scale: Scale) -> Self {
        let forest = Forest {
            nodes: Vec::new(),
            leaf: Vec::new(),
            cover: Vec::new(),
            trees: Vec::new(),
            sets: CodeSets::default(),
            base,
            width,
            scale,
            explainer: OnceLock::new(),
            crowd: OnceLock::new(),
        };
        Self { forest }
    }

    /// Adds a tree.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] for an array that is not one tree with the root first, a column beyond the width,
    /// a number that is not finite, or a cover that is not above 0. The builder is then as it was before.
    pub fn add(&mut self, tree: &[TreeNode]) -> Result<(), ModelError> {
        check_tree(tree, self.forest.width)?;
        let root = self.forest.nodes.len() as u32;
        if u32::try_from(self.forest.nodes.len() + tree.len()).is_err() {
            return Err(ModelError::invalid(PART, "it has more nodes than 32 bits can number"));
        }
        let depth = self.lay(tree, root);
        let covers = covers(tree);
        // Laying went breadth first; covers follow the same order.
        self.forest.cover.extend(breadth_first(tree).map(|i| covers[i]));
        self.forest.trees.push(Tree { root, depth });
        Ok(())
    }

    /// The forest.
    #[must_use]
    pub fn finish(self) -> Forest {
        self.forest
    }

    /// Writes the nodes breadth first, and gives the depth.
    fn lay(&mut self, tree: &[TreeNode], root: u32) -> u32 {
        let mut depth = 0;
        let mut levels = vec![0_u32; tree.len()];
        let mut free = root + 1;
        for i in breadth_first(tree) {
            let own = self.forest.nodes.len() as u32;
            depth = depth.max(levels[i]);
            match &tree[i] {
                TreeNode::Leaf { value, .. } => {
                    self.forest.nodes.push(Node::leaf(own));
                    self.forest.leaf.push(*value);
                }
                TreeNode::Split { column, rule, missing_left, left, right } => {
                    levels[*left as usize] = levels[i] + 1;
                    levels[*right as usize] = levels[i] + 1;
                    let (threshold, categorical) = match rule {
                        SplitRule::AtMost(threshold) => (*threshold, false),
                        SplitRule::OneOf(codes) => (self.forest.sets.add(codes) as f64, true),
                    };
                    let question =
                        Question { column: *column, categorical, missing_right: !missing_left, threshold };
                    self.forest.nodes.push(Node::split(question, free));
                    self.forest.leaf.push(0.0);
                    free += 2;
                }
            }
        }
        depth
    }
}

/// Positions in breadth-first order, left before right.
fn breadth_first(tree: &[TreeNode]) -> impl Iterator<Item = usize> + '_ {
    let mut waiting = VecDeque::from([0_usize]);
    std::iter::from_fn(move || {
        let i = waiting.pop_front()?;
        if let TreeNode::Split { left, right, .. } = &tree[i] {
            waiting.extend([*left as usize, *right as usize]);
        }
        Some(i)
    })
}

/// Every node's cover: a leaf's own, a split's the sum of its children's.
fn covers(tree: &[TreeNode]) -> Vec<f64> {
    let mut covers = vec![0.0; tree.len()];
    let order: Vec<usize> = breadth_first(tree).collect();
    for i in order.into_iter().rev() {
        covers[i] = match &tree[i] {
            TreeNode::Leaf { cover, .. } => *cover,
            TreeNode::Split { left, right, .. } => covers[*left as usize] + covers[*right as usize],
        };
    }
    covers
}

fn check_tree(tree: &[TreeNode], width: usize) -> Result<(), ModelError> {
    let refuse = |i: usize, why: &str| Err(ModelError::invalid(PART, format!("node {i} of a tree {why}")));
    if tree.is_empty() {
        return Err(ModelError::invalid(PART, "a tree has no nodes"));
    }
    let mut parents = vec![0_u32; tree.len()];
    for (i, node) in tree.iter().enumerate() {
        match node {
            TreeNode::Leaf { value, cover } => {
                if !(value.is_finite() && cover.is_finite() && *cover > 0.0) {
                    return refuse(i, "must have a finite value and a cover above 0");
                }
            }
            TreeNode::Split { column, rule, left, right, .. } => {
                if *column as usize >= width.min(MOST_COLUMNS) {
                    return refuse(i, &format!("asks column {column} of {width}"));
                }
                if !rule.is_sound() {
                    return refuse(i, "has a threshold or a code out of range");
                }
                for child in [*left as usize, *right as usize] {
                    match parents.get_mut(child) {
                        Some(count) => *count += 1,
                        None => return refuse(i, "has a child that is not there"),
                    }
                }
            }
        }
    }
    // One parent each and none for the root makes it a tree, unless a cycle stands apart from the root.
    let tidy = parents[0] == 0 && parents[1..].iter().all(|count| *count == 1);
    if !tidy || breadth_first(tree).take(tree.len() + 1).count() != tree.len() {
        return Err(ModelError::invalid(PART, "the nodes are not one tree with the root first"));
    }
    check_paths(tree)
}

fn check_paths(tree: &[TreeNode]) -> Result<(), ModelError> {
    // Only a tree that deep can ask so many columns on one way, and hardly any is.
    if tree.len() <= 2 * MOST_ON_PATH {
        return Ok(());
    }
    let mut waiting = vec![(0_usize, Vec::<u32>::new())];
    while let Some((i, mut path)) = waiting.pop() {
        if let TreeNode::Split { column, left, right, .. } = &tree[i] {
            if !path.contains(column) {
                path.push(*column);
            }
            if path.len() > MOST_ON_PATH {
                let why = format!("a way through a tree asks more than {MOST_ON_PATH} different columns");
                return Err(ModelError::invalid(PART, why));
            }
            waiting.push((*left as usize, path.clone()));
            waiting.push((*right as usize, path));
        }
    }
    Ok(())
}

impl SplitRule {
    fn is_sound(&self) -> bool {
        match self {
            Self::AtMost(threshold) => threshold.is_finite(),
            Self::OneOf(codes) => codes.iter().all(|code| *code < MOST_CODES),
        }
    }
}
