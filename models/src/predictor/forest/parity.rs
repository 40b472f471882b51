//! Scores and contributions against those of `LightGBM` and shap, as `fixtures/tree-shap/make.py` wrote them.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Figures {
    forests: Vec<Figure>,
}

#[derive(Deserialize)]
struct Figure {
    name: String,
    scale: Scale,
    trees: Vec<Vec<FigureNode>>,
    rows: Vec<Vec<Option<f64>>>,
    base: f64,
    raw: Vec<f64>,
    contributions: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FigureNode {
    Leaf { value: f64, cover: f64 },
    Number { column: u32, at_most: f64, missing_left: bool, left: u32, right: u32 },
    Codes { column: u32, one_of: Vec<u32>, missing_left: bool, left: u32, right: u32 },
}

impl From<&FigureNode> for TreeNode {
    fn from(node: &FigureNode) -> Self {
        match node {
            FigureNode::Leaf { value, cover } => Self::Leaf { value: *value, cover: *cover },
            FigureNode::Number { column, at_most, missing_left, left, right } => Self::Split {
                column: *column,
                rule: SplitRule::AtMost(*at_most),
                missing_left: *missing_left,
                left: *left,
                right: *right,
            },
            FigureNode::Codes { column, one_of, missing_left, left, right } => Self::Split {
                column: *column,
                rule: SplitRule::OneOf(one_of.clone()),
                missing_left: *missing_left,
                left: *left,
                right: *right,
            },
        }
    }
}

#[test]
fn forests_agree_with_lightgbm_and_shap() {
    let text = include_str!("../../../fixtures/tree-shap/figures.json");
    let figures: Figures = serde_json::from_str(text).unwrap();
    assert_eq!(figures.forests.len(), 2);
    for figure in figures.forests {
        let mut builder = ForestBuilder::new(6, 0.0, figure.scale);
        for tree in &figure.trees {
            builder.add(&tree.iter().map(TreeNode::from).collect::<Vec<_>>()).unwrap();
        }
        let forest = builder.finish();
        for ((row, raw), contributions) in figure.rows.iter().zip(&figure.raw).zip(&figure.contributions) {
            let row: Vec<f64> = row.iter().map(|x| x.unwrap_or(f64::NAN)).collect();
            assert!((forest.raw(&row) - raw).abs() < 1e-12, "{}", figure.name);
            let mut found = vec![0.0; 6];
            let base = forest.add_contributions(&row, 1.0, &mut found);
            assert!((base - figure.base).abs() < 1e-9, "{}: {base} {}", figure.name, figure.base);
            for (found, expected) in found.iter().zip(contributions) {
                assert!((found - expected).abs() < 1e-9, "{}: {found} {expected}", figure.name);
            }
        }
    }
}
