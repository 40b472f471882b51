//! Requests in JSON, with tensors in bytes behind it where a client chose so.

use std::borrow::Cow;
use std::fmt;

use axum::http::HeaderName;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::parameters::{Parameter, Parameters};
use super::request::{InferRequest, OutputAsked};
use super::tensor::{Head, Tensor, invalid};
use crate::api::body::{json_error, parse_json};
use crate::error::ServeError;
use crate::service::scalar::{Object, Scalar, Text};

/// The header that says how many of the body's bytes are JSON; the rest are tensors.
pub const JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    /// Some clients repeat the path here.
    #[serde(default, rename = "model_name")]
    _model_name: serde::de::IgnoredAny,
    #[serde(default, rename = "model_version")]
    _model_version: serde::de::IgnoredAny,
    #[serde(borrow, default)]
    parameters: Parameters<'a>,
    #[serde(borrow, default)]
    inputs: Option<Vec<Object<InputWritten<'a>>>>,
    #[serde(borrow, default)]
    outputs: Option<Vec<Object<OutputWritten<'a>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InputWritten<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    shape: Vec<i64>,
    #[serde(borrow)]
    datatype: Text<'a>,
    #[serde(borrow, default)]
    parameters: Parameters<'a>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutputWritten<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow, default)]
    parameters: Parameters<'a>,
}

/// Reads a body whose first `json_length` bytes are JSON; all of them without one.
///
/// # Errors
/// [`ServeError::InvalidJson`], [`ServeError::InvalidField`] and [`ServeError::WrongType`], each naming what is
/// wrong.
pub fn read(body: &[u8], json_length: Option<usize>) -> Result<InferRequest<'_>, ServeError> {
    let length = json_length.unwrap_or(body.len());
    let (json, mut bytes) = body.split_at_checked(length).ok_or_else(|| ServeError::InvalidField {
        message: format!("{JSON_LENGTH} says {length} bytes of JSON; the body has {}", body.len()),
        nearest: None,
    })?;
    let Object(written): Object<Written<'_>> = parse_json(json)?;
    let binary = written.parameters.flag("binary_data_output")?;
    let mut inputs = Vec::new();
    for Object(input) in written.inputs.unwrap_or_default() {
        inputs.push(tensor(input, &mut bytes)?);
    }
    if !bytes.is_empty() {
        let message = format!("{} bytes follow the last tensor", bytes.len());
        return Err(ServeError::InvalidField { message, nearest: None });
    }
    let outputs = written.outputs.unwrap_or_default().into_iter().map(|Object(output)| asked(output, binary));
    Ok(InferRequest {
        id: written.id.map(|id| id.0),
        parameters: written.parameters,
        inputs,
        outputs: outputs.collect::<Result<_, _>>()?,
    })
}

fn asked<'a>(output: OutputWritten<'a>, binary: bool) -> Result<OutputAsked<'a>, ServeError> {
    output.parameters.only(&["binary_data"])?;
    let binary = match output.parameters.get("binary_data") {
        Some(Parameter::One(Scalar::Bool(own))) => *own,
        _ => binary,
    };
    Ok(OutputAsked { name: output.name.0, binary })
}

fn tensor<'a>(input: InputWritten<'a>, bytes: &mut &'a [u8]) -> Result<Tensor<'a>, ServeError> {
    let head = Head::new(input.name.0, &input.datatype, &input.shape)?;
    input.parameters.only(&["binary_data_size"])?;
    match (input.parameters.count("binary_data_size")?, input.data) {
        (Some(_), Some(_)) => Err(invalid(&head.name, "give `data` or `binary_data_size`, not both")),
        (None, None) => Err(invalid(&head.name, "`data` is missing")),
        (None, Some(data)) => {
            let elements = elements(data.get()).map_err(|error| at(&head.name, &error))?;
            head.json(elements)
        }
        (Some(size), None) => {
            let (own, rest) = bytes.split_at_checked(size).ok_or_else(|| {
                let why = format!("binary_data_size is {size}, but only {} bytes follow", bytes.len());
                invalid(&head.name, &why)
            })?;
            *bytes = rest;
            head.bytes(own)
        }
    }
}

fn at(tensor: &str, error: &serde_json::Error) -> ServeError {
    match json_error(error) {
        ServeError::InvalidField { message, nearest } => {
            ServeError::InvalidField { message: format!("tensor {tensor}: {message}"), nearest }
        }
        other => other,
    }
}

/// The elements of nested lists, in row-major order.
fn elements(data: &str) -> Result<Vec<Scalar<'_>>, serde_json::Error> {
    let mut found = Vec::new();
    let mut text = serde_json::Deserializer::from_str(data);
    Flat { found: &mut found, within: false }.deserialize(&mut text)?;
    text.end()?;
    Ok(found)
}

