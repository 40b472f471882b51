//! From fitted candidates to the encoder and predictor of an artifact.

use scorehouse_models::predictor::{Member, SplitRule as ModelRule, TreeNode};
use scorehouse_models::{Average, EncodedColumn, ForestBuilder, Linear, ModelError, Predictor, Scale, Term};

use crate::fit::boosted::BoostedFit;
use crate::fit::boosting::{Side, SplitRule, Tree};
use crate::fit::candidate::{Fitted, Learned};
use crate::fit::forest::ForestFit;
use crate::fit::logistic::LinearFit;

/// An artifact's columns and what reads them.
pub(crate) struct Assembled {
    pub columns: Vec<EncodedColumn>,
    pub predictor: Predictor,
}

/// Puts candidates and their shares together. Only columns that are read are kept, each once.
///
/// # Errors
/// [`ModelError`] when a number is not finite, which no fit should give.
pub(crate) fn assemble(members: &[(f64, Fitted)]) -> Result<Assembled, ModelError> {
    let mut columns: Vec<EncodedColumn> = Vec::new();
    let mut places: Vec<Vec<u32>> = Vec::new();
    for (_, fitted) in members {
        let read = fitted.model.columns_read(fitted.block.columns.len());
        let place = |(column, read): (&super::design::BlockColumn, bool)| {
            if !read {
                return 0;
            }
            let at = columns.iter().position(|other| *other == column.encoded).unwrap_or_else(|| {
                columns.push(column.encoded.clone());
                columns.len() - 1
            });
            at as u32
        };
        places.push(fitted.block.columns.iter().zip(read).map(place).collect());
    }
    let mut predictors = Vec::new();
    for ((share, fitted), place) in members.iter().zip(&places) {
        let predictor = match &fitted.model {
            Learned::Linear { fit, centers } => Predictor::Linear(linear(fit, centers, place)?),
            Learned::Boosted(fit) => boosted(fit, place, columns.len())?,
            Learned::Forest(fit) => forest(fit, place, columns.len())?,
        };
        predictors.push(Member { weight: *share, predictor });
    }
    let predictor = match predictors.len() {
        1 => predictors.remove(0).predictor,
        _ => Predictor::Average(Average::new(predictors)?),
    };
    Ok(Assembled { columns, predictor })
}

impl Learned {
    fn columns_read(&self, width: usize) -> Vec<bool> {
        let mut read = vec![false; width];
        match self {
            Self::Linear { fit, .. } => {
                fit.weights.iter().zip(&mut read).for_each(|(weight, read)| *read = *weight != 0.0);
            }
            Self::Boosted(fit) => {
                let nodes = fit.models.iter().flat_map(|model| &model.trees).flat_map(|tree| &tree.nodes);
                nodes.for_each(|node| read[node.feature] = true);
            }
            Self::Forest(fit) => {
                let nodes = fit.trees.iter().flat_map(|tree| &tree.nodes);
                nodes.for_each(|node| read[node.feature] = true);
            }
        }
        read
    }
}

fn linear(fit: &LinearFit, centers: &[f64], place: &[u32]) -> Result<Linear, ModelError> {
    let terms = fit.weights.iter().zip(centers).zip(place).filter(|((weight, _), _)| **weight != 0.0);
    let term = |((weight, center), column): ((&f64, &f64), &u32)| Term {
        column: *column,
        weight: *weight,
        center: *center,
    };
    Linear::new(fit.intercept, terms.map(term).collect(), Scale::LogOdds)
}

fn boosted(fit: &BoostedFit, place: &[u32], width: usize) -> Result<Predictor, ModelError> {
    let share = 1.0 / fit.models.len().max(1) as f64;
    let base = fit.models.iter().map(|model| model.base * share).sum();
    let mut builder = ForestBuilder::new(width, base, Scale::LogOdds);
    for tree in fit.models.iter().flat_map(|model| &model.trees).filter(|tree| !tree.values.is_empty()) {
        builder.add(&grown_tree(tree, place, share))?;
    }
    Ok(Predictor::Forest(builder.finish()))
}

fn grown_tree(tree: &Tree, place: &[u32], share: f64) -> Vec<TreeNode> {
    let splits = tree.nodes.len() as u32;
    // Leaves stand after the splits.
    let child = |at: i32| if at >= 0 { at as u32 } else { splits + (-1 - at) as u32 };
    let split = |node: &super::boosting::Node| TreeNode::Split {
        column: place[node.feature],
        rule: match &node.rule {
            SplitRule::AtMost(threshold) => ModelRule::AtMost(*threshold),
            SplitRule::OneOf(codes) => ModelRule::OneOf(codes.clone()),
        },
        missing_left: node.missing == Side::Left,
        left: child(node.left),
        right: child(node.right),
    };
    let leaf =
        |(value, rows): (&f64, &usize)| TreeNode::Leaf { value: value * share, cover: (*rows).max(1) as f64 };
    tree.nodes.iter().map(split).chain(tree.values.iter().zip(&tree.cover).map(leaf)).collect()
}

fn forest(fit: &ForestFit, place: &[u32], width: usize) -> Result<Predictor, ModelError> {
    let share = 1.0 / fit.trees.len().max(1) as f64;
    let mut builder = ForestBuilder::new(width, 0.0, Scale::LogOdds);
    for tree in &fit.trees {
        builder.add(&grown_tree(tree, place, share))?;
    }
    Ok(Predictor::Forest(builder.finish()))
}
