//! From tensors to what the native routes take: rows of named values, or entity keys with values in place of
//! stored ones.

use std::borrow::Cow;

use scorehouse_features::time::Timestamp;
use scorehouse_features::value::ValueType;

use super::datatype::Datatype;
use super::parameters::{Parameter, Parameters};
use super::request::InferRequest;
use super::tensor::{Tensor, invalid};
use crate::error::ServeError;
use crate::live_model::LiveModel;
use crate::service::scalar::{Fields, OneOrMany, Scalar, Text};
use crate::service::score::{EntityAsked, MOST_ROWS, ScoreRequest};

/// Names of the one tensor that holds all inputs, one row of numbers each.
pub const MATRIX: [&str; 2] = ["features", "input"];
/// The tensor, or parameter, that names entities whose features come from the store.
pub const KEY: &str = "entity_key";
/// The parameter that names several.
pub const KEYS: &str = "entity_keys";
/// The tensor, or parameter, that says as of when.
pub const AS_OF: &str = "as_of";
/// Parameters of a request to a model that scores.
pub const PARAMETERS: [&str; 5] = [KEY, KEYS, AS_OF, "reasons", "binary_data_output"];

/// The tensors of a request by what they are for.
#[derive(Default)]
struct Sorted<'t, 'a> {
    matrix: Option<&'t Tensor<'a>>,
    keys: Option<&'t Tensor<'a>>,
    moments: Option<&'t Tensor<'a>>,
    named: Vec<&'t Tensor<'a>>,
}

/// The request as the native route would take it.
///
/// # Errors
/// [`ServeError::InvalidField`] for tensors that do not go together or whose shapes differ,
/// [`ServeError::WrongType`] for a datatype that its input does not take, [`ServeError::Unknown`] for a tensor
/// that is no input.
pub fn score_request<'a>(
    model: &'a LiveModel,
    request: &'a InferRequest<'a>,
) -> Result<ScoreRequest<'a>, ServeError> {
    request.parameters.only(&PARAMETERS)?;
    let sorted = sort(model, &request.inputs)?;
    let reasons = request.parameters.count("reasons")?.unwrap_or(0);
    let mut asked = ScoreRequest {
        as_of: request.parameters.text(AS_OF)?.map(|text| Text(Cow::Borrowed(text))),
        reasons: u32::try_from(reasons).unwrap_or(u32::MAX),
        ..ScoreRequest::default()
    };
    match keys(&sorted, &request.parameters)? {
        Some(keys) => {
            asked.features = request_fields(&request.parameters);
            asked.entities = Some(entities(model, &sorted, keys)?);
        }
        None => asked.inputs = Some(OneOrMany(plain_rows(model, &sorted)?)),
    }
    Ok(asked)
}

fn sort<'t, 'a>(model: &LiveModel, tensors: &'t [Tensor<'a>]) -> Result<Sorted<'t, 'a>, ServeError> {
    let mut sorted = Sorted::default();
    for (place, tensor) in tensors.iter().enumerate() {
        if tensors[..place].iter().any(|other| other.name == tensor.name) {
            return Err(invalid(&tensor.name, "it stands in the request twice"));
        }
        // A model's own input of that name goes first.
        let own = model.scoring().signature().position(&tensor.name).is_some();
        match &*tensor.name {
            name if !own && MATRIX.contains(&name) && sorted.matrix.is_none() => sorted.matrix = Some(tensor),
            KEY if !own => sorted.keys = Some(tensor),
            AS_OF if !own => sorted.moments = Some(tensor),
            _ => sorted.named.push(tensor),
        }
    }
    Ok(sorted)
}

