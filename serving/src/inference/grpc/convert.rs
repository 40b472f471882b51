//! Between messages and what the REST side works with.

use std::borrow::Cow;
use std::collections::HashMap;

use bytes::Bytes;

use super::messages::{
    InferParameter, InferTensor, ModelInferRequest, ModelInferResponse, ParameterValue, TensorContents,
};
use crate::error::ServeError;
use crate::inference::answer::{Elements, InferAnswer, OutputTensor};
use crate::inference::datatype::Datatype;
use crate::inference::parameters::{Parameter, Parameters};
use crate::inference::request::{InferRequest, OutputAsked};
use crate::inference::tensor::{Head, Tensor, invalid};
use crate::service::scalar::{Scalar, Text};

/// Reads a request.
///
/// # Errors
/// What is wrong with a tensor, naming it.
pub fn request(message: &ModelInferRequest) -> Result<InferRequest<'_>, ServeError> {
    let raw = &message.raw_inputs;
    if !raw.is_empty() && raw.len() != message.inputs.len() {
        let message = format!("{} raw_input_contents for {} tensors", raw.len(), message.inputs.len());
        return Err(ServeError::InvalidField { message, nearest: None });
    }
    let mut inputs = Vec::with_capacity(message.inputs.len());
    for (place, input) in message.inputs.iter().enumerate() {
        inputs.push(tensor(input, raw.get(place))?);
    }
    let mut outputs = Vec::with_capacity(message.outputs.len());
    for output in &message.outputs {
        parameters(&output.parameters).only(&["binary_data"])?;
        outputs.push(OutputAsked { name: Cow::Borrowed(&*output.name), binary: false });
    }
    Ok(InferRequest {
        id: (!message.id.is_empty()).then_some(Cow::Borrowed(&*message.id)),
        parameters: parameters(&message.parameters),
        inputs,
        outputs,
    })
}

/// True when the answer's elements go in bytes: as `binary_data_output` says, else unless the request's own came in
/// the fields of their datatypes.
pub fn wants_raw(message: &ModelInferRequest) -> bool {
    match message.parameters.get("binary_data_output").and_then(|given| given.value.as_ref()) {
        Some(ParameterValue::Bool(raw)) => *raw,
        _ => message.inputs.is_empty() || !message.raw_inputs.is_empty(),
    }
}

fn parameters(given: &HashMap<String, InferParameter>) -> Parameters<'_> {
    let value = |parameter: &InferParameter| match &parameter.value {
        None => Scalar::Null,
        Some(ParameterValue::Bool(value)) => Scalar::Bool(*value),
        Some(ParameterValue::Int(value)) => Scalar::Int(*value),
        Some(ParameterValue::Float(value)) => Scalar::Float(*value),
        Some(ParameterValue::Uint(value)) => whole(*value),
        Some(ParameterValue::Text(value)) => Scalar::Text(Cow::Owned(value.clone())),
    };
    let named = given
        .iter()
        .map(|(name, parameter)| (Text(Cow::Borrowed(name.as_str())), Parameter::One(value(parameter))));
    let mut named: Vec<_> = named.collect();
    // A map has no order; messages about it should.
    named.sort_unstable_by(|a, b| a.0.0.cmp(&b.0.0));
    Parameters(named)
}

fn whole(value: u64) -> Scalar<'static> {
    i64::try_from(value).map_or(Scalar::Float(value as f64), Scalar::Int)
}

fn tensor<'a>(input: &'a InferTensor, raw: Option<&'a Bytes>) -> Result<Tensor<'a>, ServeError> {
    let head = Head::new(Cow::Borrowed(&*input.name), &input.datatype, &input.shape)?;
    // Some clients send the length of raw contents besides, as REST needs it; here the contents know it.
    parameters(&input.parameters).only(&["binary_data_size"])?;
    match (raw, &input.contents) {
        (Some(raw), None) => head.bytes(raw),
        (Some(_), Some(_)) => Err(invalid(&input.name, "it has contents beside raw_input_contents")),
        (None, Some(contents)) => typed(head, contents),
        (None, None) => head.json(Vec::new()),
    }
}

