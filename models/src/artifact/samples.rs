//! A small model of every kind, for tests.

use scorehouse_features::time::{DAY, Timestamp};
use scorehouse_features::value::{Missing, Value, ValueType};

use crate::artifact::Artifact;
use crate::calibration::Calibration;
use crate::encoder::{EncodedColumn, Encoder, Levels, Means, Scaling, Transform};
use crate::predictor::forest::{ForestBuilder, SplitRule, TreeNode};
use crate::predictor::{Average, Forest, Linear, Member, Predictor, Scale, Term};
use crate::signature::{InputField, Output, Signature};

/// Four inputs of every type a model reads.
pub(crate) fn signature() -> Signature {
    let input = |name: &str, value_type, words: Option<&str>| InputField {
        words: words.map(Into::into),
        ..InputField::new(name, value_type)
    };
    let inputs = vec![
        input("deal.amount", ValueType::Float, Some("the deal is worth {value}")),
        input("deal.plan", ValueType::Text, Some("the plan is {value}")),
        input("deal.opened", ValueType::Time, None),
        input("deal.called", ValueType::Bool, None),
    ];
    Signature { entity: None, feature_set: None, inputs, output: Output::Probability }
}

/// Columns for trees (0 to 3) and, filled and scaled, for linear models (4 to 8).
pub(crate) fn encoder() -> Encoder {
    let levels: Levels = ["basic", "gold"].into_iter().map(String::from).collect();
    let means: Means = [("basic".to_owned(), 0.2), ("gold".to_owned(), 0.7)].into_iter().collect();
    let scaling = |mean, scale| Scaling { mean, scale, fill: mean, limit: Some(5.0) };
    let columns = vec![
        EncodedColumn::new(0, Transform::Number),
        EncodedColumn::new(1, Transform::Code { levels: levels.clone() }),
        EncodedColumn::new(2, Transform::DaysBeforeAsOf),
        EncodedColumn::new(3, Transform::Bool),
        EncodedColumn::new(0, Transform::SignedLog).scaled(scaling(6.0, 2.0)),
        EncodedColumn::new(1, Transform::OneHot { level: "gold".into() }),
        EncodedColumn::new(1, Transform::TargetMean { means, prior: 0.4 }),
        EncodedColumn::new(0, Transform::IsMissing),
        EncodedColumn::new(2, Transform::DaysBeforeAsOf).scaled(scaling(30.0, 20.0)),
    ];
    Encoder::new(columns, &signature()).unwrap()
}

pub(crate) fn forest() -> Forest {
    let leaf = |value, cover| TreeNode::Leaf { value, cover };
    let split =
        |column, rule, missing_left, left, right| TreeNode::Split { column, rule, missing_left, left, right };
    let mut builder = ForestBuilder::new(4, -0.3, Scale::LogOdds);
    let first = [
        split(0, SplitRule::AtMost(1000.0), false, 1, 2),
        leaf(-0.4, 55.0),
        split(1, SplitRule::OneOf(vec![1, 2]), true, 3, 4),
        leaf(0.9, 20.0),
        leaf(0.1, 25.0),
    ];
    let second = [
        split(2, SplitRule::AtMost(14.0), true, 1, 2),
        split(3, SplitRule::AtMost(0.5), true, 3, 4),
        leaf(-0.25, 40.0),
        leaf(0.05, 35.0),
        leaf(0.35, 25.0),
    ];
    builder.add(&first).unwrap();
    builder.add(&second).unwrap();
    builder.finish()
}

pub(crate) fn linear() -> Linear {
    let term = |column, weight, center| Term { column, weight, center };
    let terms = vec![
        term(4, 0.8, 0.0),
        term(5, 0.3, 0.4),
        term(6, 1.1, 0.41),
        term(7, -0.2, 0.05),
        term(8, -0.4, 0.0),
    ];
    Linear::new(-0.6, terms, Scale::LogOdds).unwrap()
}

pub(crate) fn average() -> Average {
    let forest = Member { weight: 0.75, predictor: Predictor::Forest(forest()) };
    let linear = Member { weight: 0.25, predictor: Predictor::Linear(linear()) };
    Average::new(vec![forest, linear]).unwrap()
}

/// Rows with and without missing values, a level never seen, and extremes.
pub(crate) fn rows() -> Vec<(Vec<Value>, Timestamp)> {
    let now = Timestamp(20_000 * DAY);
    let opened = |days: i64| Value::Time(Timestamp(now.0 - days * DAY));
    let missing = || Value::Missing(Missing::NeverSeen);
    let text = |t: &str| Value::Text(t.into());
    vec![
        (vec![Value::Float(250.0), text("basic"), opened(3), Value::Bool(true)], now),
        (vec![Value::Float(5000.5), text("gold"), opened(40), Value::Bool(false)], now),
        (vec![Value::Int(1000), text("iron"), opened(14), missing()], now),
        (vec![missing(), missing(), missing(), missing()], now),
        (vec![Value::Float(-1e300), text(""), opened(-400), Value::Bool(true)], now),
    ]
}

pub(crate) fn artifact_of(predictor: Predictor, calibration: Calibration) -> Artifact {
    let artifact = Artifact::new(signature(), encoder(), predictor, calibration).unwrap();
    artifact.with_details(serde_json::json!({"seed": 7})).with_golden(&rows()).unwrap()
}

/// One artifact of every kind of predictor, each with another calibration.
pub(crate) fn artifacts() -> Vec<(&'static str, Artifact)> {
    let isotonic = Calibration::Isotonic { x: vec![-1.0, 0.0, 1.5], y: vec![0.1, 0.35, 0.9] };
    vec![
        ("linear", artifact_of(Predictor::Linear(linear()), Calibration::Platt { a: 1.1, b: -0.05 })),
        ("forest", artifact_of(Predictor::Forest(forest()), isotonic)),
        ("average", artifact_of(Predictor::Average(average()), Calibration::Beta { a: 1.0, b: 0.9, c: 0.1 })),
    ]
}
