//! `scorehouse models register`: a model trained elsewhere, with a sample that must score as recorded.

use std::path::Path;

use scorehouse_features::definition::{FeatureSet, Pipeline};
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value, ValueType};
use scorehouse_models::encoder::{EncodedColumn, Encoder, Transform};
use scorehouse_models::predictor::Predictor;
use scorehouse_models::predictor::onnx::{Onnx, OnnxOptions};
use scorehouse_models::registry::{AliasMove, Parents, RegisterRequest};
use scorehouse_models::{
    AliasName, Artifact, Calibration, FeatureSetRef, ModelVersion, Registry, ScoringModel, Scratch, Signature,
};
use serde::Serialize;

use crate::cli::args::RegisterArgs;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::output::{Report, show};
use crate::cli::session::{Session, actor, model_name};

/// The sample's column that holds the probability each row must get.
const EXPECTED: &str = "expected";
/// The sample's column that holds the moment a row is scored as of; needed where a feature is a time.
const AS_OF: &str = "as_of";

/// Runs `scorehouse models register`.
///
/// # Errors
/// A data failure that names the first sample row that scores otherwise than recorded; a failure with its
/// fault for anything else. Nothing is registered then.
pub fn run(session: &Session, args: &RegisterArgs) -> Outcome<()> {
    let model = model_name(&args.model)?;
    let set = feature_set(session, &args.model)?;
    let artifact = artifact_of(set, std::fs::read(&args.onnx)?)?;
    let sample = Sample::read(&args.sample, set)?;
    let now = session.clock.now();
    sample.check(&artifact, args.tolerance)?;
    let golden: Vec<(Vec<Value>, Timestamp)> =
        sample.rows.iter().map(|row| (row.values.clone(), row.as_of)).collect();
    let artifact = artifact.with_golden(&golden)?;
    let registry = session.registry()?;
    let registered = registry.register(&RegisterRequest {
        model: model.clone(),
        artifact: artifact.to_bytes()?,
        metrics: serde_json::json!({}),
        window: None,
        parents: Parents {
            feature_set: Some(FeatureSetRef { name: set.name.clone(), hash: set.hash.clone() }),
            data_digest: None,
        },
        params: serde_json::json!({ "format": "onnx", "sample_rows": sample.rows.len() }),
        report: None,
        who: actor(),
        when: now,
    })?;
    if let Some(alias) = &args.alias {
        registry.move_alias(&AliasMove {
            model: model.clone(),
            alias: AliasName::new(alias)?,
            to: Some(registered.version),
            who: actor(),
            when: now,
            why: "registered from ONNX".to_owned(),
        })?;
    }
    let done = Done { model: args.model.clone(), version: registered.version, samples: sample.rows.len() };
    Ok(show(&done, session.json)?)
}

fn feature_set<'a>(session: &'a Session, model: &str) -> Outcome<&'a FeatureSet> {
    let project = &session.project;
    let spec = project.models.get(model).ok_or_else(|| {
        Failure::caller(format!(
            "the project declares no model `{model}`; add [model.{model}] with pipeline = \"registered\""
        ))
    })?;
    let name = match &spec.pipeline {
        Pipeline::Registered(name) => name,
        Pipeline::Win(win) => &win.fit.feature_set,
        Pipeline::Churn(churn) => &churn.fit.feature_set,
        _ => {
            return Err(Failure::caller(format!(
                "model `{model}` reads no feature set; an ONNX model needs one"
            )));
        }
    };
    project.feature_sets.get(name).ok_or_else(|| Failure::data(format!("no feature set `{name}`")))
}

/// Numbers as they are, booleans as 0 and 1, missing as NaN: what tools outside train on.
fn artifact_of(set: &FeatureSet, onnx: Vec<u8>) -> Outcome<Artifact> {
    let mut columns = Vec::with_capacity(set.features.len());
    for (input, field) in set.features.iter().enumerate() {
        let transform = match field.value_type {
            ValueType::Int | ValueType::Float => Transform::Number,
            ValueType::Bool => Transform::Bool,
            ValueType::Time => Transform::DaysBeforeAsOf,
            ValueType::Text => {
                return Err(Failure::data(format!(
                    "feature {} is text; an ONNX model reads numbers. Leave it out of the feature set, or derive \
                     numbers from it",
                    field.name
                )));
            }
        };
        columns.push(EncodedColumn { input, transform, scaling: None });
    }
    let onnx = Onnx::new(onnx, OnnxOptions::classifier(columns.len()))?;
    let signature = Signature::of_feature_set(set);
    let encoder = Encoder::new(columns, &signature)?;
    Ok(Artifact::new(signature, encoder, Predictor::Onnx(onnx), Calibration::Identity)?)
}

