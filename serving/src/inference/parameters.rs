//! Parameters: named values beside tensors, for what the standard leaves open.

use std::fmt;

use scorehouse_features::nearest::nearest;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::error::{ServeError, suggestion};
use crate::service::scalar::{Scalar, Text};

/// A parameter's value: one, or a list where a parameter takes several.
#[derive(Debug, Clone, PartialEq)]
pub enum Parameter<'a> {
    /// One value.
    One(Scalar<'a>),
    /// Several.
    Many(Vec<Scalar<'a>>),
}

/// Parameters by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parameters<'a>(pub Vec<(Text<'a>, Parameter<'a>)>);

/// Parameters that clients send by themselves and that say nothing to a server without sequences, queues of
/// different priority, or shared memory.
const PASSED_OVER: [&str; 7] =
    ["priority", "timeout", "sequence_id", "sequence_start", "sequence_end", "binary_data", "content_type"];

impl<'a> Parameters<'a> {
    /// The value of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Parameter<'a>> {
        self.0.iter().find(|(known, _)| &**known == name).map(|(_, value)| value)
    }

    /// The text of this name.
    ///
    /// # Errors
    /// [`ServeError::WrongType`] for another kind of value.
    pub fn text(&self, name: &str) -> Result<Option<&str>, ServeError> {
        match self.get(name) {
            None | Some(Parameter::One(Scalar::Null)) => Ok(None),
            Some(Parameter::One(Scalar::Text(text))) => Ok(Some(text)),
            Some(_) => Err(wrong(name, "text")),
        }
    }

    /// The whole number, 0 or more, of this name.
    ///
    /// # Errors
    /// [`ServeError::WrongType`] for another kind of value.
    pub fn count(&self, name: &str) -> Result<Option<usize>, ServeError> {
        match self.get(name) {
            None | Some(Parameter::One(Scalar::Null)) => Ok(None),
            Some(Parameter::One(Scalar::Int(number))) => {
                usize::try_from(*number).map(Some).map_err(|_| wrong(name, "a whole number, 0 or more"))
            }
            Some(_) => Err(wrong(name, "a whole number, 0 or more")),
        }
    }

    /// The truth value of this name; false without one.
    ///
    /// # Errors
    /// [`ServeError::WrongType`] for another kind of value.
    pub fn flag(&self, name: &str) -> Result<bool, ServeError> {
        match self.get(name) {
            None | Some(Parameter::One(Scalar::Null)) => Ok(false),
            Some(Parameter::One(Scalar::Bool(value))) => Ok(*value),
            Some(_) => Err(wrong(name, "true or false")),
        }
    }

    /// Refuses a parameter that is not in `known`: one that is passed over in silence would be believed.
    ///
    /// # Errors
    /// [`ServeError::InvalidField`] with the nearest known name.
    pub fn only(&self, known: &[&str]) -> Result<(), ServeError> {
        let strange = |name: &str| {
            !known.contains(&name) && !PASSED_OVER.contains(&name) && !name.starts_with("request.")
        };
        let Some((name, _)) = self.0.iter().find(|(name, _)| strange(name)) else { return Ok(()) };
        let name: String = name.chars().take(100).collect();
        let near = nearest(&name, known.iter().copied()).map(str::to_owned);
        // The standard's errors are a message and nothing else, so that it says all.
        let (known, near_text) = (known.join(", "), suggestion(near.as_ref()));
        let message = format!("there is no parameter {name:?} here, there are {known}{near_text}");
        Err(ServeError::InvalidField { message, nearest: near })
    }
}

fn wrong(name: &str, expected: &str) -> ServeError {
    ServeError::WrongType {
        field: format!("parameter {name}"),
        expected: expected.into(),
        given: "another value".into(),
    }
}

struct ParameterVisitor;

impl<'de> Visitor<'de> for ParameterVisitor {
    type Value = Parameter<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, text, true, false, null, or a list of such")
    }

    fn visit_unit<E>(self) -> Result<Parameter<'de>, E> {
        Ok(Parameter::One(Scalar::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Parameter<'de>, E> {
        Ok(Parameter::One(Scalar::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Parameter<'de>, E> {
        Ok(Parameter::One(Scalar::Int(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Parameter<'de>, E> {
        Ok(Parameter::One(i64::try_from(value).map_or(Scalar::Float(value as f64), Scalar::Int)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Parameter<'de>, E> {
        Ok(Parameter::One(Scalar::Float(value)))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Parameter<'de>, E> {
        Ok(Parameter::One(Scalar::Text(text.into())))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Parameter<'de>, E> {
        Ok(Parameter::One(Scalar::Text(text.to_owned().into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Parameter<'de>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Parameter::Many(values))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Parameter<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ParameterVisitor)
    }
}

struct ParametersVisitor;

impl<'de> Visitor<'de> for ParametersVisitor {
    type Value = Parameters<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of parameters")
    }

    fn visit_unit<E>(self) -> Result<Parameters<'de>, E> {
        Ok(Parameters::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parameters<'de>, A::Error> {
        let mut all = Vec::new();
        while let Some(name) = map.next_key::<Text<'de>>()? {
            all.push((name, map.next_value()?));
        }
        Ok(Parameters(all))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Parameters<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ParametersVisitor)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn a_parameter_that_nothing_knows_is_refused_with_the_nearest_name() {
        let only =
            |text: &str| serde_json::from_str::<Parameters<'_>>(text).unwrap().only(&["entities", "reasons"]);
        only(r#"{"reasons": 3, "priority": 1, "request.amount": 2}"#).unwrap();
        let told = only(r#"{"reason": 3}"#).unwrap_err().to_string();
        assert!(told.contains("there are entities, reasons; did you mean \"reasons\"?"), "{told}");
        let told = only(r#"{"something": 3}"#).unwrap_err().to_string();
        assert!(told.contains("\"something\"") && !told.contains("did you mean"), "{told}");
    }
}
