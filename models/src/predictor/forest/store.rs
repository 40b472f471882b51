//! A forest in an artifact: arrays in a safetensors section, checked in full before they are walked.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::artifact::{Sections, Tensors};
use crate::error::ModelError;
use crate::predictor::Scale;
use crate::predictor::forest::builder::MOST_ON_PATH;
use crate::predictor::forest::node::{CodeSets, MOST_COLUMNS, Node, Question};
use crate::predictor::forest::{Forest, Tree};

/// What the manifest says of a forest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ForestHeader {
    width: usize,
    base: f64,
    scale: Scale,
}

const PART: &str = "forest";

/// In the file a node's test is its column with these flags.
const MISSING_RIGHT: u32 = 1 << 31;
const CATEGORICAL: u32 = 1 << 30;

fn stored_test(node: Node) -> u32 {
    let question = node.question();
    let missing = if question.missing_right { MISSING_RIGHT } else { 0 };
    question.column | missing | if question.categorical { CATEGORICAL } else { 0 }
}

fn node_of(own: usize, threshold: f64, test: u32, child: u32) -> Node {
    if child as usize == own && threshold == f64::INFINITY && test == 0 {
        return Node::leaf(child);
    }
    let question = Question {
        column: test & (CATEGORICAL - 1),
        categorical: test & CATEGORICAL != 0,
        missing_right: test & MISSING_RIGHT != 0,
        threshold,
    };
    Node::split(question, child)
}

impl Forest {
    pub(crate) fn write(&self, name: &str, sections: &mut Sections) -> Result<ForestHeader, ModelError> {
        let mut tensors = Tensors::default();
        tensors.put_f64("threshold", self.nodes.iter().map(|n| n.threshold));
        tensors.put_u32("test", self.nodes.iter().map(|n| stored_test(*n)));
        tensors.put_u32("child", self.nodes.iter().map(|n| n.child));
        tensors.put_f64("leaf", self.leaf.iter().copied());
        tensors.put_f64("cover", self.cover.iter().copied());
        tensors.put_u32("root", self.trees.iter().map(|t| t.root));
        tensors.put_u64("set_words", self.sets.words.iter().copied());
        tensors.put_u32("set_ends", self.sets.ends.iter().copied());
        sections.put_tensors(name, &tensors)?;
        Ok(ForestHeader { width: self.width, base: self.base, scale: self.scale })
    }

    pub(crate) fn read(name: &str, header: &ForestHeader, sections: &Sections) -> Result<Self, ModelError> {
        let tensors = sections.tensors(name)?;
        let (test, child) = (tensors.u32("test")?, tensors.u32("child")?);
        let threshold = tensors.f64("threshold")?;
        if test.len() != threshold.len() || child.len() != threshold.len() {
            return Err(ModelError::invalid(PART, "its arrays differ in length"));
        }
        let node = |(own, ((threshold, test), child))| node_of(own, threshold, test, child);
        let roots = tensors.u32("root")?;
        let mut forest = Self {
            nodes: threshold.into_iter().zip(test).zip(child).enumerate().map(node).collect(),
            leaf: tensors.f64("leaf")?,
            cover: tensors.f64("cover")?,
            trees: Vec::new(),
            sets: CodeSets { words: tensors.u64("set_words")?, ends: tensors.u32("set_ends")? },
            base: header.base,
            width: header.width,
            scale: header.scale,
            explainer: OnceLock::new(),
            crowd: OnceLock::new(),
        };
        forest.check_sizes()?;
        for (i, root) in roots.iter().enumerate() {
            let end = roots.get(i + 1).map_or(forest.nodes.len(), |next| *next as usize);
            let depth = forest.check_tree(*root as usize, end)?;
            forest.trees.push(Tree { root: *root, depth });
        }
        if roots.first().copied().unwrap_or(0) != 0 || (roots.is_empty() && !forest.nodes.is_empty()) {
            return Err(ModelError::invalid(PART, "some nodes belong to no tree"));
        }
        Ok(forest)
    }

    fn check_sizes(&self) -> Result<(), ModelError> {
        let nodes = self.nodes.len();
        if self.leaf.len() != nodes || self.cover.len() != nodes || u32::try_from(nodes).is_err() {
            return Err(ModelError::invalid(PART, "its arrays differ in length"));
        }
        let ends = &self.sets.ends;
        let ascending = ends.windows(2).all(|w| w[0] <= w[1]);
        if !ascending || ends.last().map_or(0, |e| *e as usize) != self.sets.words.len() {
            return Err(ModelError::invalid(PART, "its category sets do not fit"));
        }
        let finite = self.base.is_finite() && self.leaf.iter().all(|v| v.is_finite());
        if !finite || !self.cover.iter().all(|c| c.is_finite() && *c > 0.0) {
            return Err(ModelError::invalid(PART, "a value is not finite or a cover not above 0"));
        }
        Ok(())
    }

    /// Checks that `root..end` is one tree in breadth-first order, and gives its depth.
    fn check_tree(&self, root: usize, end: usize) -> Result<u32, ModelError> {
        let refuse = |i: usize| ModelError::invalid(PART, format!("node {i} is malformed"));
        if root >= end || end > self.nodes.len() {
            return Err(ModelError::invalid(PART, "its trees are not in order"));
        }
        let mut depths = vec![0_u32; end - root];
        let mut free = root + 1;
        for i in root..end {
            let node = self.nodes[i];
            if node.child as usize == i {
                if node != Node::leaf(i as u32) {
                    return Err(refuse(i));
                }
                continue;
            }
            if node.child as usize != free || free + 2 > end || !self.is_sound(node) {
                return Err(refuse(i));
            }
            let below = depths[i - root] + 1;
            depths[free - root] = below;
            depths[free + 1 - root] = below;
            free += 2;
        }
        if free != end {
            return Err(refuse(free));
        }
        self.check_columns_on_path(root, end)?;
        Ok(depths.into_iter().max().unwrap_or(0))
    }

    fn is_sound(&self, node: Node) -> bool {
        let set = if node.is_categorical() {
            node.threshold >= 0.0
                && node.threshold.fract() == 0.0
                && (node.threshold as usize) < self.sets.ends.len()
        } else {
            node.threshold.is_finite()
        };
        set && node.column() < self.width.min(MOST_COLUMNS)
    }

    fn check_columns_on_path(&self, root: usize, end: usize) -> Result<(), ModelError> {
        if end - root <= 2 * MOST_ON_PATH {
            return Ok(());
        }
        let mut waiting = vec![(root, Vec::<usize>::new())];
        while let Some((i, mut path)) = waiting.pop() {
            let node = self.nodes[i];
            if node.child as usize == i {
                continue;
            }
            if !path.contains(&node.column()) {
                path.push(node.column());
            }
            if path.len() > MOST_ON_PATH {
                return Err(ModelError::invalid(PART, "a way through a tree asks too many columns"));
            }
            waiting.push((node.child as usize, path.clone()));
            waiting.push((node.child as usize + 1, path));
        }
        Ok(())
    }
}
