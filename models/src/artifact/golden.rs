//! Samples kept inside an artifact that must score as recorded.

use serde::{Deserialize, Serialize};

use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value, ValueType};

use crate::error::ModelError;
use crate::predictor::Predictor;
use crate::signature::{InputField, Signature};

/// One row and the output it must give.
#[derive(Debug, Clone, PartialEq)]
pub struct Golden {
    /// The inputs' values.
    pub values: Vec<Value>,
    /// The as-of time it is scored at.
    pub as_of: Timestamp,
    /// The output recorded.
    pub output: f64,
    /// How far the output may be off; machines differ in the last digits of a logarithm.
    pub tolerance: f64,
}

impl Golden {
    /// How far a recorded output may be off: ONNX Runtime counts in single precision.
    #[must_use]
    pub const fn tolerance_of(predictor: &Predictor) -> f64 {
        match predictor {
            Predictor::Onnx(_) => 1e-5,
            _ => 1e-9,
        }
    }
}

/// A sample as it stands in its section.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    values: Vec<serde_json::Value>,
    as_of: Timestamp,
    output: f64,
    tolerance: f64,
}

pub(super) fn write(samples: &[Golden]) -> Vec<Stored> {
    let stored = |g: &Golden| Stored {
        values: g.values.iter().map(Value::to_json).collect(),
        as_of: g.as_of,
        output: g.output,
        tolerance: g.tolerance,
    };
    samples.iter().map(stored).collect()
}

pub(super) fn read(stored: &[Stored], signature: &Signature) -> Result<Vec<Golden>, ModelError> {
    let golden = |s: &Stored| {
        if s.values.len() != signature.inputs.len() {
            let (expected, given) = (signature.inputs.len(), s.values.len());
            return Err(ModelError::WrongWidth { expected, given });
        }
        let values = s.values.iter().zip(&signature.inputs).map(|(json, input)| value_of(json, input));
        Ok(Golden {
            values: values.collect::<Result<_, _>>()?,
            as_of: s.as_of,
            output: s.output,
            tolerance: s.tolerance,
        })
    };
    stored.iter().map(golden).collect()
}

/// The values as a model reads them: whole numbers as floats where it reads floats, so that a sample comes out of
/// its file as it went in.
pub(super) fn as_read(values: &[Value], signature: &Signature) -> Vec<Value> {
    let read = |(value, input): (&Value, &InputField)| match (value, input.value_type) {
        (Value::Int(whole), ValueType::Float) => Value::Float(*whole as f64),
        _ => value.clone(),
    };
    values.iter().zip(&signature.inputs).map(read).collect()
}

/// Reads a value of the input's type; null is missing.
fn value_of(json: &serde_json::Value, input: &InputField) -> Result<Value, ModelError> {
    use serde_json::Value as Json;
    let read = match (json, input.value_type) {
        (Json::Null, _) => Some(Value::Missing(Missing::Undefined)),
        (Json::Bool(on), ValueType::Bool) => Some(Value::Bool(*on)),
        (Json::Number(n), ValueType::Int) => n.as_i64().map(Value::Int),
        (Json::Number(n), ValueType::Float) => n.as_f64().map(Value::Float),
        (Json::String(text), ValueType::Text) => Some(Value::Text(text.as_str().into())),
        (Json::String(text), ValueType::Time) => Timestamp::parse(text).ok().map(Value::Time),
        _ => None,
    };
    read.ok_or_else(|| {
        let why = format!("{json} is not a {} for {}", input.value_type, input.name);
        ModelError::invalid("golden sample", why)
    })
}
