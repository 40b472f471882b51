//! Trains the table pipeline on one file and measures it on another:
//! `table_eval TRAIN.csv TEST.csv LABEL [ID] [candidate,…]` prints log loss, AUC, ECE (15 equal-count bins), what
//! perfection would measure, calibration slope with its interval, and seconds.
#![allow(clippy::print_stdout, clippy::expect_used, clippy::print_stderr, reason = "a program that measures")]

use std::path::Path;
use std::time::Instant;

use scorehouse_features::definition::{Candidate, ModelSpec, Pipeline, Prior, Project, Settings, TableSpec};
use scorehouse_features::ids::ModelName;
use scorehouse_features::time::Timestamp;
use scorehouse_training::dataset::{read_label, read_table};
use scorehouse_training::metric::{Scored, evaluate};
use scorehouse_training::{NoHistory, Progress, TrainRequest, score_table, train};

struct Told;

impl Progress for Told {
    fn stage(&self, name: &str, _total: u64) {
        eprintln!("  {name}");
    }
    fn advance(&self, _by: u64) {}
    fn message(&self, text: &str) {
        eprintln!("  {text}");
    }
}

fn project(train: &Path, label: &str, id: Option<&str>, candidates: Vec<Candidate>) -> Project {
    let name = ModelName::new("eval").expect("a name");
    let spec = TableSpec {
        table: train.display().to_string(),
        label: label.to_owned(),
        positive: None,
        id: id.map(str::to_owned),
        time: None,
        group: None,
        ignore: Vec::new(),
        candidates,
        holdout: 0.25,
        prior: Prior::default(),
        monotone: Default::default(),
        actionable: Default::default(),
    };
    let model = ModelSpec {
        name: name.clone(),
        pipeline: Pipeline::Table(spec),
        description: None,
        serving: Default::default(),
    };
    Project {
        name: "eval".into(),
        root: ".".into(),
        seed: 7,
        state: ".".into(),
        access: Default::default(),
        entities: Default::default(),
        sources: Default::default(),
        views: Default::default(),
        request_fields: Default::default(),
        feature_sets: Default::default(),
        models: [(name, model)].into_iter().collect(),
        settings: Settings::default(),
        score_log: Default::default(),
        webhooks: Default::default(),
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let (train_file, test_file, label) = (Path::new(&args[1]), Path::new(&args[2]), args[3].as_str());
    let id = args.get(4).map(String::as_str).filter(|id| !id.is_empty());
    let named = |name: &str| match name {
        "logistic" => Candidate::Logistic,
        "forest" => Candidate::Forest,
        _ => Candidate::Boosting,
    };
    let candidates = args.get(5).map_or_else(
        || vec![Candidate::Logistic, Candidate::Forest, Candidate::Boosting],
        |list| list.split(',').map(named).collect(),
    );
    let project = project(train_file, label, id, candidates);
    let start = Instant::now();
    let trained = train(TrainRequest {
        project: &project,
        model: &ModelName::new("eval").expect("a name"),
        history: &NoHistory,
        seed: std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(7),
        threads: 2,
        now: Timestamp(0),
        champion: None,
        progress: &Told,
    })
    .expect("a trained model");
    let seconds = start.elapsed().as_secs_f64();
    for candidate in &trained.candidates {
        let value = |name: &str| candidate.metrics.value(name).unwrap_or(f64::NAN);
        println!(
            "  {:10} cross-validated {:.4}; holdout log loss {:.4} auc {:.4} ece {:.4} ({:.4}) slope {:.3} {}",
            candidate.name,
            value("cross_validated_log_loss"),
            value("log_loss"),
            value("auc"),
            value("ece"),
            value("ece_of_perfection_95"),
            value("calibration_slope"),
            candidate.settings
        );
    }
    let output = std::env::temp_dir().join(format!("table_eval_{}.csv", std::process::id()));
    let scoring = Instant::now();
    score_table(&trained.artifact, test_file, &output).expect("scores");
    let scored = scoring.elapsed().as_secs_f64();
    let scores = read_table(&output).expect("the scores");
    let p: Vec<f64> = (0..scores.rows()).map(|row| scores.raw(row, 1).parse().expect("a number")).collect();
    std::fs::remove_file(&output).ok();
    let test = read_table(test_file).expect("the test file");
    let at = test.position(label).expect("the label");
    let (y, _) = read_label(label, (0..test.rows()).map(|row| test.field(row, at)), None).expect("labels");
    let y: Vec<f64> = y.into_iter().map(|y| y.unwrap_or(0.0)).collect();
    let bytes = trained.artifact.to_bytes().expect("bytes").len();
    let measured = evaluate(Scored { probability: &p, label: &y, group: None }, 200, 1);
    let of = |name: &str| measured.metrics[name];
    let (slope, ece) = (of("calibration_slope"), of("ece"));
    println!(
        "{} chosen {} log loss {:.4} auc {:.4} brier {:.4} ece {:.4} (perfection stays below {:.4} in 95 %) slope {:.3} [{:.3}, {:.3}] train {seconds:.1} s score {scored:.2} s artifact {} kB digest {} {:?}",
        test_file.display(),
        trained.gate.chosen,
        of("log_loss").value,
        of("auc").value,
        of("brier").value,
        ece.value,
        of("ece_of_perfection_95").value,
        slope.value,
        slope.low,
        slope.high,
        bytes / 1000,
        &trained.data_digest[..8],
        trained.params["calibration"],
    );
}
