//! What a model reads and what it answers.

use serde::{Deserialize, Serialize};

use scorehouse_features::definition::FeatureSet;
use scorehouse_features::ids::{EntityName, FeatureSetName};
use scorehouse_features::value::{Value, ValueType};

use crate::error::ModelError;

/// What a model reads and what it answers; its hash tells two models with the same surface apart from others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    /// The entity scored; none for a model over a plain table.
    pub entity: Option<EntityName>,
    /// The feature set read; none for a model over a plain table.
    pub feature_set: Option<FeatureSetRef>,
    /// The inputs in order: value i of a row belongs to input i.
    pub inputs: Vec<InputField>,
    /// What it answers.
    pub output: Output,
}

/// Which feature set, in which state of its definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureSetRef {
    /// Its name.
    pub name: FeatureSetName,
    /// Its hash, 64 hex digits: equal hashes compute equal values.
    pub hash: String,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputField {
    /// Its name: a feature's full name, or a table's column.
    pub name: String,
    /// Its type; a missing value is allowed in every type.
    pub value_type: ValueType,
    /// Its template in words, with `{value}`.
    pub words: Option<String>,
    /// Inputs of one group say the same thing: reasons tell them together. None: one by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// What a model answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// A probability.
    Probability,
    /// A number on a scale of its own.
    Value,
    /// Items in order of preference.
    Items,
}

impl Output {
    /// As it stands in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Probability => "a probability",
            Self::Value => "a value",
            Self::Items => "items",
        }
    }
}

impl Signature {
    /// The signature of a probability model over a feature set.
    #[must_use]
    pub fn of_feature_set(set: &FeatureSet) -> Self {
        let field = |f: &scorehouse_features::definition::FeatureField| InputField {
            name: f.name.to_string(),
            value_type: f.value_type,
            words: f.words.clone(),
            group: f.group.clone(),
        };
        Self {
            entity: Some(set.entity.clone()),
            feature_set: Some(FeatureSetRef { name: set.name.clone(), hash: set.hash.clone() }),
            inputs: set.features.iter().map(field).collect(),
            output: Output::Probability,
        }
    }

    /// Position of the input of this name.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.inputs.iter().position(|input| input.name == name)
    }

    /// BLAKE3 of the canonical JSON of all that decides what a caller must send and gets back: entity,
    /// feature set, names and types of inputs, output. Words and groups do not count.
    #[must_use]
    pub fn hash(&self) -> String {
        let inputs: Vec<(&str, ValueType)> =
            self.inputs.iter().map(|i| (i.name.as_str(), i.value_type)).collect();
        let json = serde_json::json!({
            "entity": self.entity,
            "feature_set": self.feature_set,
            "inputs": inputs,
            "output": self.output,
        });
        blake3::hash(json.to_string().as_bytes()).to_hex().to_string()
    }

    /// Checks that names are there, and each only once.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] naming the input at fault.
    pub fn check(&self) -> Result<(), ModelError> {
        let mut seen = std::collections::HashSet::new();
        for input in &self.inputs {
            if input.name.is_empty() {
                return Err(ModelError::invalid("signature", "an input has no name"));
            }
            if !seen.insert(input.name.as_str()) {
                return Err(ModelError::invalid(
                    "signature",
                    format!("input {} stands there twice", input.name),
                ));
            }
        }
        Ok(())
    }

    /// Checks one row at the edge: its width, each value's type (a whole number may stand for a float), and
    /// that no number is NaN or infinite.
    ///
    /// # Errors
    /// [`ModelError::WrongWidth`], [`ModelError::WrongType`] or [`ModelError::NotFinite`], naming the input.
    pub fn accept(&self, values: &[Value]) -> Result<(), ModelError> {
        if values.len() != self.inputs.len() {
            return Err(ModelError::WrongWidth { expected: self.inputs.len(), given: values.len() });
        }
        let refused =
            values.iter().zip(&self.inputs).find(|(value, input)| !accepts(value, input.value_type));
        refused.map_or(Ok(()), |(value, input)| Err(input.refusal(value)))
    }
}

/// True when an input of type `wanted` takes the value.
#[inline]
pub(crate) fn accepts(value: &Value, wanted: ValueType) -> bool {
    // What most inputs are.
    if let (Value::Float(number), ValueType::Float) = (value, wanted) {
        return number.is_finite();
    }
    matches!(
        (value, wanted),
        (Value::Missing(_), _)
            | (Value::Bool(_), ValueType::Bool)
            | (Value::Int(_), ValueType::Int | ValueType::Float)
            | (Value::Text(_), ValueType::Text)
            | (Value::Time(_), ValueType::Time)
    )
}

impl InputField {
    /// An input without words or group.
    #[must_use]
    pub fn new(name: impl Into<String>, value_type: ValueType) -> Self {
        Self { name: name.into(), value_type, words: None, group: None }
    }

    /// Why a value is not accepted.
    #[cold]
    fn refusal(&self, value: &Value) -> ModelError {
        let input = self.name.clone();
        match value.value_type() {
            Some(given) if !matches!(value, Value::Float(number) if !number.is_finite()) => {
                ModelError::WrongType { input, expected: self.value_type, given }
            }
            _ => ModelError::NotFinite { input },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scorehouse_features::value::Missing;

    fn signature() -> Signature {
        let input = |name: &str, value_type| InputField::new(name, value_type);
        Signature {
            entity: None,
            feature_set: None,
            inputs: vec![input("age", ValueType::Float), input("plan", ValueType::Text)],
            output: Output::Probability,
        }
    }

    #[test]
    fn a_missing_value_and_a_whole_number_are_accepted_where_a_float_is_read() {
        let s = signature();
        s.accept(&[Value::Int(3), Value::Missing(Missing::NeverSeen)]).unwrap();
    }

    #[test]
    fn nan_infinity_wrong_types_and_wrong_widths_are_refused_by_name() {
        let s = signature();
        let text = Value::Text("a".into());
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let refused = s.accept(&[Value::Float(bad), text.clone()]).unwrap_err();
            assert!(matches!(refused, ModelError::NotFinite { input } if input == "age"));
        }
        let refused = s.accept(&[text.clone(), text.clone()]).unwrap_err();
        assert_eq!(refused.to_string(), "input age must be float, not text");
        assert!(matches!(s.accept(&[text]), Err(ModelError::WrongWidth { expected: 2, given: 1 })));
    }

    #[test]
    fn the_hash_ignores_words_and_sees_types() {
        let plain = signature();
        let mut worded = plain.clone();
        worded.inputs[0].words = Some("{value} years old".into());
        assert_eq!(plain.hash(), worded.hash());
        let mut retyped = plain.clone();
        retyped.inputs[0].value_type = ValueType::Int;
        assert_ne!(plain.hash(), retyped.hash());
    }

    #[test]
    fn an_input_named_twice_is_refused() {
        let mut twice = signature();
        twice.inputs[1].name = "age".into();
        assert!(twice.check().unwrap_err().to_string().contains("age"));
    }
}