struct Flat<'f, 'a> {
    found: &'f mut Vec<Scalar<'a>>,
    within: bool,
}

impl<'de> DeserializeSeed<'de> for Flat<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Flat<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.within {
            "a list, number, text, true, false or null"
        } else {
            "a list of elements"
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Flat { found: &mut *self.found, within: true })?.is_some() {}
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.take(Scalar::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.take(Scalar::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.take(Scalar::Int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.take(i64::try_from(value).map_or(Scalar::Float(value as f64), Scalar::Int))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.take(Scalar::Float(value))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        self.take(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.take(Scalar::Text(Cow::Owned(text.to_owned())))
    }
}

impl<'a> Flat<'_, 'a> {
    fn take<E: Error>(self, element: Scalar<'a>) -> Result<(), E> {
        if !self.within {
            return Err(E::invalid_type(serde::de::Unexpected::Other("a bare value"), &self));
        }
        self.found.push(element);
        Ok(())
    }
}

/// A tensor of an answer.
#[derive(Debug, Serialize)]
pub struct OutputShown<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its datatype.
    pub datatype: &'static str,
    /// Its extents.
    pub shape: &'a [usize],
    /// Where its elements stand, when they are not in `data`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<BinarySize>,
    /// Its elements in row-major order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<&'a super::answer::Elements>,
}

/// How many bytes after the JSON are a tensor's.
#[derive(Debug, Serialize)]
pub struct BinarySize {
    /// The bytes.
    pub binary_data_size: usize,
}

/// An answer in JSON.
#[derive(Debug, Serialize)]
pub struct AnswerShown<'a> {
    /// The model.
    pub model_name: &'a str,
    /// The version that answered; none when a split gave rows to two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_version: Option<String>,
    /// The caller's name for the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a str>,
    /// The outputs.
    pub outputs: Vec<OutputShown<'a>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &[u8], json_length: Option<usize>) -> String {
        read(body, json_length).unwrap_err().to_string()
    }

    #[test]
    fn nested_and_flat_lists_are_the_same_tensor() {
        let nested = br#"{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP64","data":[[1,2],[3,null]]}]}"#;
        let flat = br#"{"inputs":[{"name":"x","data":[1,2,3,null],"datatype":"FP64","shape":[2,2]}]}"#;
        assert_eq!(read(nested, None).unwrap(), read(flat, None).unwrap());
    }

    #[test]
    fn tensors_in_bytes_are_taken_in_the_order_of_the_inputs() {
        let json = br#"{"inputs":[
            {"name":"a","shape":[1],"datatype":"INT16","parameters":{"binary_data_size":2}},
            {"name":"b","shape":[1],"datatype":"FP64","data":[4]},
            {"name":"c","shape":[2],"datatype":"UINT8","parameters":{"binary_data_size":2}}]}"#;
        let mut body = json.to_vec();
        body.extend([1, 0, 2, 3]);
        let request = read(&body, Some(json.len())).unwrap();
        assert_eq!(request.inputs[0].elements, [Scalar::Int(1)]);
        assert_eq!(request.inputs[2].elements, [Scalar::Int(2), Scalar::Int(3)]);
        body.push(9);
        assert!(told(&body, Some(json.len())).contains("1 bytes follow"));
        body.truncate(json.len() + 3);
        assert!(told(&body, Some(json.len())).contains("only 1 bytes follow"));
        assert!(told(&body, Some(body.len() + 1)).contains("says"));
    }

    #[test]
    fn what_is_wrong_with_a_tensor_is_told_with_its_name() {
        let body = |rest: &str| format!(r#"{{"inputs":[{{"name":"x",{rest}}}]}}"#);
        for (rest, part) in [
            (r#""shape":[2],"datatype":"FP64","data":[1]"#, "takes 2 elements, 1 were given"),
            (r#""shape":[1],"datatype":"FP64","data":["a"]"#, "element 0 of the tensor x must be FP64"),
            (r#""shape":[1],"datatype":"FP128","data":[1]"#, "datatype of the tensor x"),
            (r#""shape":[1],"datatype":"FP64""#, "tensor x: `data` is missing"),
            (r#""shape":[1],"datatype":"FP64","data":3"#, "tensor x: "),
            (r#""shape":[1],"datatype":"FP64","data":[{}]"#, "tensor x: "),
            (
                r#""shape":[1],"datatype":"FP64","data":[1],"parameters":{"shared_memory_region":"r"}"#,
                "shared",
            ),
        ] {
            let message = told(body(rest).as_bytes(), None);
            assert!(message.contains(part), "{message}");
        }
    }
}
