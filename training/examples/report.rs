//! Trains the table pipeline on one file and writes its report:
//! `cargo run -p scorehouse-training --example report -- TABLE.csv LABEL OUT.html [ID] [TIME]`.
#![allow(clippy::print_stdout, reason = "a program that says what it did")]

use std::path::Path;

use scorehouse_features::definition::Project;
use scorehouse_features::ids::ModelName;
use scorehouse_features::time::Timestamp;
use scorehouse_training::{NoHistory, Silent, TrainRequest, train};

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let [_, table, label, out, rest @ ..] = args.as_slice() else {
        anyhow::bail!("usage: report TABLE.csv LABEL OUT.html [ID] [TIME]");
    };
    let mut text = format!(
        "[project]\nname = \"report\"\nseed = 7\n[model.report]\npipeline = \"table\"\ntable = {table:?}\nlabel = {label:?}\n"
    );
    for (key, column) in ["id", "time"].iter().zip(rest).filter(|(_, column)| !column.is_empty()) {
        text.push_str(&format!("{key} = {column:?}\n"));
    }
    let project = Project::parse(&text, Path::new(".")).map_err(|found| {
        anyhow::anyhow!(found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })?;
    let model = ModelName::new("report")?;
    let trained = train(TrainRequest {
        project: &project,
        model: &model,
        history: &NoHistory,
        seed: project.seed,
        threads: 0,
        now: Timestamp(0),
        champion: None,
        progress: &Silent,
    })?;
    std::fs::write(out, trained.report_html.unwrap_or_default())?;
    println!(
        "{out}: gate {}; {}",
        if trained.gate.passed { "passed" } else { "not passed" },
        trained.gate.why
    );
    for check in &trained.gate.checks {
        println!("  {}: {} {}", check.name, if check.passed { "yes," } else { "no," }, check.detail);
    }
    Ok(())
}
