//! Writes a project to serve under load: 30,000 customers, 30 stored features of 3 views, a forest of 200 trees.
//!
//! `cargo run -p scorehouse-bench --example serve_project -- FOLDER`, then `scorehouse --project FOLDER serve` and
//! `tests/bench/serve.py`, which asks the ceiling beside it in the same run.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use scorehouse_features::definition::Project;
use scorehouse_features::ids::{ModelName, SourceName};
use scorehouse_features::online::{Base, EmbeddedStore, OnlineStore, PushedRow, StoreOptions};
use scorehouse_features::time::{SystemClock, Timestamp};
use scorehouse_features::value::Value;
use scorehouse_features::view::Layout;
use scorehouse_models::predictor::forest::{SplitRule, TreeNode};
use scorehouse_models::registry::{AliasMove, Parents, RegisterRequest};
use scorehouse_models::{
    AliasName, Artifact, Calibration, EncodedColumn, Encoder, ForestBuilder, Predictor, Registry, Scale,
    Signature, SqliteRegistry, Transform,
};

const CUSTOMERS: usize = 30_000;
const VIEWS: usize = 3;
const PER_VIEW: usize = 10;
const TREES: usize = 200;
const LEAVES: usize = 31;

fn main() -> anyhow::Result<()> {
    let folder: PathBuf = std::env::args().nth(1).ok_or_else(|| anyhow::anyhow!("which folder?"))?.into();
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("scorehouse.toml"), text()?)?;
    let project = Project::load(&folder).map_err(|found| {
        anyhow::anyhow!("{}", found.first().map_or_else(String::new, ToString::to_string))
    })?;
    fill(&project)?;
    register(&project)?;
    bodies(&folder)?;
    Ok(())
}

fn text() -> anyhow::Result<String> {
    let mut text = String::from("[project]\nname = \"load\"\n[entity.customer]\nkey = \"customer_id\"\n");
    for view in 0..VIEWS {
        let columns: Vec<String> = (0..PER_VIEW).map(|n| format!("v{view}_{n} = \"float\"")).collect();
        let names: Vec<String> = (0..PER_VIEW).map(|n| format!("\"v{view}_{n}\"")).collect();
        writeln!(text, "[source.s{view}]\nevent_time = \"at\"")?;
        writeln!(text, "columns = {{ customer_id = \"text\", at = \"time\", {} }}", columns.join(", "))?;
        writeln!(text, "[view.w{view}]\nentity = \"customer\"\nkind = \"latest\"\nsource = \"s{view}\"")?;
        writeln!(text, "features = [{}]", names.join(", "))?;
    }
    writeln!(text, "[features.all]\nentity = \"customer\"\nfeatures = [\"w0.*\", \"w1.*\", \"w2.*\"]")?;
    writeln!(text, "[model.load]\npipeline = \"registered\"\nfeature_set = \"all\"")?;
    Ok(text)
}

/// A number from 0 to 1 that only its seed decides.
fn number(seed: usize) -> f64 {
    let mut mixed = (seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^= mixed >> 31;
    mixed = mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

fn fill(project: &Project) -> anyhow::Result<()> {
    let base = Base::empty(&Layout::of(project)?);
    let log = project.state.join("online").join("log");
    let store = EmbeddedStore::open(project, base, &log, StoreOptions::default(), Arc::new(SystemClock))?;
    let at = Timestamp::parse("2024-01-01")?;
    for view in 0..VIEWS {
        let row = |customer: usize| {
            let mut values = vec![Value::Text(format!("C-{customer}").into()), Value::Time(at)];
            values.extend((0..PER_VIEW).map(|n| Value::Float(number(customer * 64 + view * 16 + n))));
            PushedRow { event_time: at, available: at, arrival: 0, values, id: None }
        };
        store.append(&SourceName::new(format!("s{view}"))?, (0..CUSTOMERS).map(row).collect())?;
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
            column: (number(seed * 131 + split) * (VIEWS * PER_VIEW) as f64) as u32,
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
    let columns = (0..VIEWS * PER_VIEW).map(|input| EncodedColumn::new(input, Transform::Number)).collect();
    let encoder = Encoder::new(columns, &signature)?;
    let mut builder = ForestBuilder::new(VIEWS * PER_VIEW, 0.0, Scale::LogOdds);
    for seed in 0..TREES {
        builder.add(&tree(seed * 1009 + 1))?;
    }
    let forest = Predictor::Forest(builder.finish());
    let artifact = Artifact::new(signature, encoder, forest, Calibration::Identity)?;
    let registry = SqliteRegistry::open(project.state.join("registry"))?;
    let when = Timestamp::parse("2024-01-02")?;
    let model = ModelName::new("load")?;
    let registered = registry.register(&RegisterRequest {
        model: model.clone(),
        artifact: artifact.to_bytes()?,
        metrics: serde_json::json!({}),
        window: None,
        parents: Parents::default(),
        params: serde_json::json!({}),
        report: None,
        who: "bench".into(),
        when,
    })?;
    registry.move_alias(&AliasMove {
        model,
        alias: AliasName::champion(),
        to: Some(registered.version),
        who: "bench".into(),
        when,
        why: "to be measured".into(),
    })?;
    Ok(())
}

/// Bodies for the load generator: one row, a hundred, with reasons, every customer in turn; the ceiling's own beside them.
fn bodies(folder: &Path) -> anyhow::Result<()> {
    let keys =
        |n: usize| (0..n).map(|i| format!("\"C-{}\"", i * 37 % CUSTOMERS)).collect::<Vec<_>>().join(",");
    std::fs::write(folder.join("score_1.json"), "{\"entity\":\"C-1234\"}")?;
    std::fs::write(folder.join("score_100.json"), format!("{{\"entities\":[{}]}}", keys(100)))?;
    std::fs::write(folder.join("reasons_1.json"), "{\"entity\":\"C-1234\",\"reasons\":5}")?;
    // Every customer in turn: none is asked again before 30,000 others.
    let each = |rest: &str| -> String {
        (0..CUSTOMERS).map(|i| format!("{{\"entity\":\"C-{}\"{rest}}}\n", i * 7 % CUSTOMERS)).collect()
    };
    std::fs::write(folder.join("score_each.jsonl"), each(""))?;
    std::fs::write(folder.join("reasons_each.jsonl"), each(",\"reasons\":5"))?;
    for rows in [1, 100] {
        let width = VIEWS * PER_VIEW;
        let data: Vec<String> = (0..rows * width).map(|i| format!("{:.6}", number(i))).collect();
        let body = format!(
            "{{\"inputs\":[{{\"name\":\"x\",\"shape\":[{rows},{width}],\"datatype\":\"FP64\",\"data\":[{}]}}]}}",
            data.join(",")
        );
        std::fs::write(folder.join(format!("ceiling_{rows}.json")), body)?;
    }
    Ok(())
}
