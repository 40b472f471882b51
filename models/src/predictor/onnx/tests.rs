//! ONNX models against ONNX Runtime's own answers. Without the library these tests say so and pass: it is
//! optional. `make test` brings it and sets `ORT_DYLIB_PATH`.

use std::path::PathBuf;

use super::*;
use crate::artifact::Artifact;
use crate::calibration::Calibration;
use crate::encoder::Encoder;
use crate::predictor::Predictor;
use crate::score::{ScoringModel, Scratch};
use crate::signature::{InputField, Output, Signature};
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Value, ValueType};

fn fixture(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/onnx");
    std::fs::read(folder.join(name)).unwrap()
}

fn figures(of: &str) -> (Vec<Vec<f64>>, Vec<f64>) {
    let figures: serde_json::Value = serde_json::from_slice(&fixture("figures.json")).unwrap();
    let rows = serde_json::from_value(figures["rows"][of].clone()).unwrap();
    (rows, serde_json::from_value(figures["expected"][of].clone()).unwrap())
}

fn model(name: &str, scale: Scale) -> Onnx {
    Onnx::new(fixture(name), OnnxOptions { width: 4, output: None, scale }).unwrap()
}

/// True, and a line that says so, when there is no library to test with.
fn without_library() -> bool {
    let missing = !library_is_available();
    if missing {
        eprintln!("skipped: {ENVIRONMENT_VARIABLE} names no ONNX Runtime library");
    }
    missing
}

fn signature() -> Signature {
    let input = |i| InputField::new(format!("x{i}"), ValueType::Float);
    let inputs = (0..4).map(input).collect();
    Signature { entity: None, feature_set: None, inputs, output: Output::Probability }
}

fn artifact() -> Artifact {
    let encoder = Encoder::numeric(&signature()).unwrap();
    let predictor = Predictor::Onnx(model("trees.onnx", Scale::Probability));
    Artifact::new(signature(), encoder, predictor, Calibration::Identity).unwrap()
}

#[test]
fn a_classifier_answers_as_in_python() {
    if without_library() {
        return;
    }
    let (rows, expected) = figures("trees");
    let model = model("trees.onnx", Scale::Probability);
    for (row, expected) in rows.iter().zip(expected) {
        assert!((model.raw(row).unwrap() - expected).abs() < 1e-6);
    }
}

#[test]
fn a_model_with_one_input_per_column_gets_each_in_its_type() {
    if without_library() {
        return;
    }
    let (rows, expected) = figures("columns");
    let model = model("columns.onnx", Scale::Value);
    for (row, expected) in rows.iter().zip(expected) {
        assert!((model.raw(row).unwrap() - expected).abs() < 1e-5);
    }
    let refused = model.raw(&[0.0, 0.0, f64::NAN, 0.0]).unwrap_err();
    assert!(refused.to_string().contains("whole numbers"), "{refused}");
}

#[test]
fn a_classifier_that_answers_with_maps_is_told_how_to_convert() {
    if without_library() {
        return;
    }
    let refused = model("zipmap.onnx", Scale::Probability).prepare().unwrap_err();
    assert!(refused.to_string().contains("'zipmap': False"), "{refused}");
}

#[test]
fn a_wrong_width_a_wrong_output_and_other_bytes_are_refused() {
    if without_library() {
        return;
    }
    let narrow = Onnx::new(fixture("trees.onnx"), OnnxOptions::classifier(3)).unwrap();
    assert!(narrow.prepare().unwrap_err().to_string().contains("reads 4 columns"));
    let named = OnnxOptions { output: Some("logits".into()), ..OnnxOptions::classifier(4) };
    let refused = Onnx::new(fixture("trees.onnx"), named).unwrap().prepare().unwrap_err();
    assert!(refused.to_string().contains("there are label, probabilities"), "{refused}");
    let junk = Onnx::new(b"not a model".to_vec(), OnnxOptions::classifier(4)).unwrap();
    assert!(matches!(junk.prepare(), Err(ModelError::Onnx { .. })));
}

#[test]
fn an_artifact_keeps_the_model_without_needing_the_library() {
    let bytes = artifact().to_bytes().unwrap();
    let read = Artifact::from_bytes(&bytes).unwrap();
    let Predictor::Onnx(onnx) = &read.predictor else { panic!("{:?}", read.predictor) };
    assert_eq!(onnx.bytes(), fixture("trees.onnx"));
    assert!(bytes == read.to_bytes().unwrap());
}

#[test]
fn a_loaded_artifact_scores_alike_alone_in_a_batch_and_on_many_threads() {
    if without_library() {
        return;
    }
    let (rows, expected) = figures("trees");
    let rows: Vec<Vec<Value>> = rows.iter().map(|r| r.iter().map(|x| Value::Float(*x)).collect()).collect();
    let golden: Vec<_> = rows.iter().map(|r| (r.clone(), Timestamp(0))).collect();
    let model = ScoringModel::load(&artifact().with_golden(&golden).unwrap()).unwrap();
    let views = rows.iter().map(|r| (r.as_slice(), Timestamp(0)));
    let mut batch = Vec::new();
    model.score_batch(views, 0, &mut Scratch::default(), &mut batch).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for ((row, together), expected) in rows.iter().zip(&batch).zip(&expected) {
                    let alone = model.score(row, Timestamp(0), 0, &mut Scratch::default()).unwrap();
                    assert_eq!(alone.output.to_bits(), together.output.to_bits());
                    assert!((alone.output - expected).abs() < 1e-6);
                }
            });
        }
    });
}

#[test]
fn reasons_asked_of_a_model_without_samples_are_refused_clearly() {
    let predictor = artifact().predictor;
    let refused = predictor.contributions(&[0.0; 4], &mut [0.0; 4]).unwrap_err();
    assert_eq!(refused.to_string(), "this ONNX model cannot explain its scores");
}

#[test]
fn reasons_are_told_against_the_golden_samples_and_add_up() {
    if without_library() {
        return;
    }
    let (rows, _) = figures("trees");
    let rows: Vec<_> = rows.iter().map(|r| r.iter().map(|x| Value::Float(*x)).collect::<Vec<_>>()).collect();
    let golden: Vec<_> = rows.iter().take(5).map(|r| (r.clone(), Timestamp(0))).collect();
    let model = ScoringModel::load(&artifact().with_golden(&golden).unwrap()).unwrap();
    assert!(model.explains());
    for row in &rows {
        let score = model.score(row, Timestamp(0), 2, &mut Scratch::default()).unwrap();
        let told: f64 = score.reasons().iter().map(|r| r.contribution).sum();
        let sum = score.explanation.base + told + score.explanation.rest;
        assert!((sum - score.raw).abs() < 1e-9, "{sum} {}", score.raw);
        assert_eq!(score, model.score(row, Timestamp(0), 2, &mut Scratch::default()).unwrap());
    }
}