/// Rows with the probability each must get.
struct Sample {
    rows: Vec<SampleRow>,
}

struct SampleRow {
    values: Vec<Value>,
    as_of: Timestamp,
    expected: f64,
}

impl Sample {
    fn read(path: &Path, set: &FeatureSet) -> Outcome<Self> {
        let mut reader =
            csv::Reader::from_path(path).map_err(|e| Failure::caller(format!("{}: {e}", path.display())))?;
        let header = reader.headers().map_err(Failure::data)?.clone();
        let place = |name: &str| {
            header
                .iter()
                .position(|h| h == name)
                .ok_or_else(|| Failure::data(format!("{} has no column `{name}`", path.display())))
        };
        let expected = place(EXPECTED)?;
        let dated = set.features.iter().any(|field| field.value_type == ValueType::Time);
        let as_of = header.iter().position(|h| h == AS_OF);
        if dated && as_of.is_none() {
            place(AS_OF)?;
        }
        let mut places = Vec::new();
        for field in &set.features {
            places.push((place(&field.name.to_string())?, field.value_type));
        }
        let mut rows = Vec::new();
        for (number, record) in reader.records().enumerate() {
            let record = record.map_err(Failure::data)?;
            let at = |what: String| Failure::data(format!("{} row {}: {what}", path.display(), number + 1));
            let cell = |place: usize| record.get(place).unwrap_or_default().trim();
            let values = places
                .iter()
                .map(|(place, kind)| {
                    parse(cell(*place), *kind).ok_or_else(|| at(format!("`{}` is not {kind}", cell(*place))))
                })
                .collect::<Outcome<Vec<Value>>>()?;
            let expected: f64 =
                cell(expected).parse().map_err(|_| at("`expected` is not a number".to_owned()))?;
            // Where no feature is a time the moment decides nothing; one that never moves keeps the digest.
            let as_of = as_of.map_or(Ok(Timestamp(0)), |place| {
                Timestamp::parse(cell(place)).map_err(|e| at(format!("`{AS_OF}`: {e}")))
            })?;
            rows.push(SampleRow { values, as_of, expected });
        }
        if rows.is_empty() {
            return Err(Failure::data(format!(
                "{} holds no row; a sample is what proves the model",
                path.display()
            )));
        }
        Ok(Self { rows })
    }

    fn check(&self, artifact: &Artifact, tolerance: f64) -> Outcome<()> {
        let model = ScoringModel::load(artifact)?;
        let mut scratch = Scratch::default();
        for (number, row) in self.rows.iter().enumerate() {
            let expected = row.expected;
            let score = model.score(&row.values, row.as_of, 0, &mut scratch)?;
            if (score.output - expected).abs() > tolerance {
                return Err(Failure::data(format!(
                    "sample row {}: the model says {}, the sample {expected}; nothing was registered",
                    number + 1,
                    score.output
                )));
            }
        }
        Ok(())
    }
}

fn parse(text: &str, kind: ValueType) -> Option<Value> {
    if text.is_empty() {
        return Some(Value::Missing(Missing::NullAtSource));
    }
    match kind {
        ValueType::Bool => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "1.0" => Some(Value::Bool(true)),
            "false" | "0" | "0.0" => Some(Value::Bool(false)),
            _ => None,
        },
        ValueType::Int => text.parse::<i64>().ok().map(Value::Int),
        ValueType::Float => text.parse::<f64>().ok().filter(|v| v.is_finite()).map(Value::Float),
        ValueType::Text => Some(Value::Text(text.into())),
        ValueType::Time => Timestamp::parse(text).ok().map(Value::Time),
    }
}

#[derive(Serialize)]
struct Done {
    model: String,
    version: ModelVersion,
    samples: usize,
}

impl Report for Done {
    fn human(&self) -> String {
        format!(
            "{} version {} registered; all {} sample rows score as recorded",
            self.model, self.version, self.samples
        )
    }
}
