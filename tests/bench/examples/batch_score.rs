//! Many rows scored at once, beside LightGBM's own predictor on the same trees, rows and threads: rows in memory, the
//! contributions of their columns, and a CSV file in, a CSV file out.
//!
//! `cargo run -p scorehouse-bench --example batch_score -- PYTHON [ROWS]`; PYTHON has peers/requirements.txt.
#![allow(clippy::print_stdout, reason = "a measurement prints its figures")]

use std::ffi::OsStr;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use scorehouse_bench::{figure, peer_seconds};
use scorehouse_features::value::ValueType;
use scorehouse_models::predictor::forest::{SplitRule, TreeNode};
use scorehouse_models::{
    Artifact, Calibration, EncodedColumn, Encoder, ForestBuilder, InputField, Output, Predictor, Scale,
    Signature, Transform,
};
use scorehouse_training::score_table;
use serde::Deserialize;

const COLUMNS: usize = 30;
const RUNS: usize = 5;
/// Rows explained in a run.
const EXPLAINED: usize = 5_000;

#[derive(Deserialize)]
#[serde(untagged)]
enum Node {
    Leaf { value: f64, cover: f64 },
    Split { column: u32, at_most: f64, missing_left: bool, left: u32, right: u32 },
}

impl From<&Node> for TreeNode {
    fn from(node: &Node) -> Self {
        match *node {
            Node::Leaf { value, cover } => Self::Leaf { value, cover },
            Node::Split { column, at_most, missing_left, left, right } => {
                Self::Split { column, rule: SplitRule::AtMost(at_most), missing_left, left, right }
            }
        }
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let python = arguments.next().context("which Python?")?;
    let rows: usize = arguments.next().map_or(Ok(200_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    // Made by the peer, which prints no time for it.
    let made = peer_seconds(
        &python,
        "batch_score.py",
        &[OsStr::new("make"), folder.as_ref(), rows.to_string().as_ref()],
    );
    ensure!(
        folder.join("rows.f64").exists(),
        "{}",
        made.err().map_or_else(String::new, |error| error.to_string())
    );
    let predictor = predictor(folder)?;
    in_memory(&python, folder, &predictor)?;
    reasons(&python, folder, &predictor)?;
    of_a_file(&python, folder, predictor)
}

fn predictor(folder: &Path) -> Result<Predictor> {
    let trees: Vec<Vec<Node>> = serde_json::from_slice(&std::fs::read(folder.join("trees.json"))?)?;
    let mut builder = ForestBuilder::new(COLUMNS, 0.0, Scale::LogOdds);
    for tree in &trees {
        builder.add(&tree.iter().map(TreeNode::from).collect::<Vec<_>>())?;
    }
    Ok(Predictor::Forest(builder.finish()))
}

fn theirs(python: &str, what: &str, folder: &Path, threads: usize) -> Result<f64> {
    let (runs, threads) = (RUNS.to_string(), threads.to_string());
    let arguments = [OsStr::new(what), folder.as_ref(), runs.as_ref(), threads.as_ref()];
    Ok(peer_seconds(python, "batch_score.py", &arguments)?)
}

fn best(mut run: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let started = Instant::now();
        run()?;
        best = best.min(started.elapsed().as_secs_f64());
    }
    Ok(best)
}

fn table(folder: &Path) -> Result<Vec<f64>> {
    let bytes = std::fs::read(folder.join("rows.f64"))?;
    Ok(bytes.as_chunks().0.iter().map(|number| f64::from_le_bytes(*number)).collect())
}

fn in_memory(python: &str, folder: &Path, predictor: &Predictor) -> Result<()> {
    let table = table(folder)?;
    let rows = table.len() / COLUMNS;
    let mut out = vec![0.0; rows];
    let ours = best(|| Ok(predictor.raw_batch(&table, COLUMNS, &mut out)?))?;
    println!("scorehouse, memory, 1 thread: sum {:.6}", out.iter().sum::<f64>());
    let theirs = theirs(python, "memory", folder, 1)?;
    figure(
        "200 trees, rows in memory, 1 thread",
        "rows/s",
        rows as f64 / ours,
        "LightGBM",
        rows as f64 / theirs,
    );
    Ok(())
}

/// Other rows in every run, so that none is met again.
fn reasons(python: &str, folder: &Path, predictor: &Predictor) -> Result<()> {
    let table = table(folder)?;
    predictor.prepare()?;
    let (mut out, mut sum) = ([0.0; COLUMNS], 0.0);
    let mut parts = table.chunks(EXPLAINED * COLUMNS).cycle();
    let ours = best(|| {
        for row in parts.next().unwrap_or_default().chunks_exact(COLUMNS) {
            sum += predictor.contributions(row, &mut out)? + out.iter().sum::<f64>();
        }
        Ok(())
    })?;
    println!("scorehouse, contributions, 1 thread: sum {sum:.6}");
    let theirs = theirs(python, "contributions", folder, 1)?;
    let rate = |seconds: f64| EXPLAINED as f64 / seconds;
    figure(
        "contributions of 30 columns, 200 trees, 1 thread",
        "rows/s",
        rate(ours),
        "LightGBM",
        rate(theirs),
    );
    Ok(())
}

fn of_a_file(python: &str, folder: &Path, predictor: Predictor) -> Result<()> {
    let names: Vec<String> = (0..COLUMNS).map(|n| format!("x{n}")).collect();
    let input = |name: &String| InputField::new(name.as_str(), ValueType::Float);
    let inputs = names.iter().map(input).collect();
    let signature = Signature { entity: None, feature_set: None, inputs, output: Output::Probability };
    let columns = (0..COLUMNS).map(|input| EncodedColumn::new(input, Transform::Number)).collect();
    let encoder = Encoder::new(columns, &signature)?;
    let mut artifact = Artifact::new(signature, encoder, predictor, Calibration::Identity)?;
    let layout: Vec<_> = names.iter().map(|name| serde_json::json!([name, "number"])).collect();
    artifact.details = serde_json::json!({"table": {
        "inputs": layout, "id": null, "time": null, "as_of": "2024-01-01T00:00:00Z", "label": "y",
    }});
    let (file, scores) = (folder.join("rows.csv"), folder.join("scores.csv"));
    let mut rows = 0;
    let ours = best(|| {
        rows = score_table(&artifact, &file, &scores)?.rows;
        Ok(())
    })?;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let theirs = theirs(python, "file", folder, threads)?;
    figure(
        &format!("200 trees, CSV to CSV, {threads} threads"),
        "rows/s",
        rows as f64 / ours,
        "LightGBM",
        rows as f64 / theirs,
    );
    Ok(())
}
