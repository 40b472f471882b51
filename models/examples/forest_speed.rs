//! How fast a forest scores and explains: `forest_speed FIGURES ROWS`.
//!
//! FIGURES is a file in the form of `fixtures/tree-shap/figures.json`, whose first forest is measured, or `grown` for one
//! of 200 trees of 31 leaves over 30 columns that split leaves at random. ROWS is how many rows are made, by repeating the
//! file's own, or at random; then scores with reasons in words
//! are measured, too. Times are processor time.

#![allow(clippy::print_stdout, reason = "printing the figures is what this program does")]

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Value as Fact, ValueType};
use scorehouse_models::predictor::forest::{SplitRule, TreeNode};
use scorehouse_models::{
    Artifact, Calibration, EncodedColumn, Encoder, ForestBuilder, InputField, Output, Predictor, Scale,
    ScoringModel, Scratch, Signature, Transform,
};
use serde_json::Value;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: forest_speed FIGURES ROWS")?;
    let rows: usize = arguments.next().map_or(Ok(100_000), |n| n.parse())?;
    if path == "grown" {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut builder = ForestBuilder::new(WIDTH, 0.0, Scale::LogOdds);
        for _ in 0..TREES {
            builder.add(&grown(&mut rng))?;
        }
        let table: Vec<f64> = (0..rows * WIDTH).map(|_| rng.random_range(0.0..1.0)).collect();
        let forest = Predictor::Forest(builder.finish());
        measure(&forest, &table, WIDTH)?;
        return measure_reasons(forest, &table);
    }
    let figures: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let figure = &figures["forests"][0];
    let sample: Vec<Vec<f64>> = list(&figure["rows"])
        .iter()
        .map(|row| list(row).iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect())
        .collect();
    let width = sample.first().map_or(0, Vec::len);
    let mut builder = ForestBuilder::new(width, 0.0, Scale::LogOdds);
    for tree in list(&figure["trees"]) {
        let nodes: Option<Vec<TreeNode>> = list(tree).iter().map(node).collect();
        builder.add(&nodes.ok_or("a node is malformed")?)?;
    }
    let forest = Predictor::Forest(builder.finish());
    let table: Vec<f64> = sample.iter().cycle().take(rows).flatten().copied().collect();
    measure(&forest, &table, width)
}

const TREES: usize = 200;
const LEAVES: usize = 31;
const WIDTH: usize = 30;

/// A tree in which leaves taken at random were split again and again.
fn grown(rng: &mut ChaCha8Rng) -> Vec<TreeNode> {
    let mut nodes = vec![TreeNode::Leaf { value: 0.0, cover: 1.0 }];
    let mut leaves = vec![0];
    while leaves.len() < LEAVES {
        let at = leaves.swap_remove(rng.random_range(0..leaves.len()));
        let (left, right) = (nodes.len() as u32, nodes.len() as u32 + 1);
        let (column, rule) =
            (rng.random_range(0..WIDTH as u32), SplitRule::AtMost(rng.random_range(0.0..1.0)));
        nodes[at] = TreeNode::Split { column, rule, missing_left: true, left, right };
        for _ in 0..2 {
            leaves.push(nodes.len());
            let (value, cover) = (rng.random_range(-0.05..0.05), rng.random_range(1.0..100.0));
            nodes.push(TreeNode::Leaf { value, cover });
        }
    }
    nodes
}

fn measure(forest: &Predictor, table: &[f64], width: usize) -> Result<(), Failure> {
    let rows = table.len() / width;
    let mut out = vec![0.0; rows];
    let start = cpu_seconds();
    for (row, raw) in table.chunks(width).zip(&mut out) {
        *raw = forest.raw(row)?;
    }
    println!("one row at a time: {:.2} µs a row", per_row(start, rows));
    let start = cpu_seconds();
    forest.raw_batch(table, width, &mut out)?;
    println!("in a batch:        {:.2} µs a row", per_row(start, rows));
    let start = cpu_seconds();
    forest.prepare()?;
    println!("tables for reasons: {:.1} ms once", (cpu_seconds() - start) * 1e3);
    let explained = rows.min(5_000);
    let mut contributions = vec![0.0; width];
    let start = cpu_seconds();
    for row in table.chunks(width).take(explained) {
        forest.contributions(row, &mut contributions)?;
    }
    println!("contributions:     {:.2} µs a row", per_row(start, explained));
    Ok(())
}

/// Scores as a server gives them, without reasons and with the top five in words.
fn measure_reasons(forest: Predictor, table: &[f64]) -> Result<(), Failure> {
    let inputs =
        (0..WIDTH).map(|at| InputField::new(format!("customer.fact_{at}"), ValueType::Float)).collect();
    let signature = Signature { entity: None, feature_set: None, inputs, output: Output::Probability };
    let columns = (0..WIDTH).map(|at| EncodedColumn::new(at, Transform::Number)).collect();
    let encoder = Encoder::new(columns, &signature)?;
    let model = ScoringModel::load(&Artifact::new(signature, encoder, forest, Calibration::Identity)?)?;
    let rows: Vec<Vec<Fact>> =
        table.chunks(WIDTH).map(|row| row.iter().map(|x| Fact::Float(*x)).collect()).collect();
    let (at, mut scratch) = (Timestamp::parse("2026-01-01")?, Scratch::default());
    for (reasons, name) in [(0, "score:            "), (5, "with five reasons:")] {
        let start = cpu_seconds();
        for row in &rows {
            std::hint::black_box(model.score(row, at, reasons, &mut scratch)?);
        }
        println!("{name} {:.2} µs a row", per_row(start, rows.len()));
    }
    Ok(())
}

fn per_row(start: f64, rows: usize) -> f64 {
    (cpu_seconds() - start) * 1e6 / rows as f64
}

/// Seconds this process has run on a processor, from Linux: what others do meanwhile does not count.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e9
}

fn list(json: &Value) -> &[Value] {
    json.as_array().map_or(&[], Vec::as_slice)
}

fn node(json: &Value) -> Option<TreeNode> {
    let whole = |name: &str| json[name].as_u64().and_then(|n| u32::try_from(n).ok());
    if let Some(value) = json["value"].as_f64() {
        return Some(TreeNode::Leaf { value, cover: json["cover"].as_f64()? });
    }
    let codes = || list(&json["one_of"]).iter().filter_map(Value::as_u64).map(|c| c as u32).collect();
    let rule = json["at_most"].as_f64().map_or_else(|| SplitRule::OneOf(codes()), SplitRule::AtMost);
    let missing_left = json["missing_left"].as_bool()?;
    Some(TreeNode::Split {
        column: whole("column")?,
        rule,
        missing_left,
        left: whole("left")?,
        right: whole("right")?,
    })
}
