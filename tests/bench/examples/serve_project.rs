//! Writes a project to serve under load: 30,000 customers, 30 stored features of 3 views, a forest of 200 trees.
//!
//! `cargo run -p scorehouse-bench --example serve_project -- FOLDER [VIEWS]`, then `scorehouse --project FOLDER serve` and
//! `tests/bench/serve.py`, which asks the ceiling beside it in the same run. VIEWS: over how many views the features are
//! spread, each with a source of its own; 1, 2, 3, 5, 6, 10, 15 or 30.

#[path = "project/mod.rs"]
mod project;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use project::number;
use scorehouse_features::definition::Project;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_models::predictor::forest::{SplitRule, TreeNode};
use scorehouse_models::{
    Artifact, Calibration, EncodedColumn, Encoder, ForestBuilder, Predictor, Scale, Signature, Transform,
};

const CUSTOMERS: usize = 30_000;
const FEATURES: usize = 30;
const VIEWS: usize = 3;
const TREES: usize = 200;
const LEAVES: usize = 31;

fn main() -> anyhow::Result<()> {
    let folder: PathBuf = std::env::args().nth(1).ok_or_else(|| anyhow::anyhow!("which folder?"))?.into();
    let views = std::env::args().nth(2).map_or(Ok(VIEWS), |text| text.parse())?;
    anyhow::ensure!(FEATURES.checked_rem(views) == Some(0), "{FEATURES} features do not fit {views} views");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("scorehouse.toml"), text(views)?)?;
    let project = Project::load(&folder).map_err(|found| {
        anyhow::anyhow!("{}", found.first().map_or_else(String::new, ToString::to_string))
    })?;
    fill(&project, views)?;
    register(&project)?;
    bodies(&folder)?;
    Ok(())
}

fn text(views: usize) -> anyhow::Result<String> {
    let per_view = FEATURES / views;
    let mut text = String::from("[project]\nname = \"load\"\n[entity.customer]\nkey = \"customer_id\"\n");
    for view in 0..views {
        let columns: Vec<String> = (0..per_view).map(|n| format!("v{view}_{n} = \"float\"")).collect();
        let names: Vec<String> = (0..per_view).map(|n| format!("\"v{view}_{n}\"")).collect();
        writeln!(text, "[source.s{view}]\nevent_time = \"at\"")?;
        writeln!(text, "columns = {{ customer_id = \"text\", at = \"time\", {} }}", columns.join(", "))?;
        writeln!(text, "[view.w{view}]\nentity = \"customer\"\nkind = \"latest\"\nsource = \"s{view}\"")?;
        writeln!(text, "features = [{}]", names.join(", "))?;
    }
    let all: Vec<String> = (0..views).map(|view| format!("\"w{view}.*\"")).collect();
    writeln!(text, "[features.all]\nentity = \"customer\"\nfeatures = [{}]", all.join(", "))?;
    writeln!(text, "[model.load]\npipeline = \"registered\"\nfeature_set = \"all\"")?;
    Ok(text)
}

fn fill(project: &Project, views: usize) -> anyhow::Result<()> {
    let (store, at) = (project::store(project)?, Timestamp::parse("2024-01-01")?);
    let per_view = FEATURES / views;
    for view in 0..views {
        let row = |customer: usize| {
            let mut values = vec![Value::Text(format!("C-{customer}").into()), Value::Time(at)];
            values.extend((0..per_view).map(|n| Value::Float(number(customer * 64 + view * per_view + n))));
            values
        };
        project::push(&store, &format!("s{view}"), at, (0..CUSTOMERS).map(row))?;
    }
    Ok(())
}

/// A tree of `LEAVES` leaves grown by splitting some leaf again and again.
fn tree(seed: usize) -> Vec<TreeNode> {
    let leaf = |seed: usize| TreeNode::Leaf { value: (number(seed) - 0.5) / 20.0, cover: 10.0 };
    let mut nodes = vec![leaf(seed)];
    for split in 1..LEAVES {
        let leaves: Vec<usize> =
            (0..nodes.len()).filter(|at| matches!(nodes[*at], TreeNode::Leaf { .. })).collect();
        let at = leaves[(number(seed * 97 + split) * leaves.len() as f64) as usize];
        let left = nodes.len() as u32;
        nodes[at] = TreeNode::Split {
            column: (number(seed * 131 + split) * FEATURES as f64) as u32,
            rule: SplitRule::AtMost(number(seed * 151 + split)),
            missing_left: true,
            left,
            right: left + 1,
        };
        nodes.push(leaf(seed * 7 + split));
        nodes.push(leaf(seed * 11 + split));
    }
    nodes
}

fn register(project: &Project) -> anyhow::Result<()> {
    let set = project.feature_sets.first().ok_or_else(|| anyhow::anyhow!("no feature set"))?.1;
    let signature = Signature::of_feature_set(set);
    let columns = (0..FEATURES).map(|input| EncodedColumn::new(input, Transform::Number)).collect();
    let encoder = Encoder::new(columns, &signature)?;
    let mut builder = ForestBuilder::new(FEATURES, 0.0, Scale::LogOdds);
    for seed in 0..TREES {
        builder.add(&tree(seed * 1009 + 1))?;
    }
    let forest = Predictor::Forest(builder.finish());
    let artifact = Artifact::new(signature, encoder, forest, Calibration::Identity)?;
    project::register(project, "load", &artifact)
}

/// Bodies for the load generator: one row, a hundred, with reasons, every customer in turn; the ceiling's own beside them.
fn bodies(folder: &Path) -> anyhow::Result<()> {
    let keys =
        |n: usize| (0..n).map(|i| format!("\"C-{}\"", i * 37 % CUSTOMERS)).collect::<Vec<_>>().join(",");
    std::fs::write(folder.join("score_1.json"), "{\"entity\":\"C-1234\"}")?;
    std::fs::write(folder.join("score_100.json"), format!("{{\"entities\":[{}]}}", keys(100)))?;
    std::fs::write(folder.join("reasons_1.json"), "{\"entity\":\"C-1234\",\"reasons\":5}")?;
    for rows in [1, 100] {
        let body = format!("{{\"feature_set\":\"all\",\"keys\":[{}]}}", keys(rows));
        std::fs::write(folder.join(format!("features_{rows}.json")), body)?;
    }
    // Every customer in turn: none is asked again before 30,000 others.
    let each = |rest: &str| -> String {
        (0..CUSTOMERS).map(|i| format!("{{\"entity\":\"C-{}\"{rest}}}\n", i * 7 % CUSTOMERS)).collect()
    };
    std::fs::write(folder.join("score_each.jsonl"), each(""))?;
    std::fs::write(folder.join("reasons_each.jsonl"), each(",\"reasons\":5"))?;
    for rows in [1, 100] {
        let data: Vec<String> = (0..rows * FEATURES).map(|i| format!("{:.6}", number(i))).collect();
        let body = format!(
            "{{\"inputs\":[{{\"name\":\"x\",\"shape\":[{rows},{FEATURES}],\"datatype\":\"FP64\",\"data\":[{}]}}]}}",
            data.join(",")
        );
        std::fs::write(folder.join(format!("ceiling_{rows}.json")), body)?;
    }
    Ok(())
}