/// Elements in the field of their datatype.
fn typed<'a>(head: Head<'a>, contents: &'a TensorContents) -> Result<Tensor<'a>, ServeError> {
    let (field, given) = place(head.datatype, contents);
    if given == 0 && head.count() > 0 {
        let why = format!("no elements of {} in {field} or raw_input_contents", head.datatype.name());
        return Err(invalid(&head.name, &why));
    }
    let int = |value: i64| Scalar::Int(value);
    match head.datatype {
        Datatype::Bool => head.json(contents.bools.iter().map(|value| Scalar::Bool(*value)).collect()),
        Datatype::Int(8) => head.json(contents.int64s.iter().map(|value| int(*value)).collect()),
        Datatype::Int(_) => head.json(contents.ints.iter().map(|value| int((*value).into())).collect()),
        Datatype::Uint(8) => head.json(contents.uint64s.iter().map(|value| whole(*value)).collect()),
        Datatype::Uint(_) => head.json(contents.uints.iter().map(|value| int((*value).into())).collect()),
        Datatype::Fp32 => head.numbers(contents.fp32s.iter().map(|value| f64::from(*value))),
        Datatype::Fp64 => head.numbers(contents.fp64s.iter().copied()),
        Datatype::Bytes => head.contents(contents.texts.iter().map(|text| &text[..])),
        // Has no field; `place` counted none.
        Datatype::Fp16 => head.numbers(std::iter::empty()),
    }
}

/// The field that holds elements of a datatype, as the protocol calls it, and how many stand there.
fn place(datatype: Datatype, contents: &TensorContents) -> (&'static str, usize) {
    match datatype {
        Datatype::Bool => ("bool_contents", contents.bools.len()),
        Datatype::Int(8) => ("int64_contents", contents.int64s.len()),
        Datatype::Int(_) => ("int_contents", contents.ints.len()),
        Datatype::Uint(8) => ("uint64_contents", contents.uint64s.len()),
        Datatype::Uint(_) => ("uint_contents", contents.uints.len()),
        Datatype::Fp16 => ("contents (which have no field for it)", 0),
        Datatype::Fp32 => ("fp32_contents", contents.fp32s.len()),
        Datatype::Fp64 => ("fp64_contents", contents.fp64s.len()),
        Datatype::Bytes => ("bytes_contents", contents.texts.len()),
    }
}

/// Writes an answer; its elements in bytes when `raw`.
pub fn response(answer: InferAnswer, raw: bool) -> ModelInferResponse {
    let mut raw_outputs = Vec::new();
    let output = |output: OutputTensor| {
        let datatype = output.elements.datatype().to_owned();
        let contents = if raw {
            let mut bytes = Vec::new();
            output.elements.write(&mut bytes);
            raw_outputs.push(Bytes::from(bytes));
            None
        } else {
            Some(contents(output.elements))
        };
        let shape = output.shape.iter().map(|extent| *extent as i64).collect();
        InferTensor { name: output.name.to_owned(), datatype, shape, parameters: HashMap::new(), contents }
    };
    let outputs = answer.outputs.into_iter().map(output).collect();
    ModelInferResponse {
        model_name: answer.model,
        // A split may give rows to two versions: then none answered all of it.
        model_version: if answer.mixed { String::new() } else { answer.version.to_string() },
        id: answer.id.unwrap_or_default(),
        parameters: HashMap::new(),
        outputs,
        raw_outputs,
    }
}

fn contents(elements: Elements) -> TensorContents {
    let mut contents = TensorContents::default();
    match elements {
        Elements::Fp64(numbers) => contents.fp64s = numbers,
        Elements::Fp32(numbers) => contents.fp32s = numbers,
        Elements::Bytes(texts) => contents.texts = texts.into_iter().map(Bytes::from).collect(),
    }
    contents
}