/// The keys that the request names by a tensor or a parameter.
fn keys<'a>(
    sorted: &Sorted<'_, 'a>,
    parameters: &'a Parameters<'a>,
) -> Result<Option<Vec<Cow<'a, str>>>, ServeError> {
    let (one, many) = (parameters.get(KEY), parameters.get(KEYS));
    let given = [sorted.keys.is_some(), one.is_some(), many.is_some()];
    if given.iter().filter(|given| **given).count() > 1 {
        let message =
            format!("give the tensor {KEY}, the parameter {KEY} or the parameter {KEYS}: one of them");
        return Err(ServeError::InvalidField { message, nearest: None });
    }
    if let Some(tensor) = sorted.keys {
        column(tensor)?;
        let wrong = || invalid(KEY, "a key is text or a whole number, and never missing");
        return tensor
            .elements
            .iter()
            .map(|key| key_text(key).ok_or_else(wrong))
            .collect::<Result<_, _>>()
            .map(Some);
    }
    let wrong = || ServeError::WrongType {
        field: format!("parameter {KEY}"),
        expected: "a key, or for entity_keys a list of keys (as text: a JSON list)".into(),
        given: "another value".into(),
    };
    match (one, many) {
        (Some(Parameter::One(key)), None) => Ok(Some(vec![key_text(key).ok_or_else(wrong)?])),
        (None, Some(Parameter::Many(keys))) => {
            keys.iter().map(|key| key_text(key).ok_or_else(wrong)).collect::<Result<_, _>>().map(Some)
        }
        (None, Some(Parameter::One(Scalar::Text(list)))) => {
            let keys: Vec<Scalar<'a>> = serde_json::from_str(list).map_err(|_| wrong())?;
            let text =
                |key: Scalar<'a>| key_text(&key).map(|key| Cow::Owned(key.into_owned())).ok_or_else(wrong);
            keys.into_iter().map(text).collect::<Result<_, _>>().map(Some)
        }
        (None, None) => Ok(None),
        _ => Err(wrong()),
    }
}

fn key_text<'a>(key: &Scalar<'a>) -> Option<Cow<'a, str>> {
    match key {
        Scalar::Text(text) => Some(text.clone()),
        Scalar::Int(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

/// Parameters `request.field`, which hold for every row.
fn request_fields<'a>(parameters: &'a Parameters<'a>) -> Fields<'a> {
    let field = |(name, value): &'a (Text<'a>, Parameter<'a>)| match value {
        Parameter::One(value) if name.starts_with("request.") => Some((borrowed(name), value.clone())),
        _ => None,
    };
    Fields(parameters.0.iter().filter_map(field).collect())
}

fn borrowed<'a>(name: &'a str) -> Text<'a> {
    Text(Cow::Borrowed(name))
}

fn entities<'a>(
    model: &LiveModel,
    sorted: &Sorted<'a, 'a>,
    keys: Vec<Cow<'a, str>>,
) -> Result<Vec<EntityAsked<'a>>, ServeError> {
    if let Some(matrix) = sorted.matrix {
        return Err(invalid(&matrix.name, "give entity keys or a matrix of features, not both"));
    }
    let rows = keys.len();
    let mut columns = Vec::with_capacity(sorted.named.len());
    for tensor in &sorted.named {
        columns.push((*tensor, model.given_type(&tensor.name)?));
        column(tensor)?;
        same_rows(tensor, rows)?;
    }
    let moments = sorted.moments.map(moments).transpose()?;
    if let Some((tensor, _)) = moments.as_ref().zip(sorted.moments).map(|(m, t)| (t, m)) {
        same_rows(tensor, rows)?;
    }
    let mut entities = Vec::with_capacity(rows);
    for (row, key) in keys.into_iter().enumerate() {
        let mut features = Vec::with_capacity(columns.len());
        for (tensor, value_type) in &columns {
            features.push((borrowed(&tensor.name), value(tensor, row, *value_type)?));
        }
        let as_of = moments.as_ref().map(|moments| Text(Cow::Borrowed(moments[row])));
        entities.push(EntityAsked { key: Some(key), features: Fields(features), as_of });
    }
    Ok(entities)
}

fn moments<'a>(tensor: &'a Tensor<'a>) -> Result<Vec<&'a str>, ServeError> {
    column(tensor)?;
    let text = |moment: &'a Scalar<'a>| match moment {
        Scalar::Text(text) => Ok(&**text),
        _ => Err(invalid(AS_OF, "a moment is BYTES such as \"2011-12-09T08:00:00Z\"")),
    };
    tensor.elements.iter().map(text).collect()
}

fn plain_rows<'a>(model: &'a LiveModel, sorted: &Sorted<'a, 'a>) -> Result<Vec<Fields<'a>>, ServeError> {
    if let Some(tensor) = sorted.moments {
        return Err(invalid(&tensor.name, "moments go with entity keys"));
    }
    match (sorted.matrix, &sorted.named[..]) {
        (Some(matrix), []) => matrix_rows(model, matrix),
        (Some(matrix), [other, ..]) => {
            let why =
                format!("it holds all inputs; leave {} out, or give each input as a tensor", other.name);
            Err(invalid(&matrix.name, &why))
        }
        (None, []) => {
            let message =
                format!("give the tensor {} with all inputs, one tensor per input, or {KEY}", MATRIX[0]);
            Err(ServeError::InvalidField { message, nearest: None })
        }
        (None, named) => named_rows(model, named),
    }
}

