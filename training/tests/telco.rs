//! The quality floor: customers of a telephone company, split at random, with default settings.
//!
//! The floors are the best tuned peers on this very split (logistic regression with a
//! cross-validated penalty, LightGBM with a randomised search; `docs/decisions/scores.md` has the table).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::io::Read as _;
use std::path::Path;

use scorehouse_features::definition::Project;
use scorehouse_features::ids::ModelName;
use scorehouse_features::time::Timestamp;
use scorehouse_training::dataset::read_table;
use scorehouse_training::metric::{Evaluation, Scored, evaluate};
use scorehouse_training::{NoHistory, Silent, TrainRequest, Trained, score_table, train};

const PROJECT: &str = r#"
[project]
name = "telco"
seed = 7
[model.churn]
pipeline = "table"
table = "train.csv"
label = "label"
id = "id"
"#;

fn unpack(folder: &Path, name: &str) {
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/telco_churn").join(name);
    let mut text = String::new();
    let file = std::fs::File::open(packed.with_extension("csv.gz")).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    std::fs::write(folder.join(name), text).unwrap();
}

fn learnt(folder: &Path) -> Trained {
    let project = Project::parse(PROJECT, folder).unwrap_or_else(|found| panic!("{found:?}"));
    train(TrainRequest {
        project: &project,
        model: &ModelName::new("churn").unwrap(),
        history: &NoHistory,
        seed: project.seed,
        threads: 2,
        now: Timestamp(0),
        champion: None,
        progress: &Silent,
    })
    .unwrap()
}

fn measured(trained: &Trained, folder: &Path) -> Evaluation {
    let (input, output) = (folder.join("test.csv"), folder.join("scores.csv"));
    score_table(&trained.artifact, &input, &output).unwrap();
    let (scores, truth) = (read_table(&output).unwrap(), read_table(&input).unwrap());
    let (probability, label) = (scores.position("probability").unwrap(), truth.position("label").unwrap());
    let number = |text: &str| text.parse::<f64>().unwrap();
    let p: Vec<f64> = (0..scores.rows()).map(|row| number(scores.raw(row, probability))).collect();
    let y: Vec<f64> = (0..truth.rows()).map(|row| number(truth.raw(row, label))).collect();
    evaluate(Scored { probability: &p, label: &y, group: None }, 200, 1)
}

#[test]
fn scores_of_telco_customers_are_better_than_the_best_tuned_peer_and_honest() {
    let folder = tempfile::tempdir().unwrap();
    unpack(folder.path(), "train.csv");
    unpack(folder.path(), "test.csv");
    let trained = learnt(folder.path());
    let measured = measured(&trained, folder.path());
    let of = |name: &str| measured.metrics[name];
    assert!(of("log_loss").value <= 0.4071, "{:?}", of("log_loss"));
    assert!(of("auc").value >= 0.8537, "{:?}", of("auc"));
    assert!(of("ece").value <= of("ece_of_perfection_95").value, "{:?}", of("ece"));
    let slope = of("calibration_slope");
    assert!((0.95..=1.05).contains(&slope.value), "{slope:?}");
    assert!(trained.gate.passed, "{:?}", trained.gate);
}