fn matrix_rows<'a>(model: &'a LiveModel, matrix: &'a Tensor<'a>) -> Result<Vec<Fields<'a>>, ServeError> {
    let inputs = &model.scoring().signature().inputs;
    if !matrix.datatype.is_number() {
        return Err(ServeError::WrongType {
            field: format!("datatype of the tensor {}", matrix.name),
            expected: "FP64, FP32, FP16 or a whole number".into(),
            given: matrix.datatype.name().into(),
        });
    }
    if let Some(text) = inputs.iter().find(|input| input.value_type == ValueType::Text) {
        let why = format!("the input {} is text; give one tensor per input", text.name);
        return Err(invalid(&matrix.name, &why));
    }
    if matrix.shape.len() != 2 || matrix.row_width()? != inputs.len() {
        let why = format!("the shape must be [rows, {}], not {:?}", inputs.len(), matrix.shape);
        return Err(invalid(&matrix.name, &why));
    }
    if matrix.rows() > MOST_ROWS {
        return Err(ServeError::TooMany { what: "rows", limit: MOST_ROWS, given: matrix.rows() });
    }
    let mut rows = Vec::with_capacity(matrix.rows());
    for row in 0..matrix.rows() {
        let mut fields = Vec::with_capacity(inputs.len());
        for (place, input) in inputs.iter().enumerate() {
            let value = value(matrix, row * inputs.len() + place, input.value_type)?;
            fields.push((borrowed(&input.name), value));
        }
        rows.push(Fields(fields));
    }
    Ok(rows)
}

fn named_rows<'a>(model: &LiveModel, named: &[&'a Tensor<'a>]) -> Result<Vec<Fields<'a>>, ServeError> {
    let count = named.first().map_or(0, |first| first.rows());
    let mut columns = Vec::with_capacity(named.len());
    for tensor in named {
        // What names a row is no input: its elements are taken as they are.
        let value_type = match model.is_id(&tensor.name) {
            true => ValueType::Text,
            false => model.input(&tensor.name)?.1,
        };
        column(tensor)?;
        same_rows(tensor, count)?;
        columns.push((*tensor, value_type));
    }
    let row = |row| {
        let field = |(tensor, value_type): &(&'a Tensor<'a>, ValueType)| {
            Ok((borrowed(&tensor.name), value(tensor, row, *value_type)?))
        };
        columns.iter().map(field).collect::<Result<_, ServeError>>().map(Fields)
    };
    (0..count).map(row).collect()
}

/// Refuses a tensor with more than one element a row.
pub fn column(tensor: &Tensor<'_>) -> Result<(), ServeError> {
    match tensor.row_width()? {
        1 => Ok(()),
        _ => Err(invalid(
            &tensor.name,
            &format!("the shape must be [rows] or [rows, 1], not {:?}", tensor.shape),
        )),
    }
}

fn same_rows(tensor: &Tensor<'_>, rows: usize) -> Result<(), ServeError> {
    if tensor.rows() == rows {
        return Ok(());
    }
    Err(invalid(&tensor.name, &format!("it has {} rows, the others {rows}", tensor.rows())))
}

/// An element as an input of type `wanted` takes it: 0 and 1 may stand for truth values, and whole numbers for
/// moments, in microseconds since 1970 in UTC.
fn value<'a>(tensor: &Tensor<'a>, at: usize, wanted: ValueType) -> Result<Scalar<'a>, ServeError> {
    let element = tensor.elements.get(at).cloned().unwrap_or(Scalar::Null);
    Ok(match (wanted, &element) {
        (ValueType::Bool, Scalar::Int(0)) => Scalar::Bool(false),
        (ValueType::Bool, Scalar::Int(1)) => Scalar::Bool(true),
        (ValueType::Bool, Scalar::Float(number)) if *number == 0.0 => Scalar::Bool(false),
        (ValueType::Bool, Scalar::Float(number)) if *number == 1.0 => Scalar::Bool(true),
        (ValueType::Time, Scalar::Int(micros)) => moment(*micros),
        (ValueType::Time, Scalar::Float(_)) if tensor.datatype != Datatype::Fp64 => {
            let why =
                format!("{} is too coarse for a moment; give BYTES, INT64 or FP64", tensor.datatype.name());
            return Err(invalid(&tensor.name, &why));
        }
        (ValueType::Time, Scalar::Float(micros)) if micros.fract() == 0.0 && micros.abs() < 9e15 => {
            moment(*micros as i64)
        }
        _ => element,
    })
}

fn moment(micros: i64) -> Scalar<'static> {
    Scalar::Text(Cow::Owned(Timestamp(micros).to_string()))
}
