//! Requests to a model that recommends.

use std::borrow::Cow;

use super::answer;
use super::infer::Made;
use super::parameters::{Parameter, Parameters};
use super::request::InferRequest;
use super::rows::{AS_OF, column};
use super::tensor::{Tensor, invalid};
use crate::challenger::Arms;
use crate::error::{Noun, ServeError};
use crate::score_log::Asker;
use crate::service::recommend::{self, Given, RecommendRequest};
use crate::service::scalar::{Fields, Scalar, Text};
use crate::state::AppState;

/// The tensor of customers' keys.
pub const CUSTOMER: &str = "customer";
/// The tensor of products in their baskets.
pub const BASKET: &str = "basket";
/// Parameters of a request to a model that recommends.
const PARAMETERS: [&str; 3] = ["n", AS_OF, "binary_data_output"];
/// Most customers of one request: an answer takes a millisecond or so each.
const MOST_CUSTOMERS: usize = 1_000;

/// Recommends products for each row of customers.
///
/// # Errors
/// [`ServeError::InvalidField`] for tensors that do not go together, [`ServeError::Unknown`] for others, and what
/// recommending reports.
pub fn recommend(
    state: &AppState,
    arms: &Arms<'_>,
    asker: Asker,
    request: &InferRequest<'_>,
) -> Result<Made, ServeError> {
    request.parameters.only(&PARAMETERS)?;
    let rows = rows(request)?;
    let (mut variants, mut found) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for asked in &rows {
        let (variant, answered) = recommend::find_for(state, &asker.caller, arms, asked)?;
        variants.push(variant);
        found.push(answered);
    }
    let given = rows.iter().zip(&variants).zip(&found);
    let given = given.map(|((request, variant), answered)| Given { request, variant: *variant, answered });
    recommend::keep(state, arms, &asker, &given.collect::<Vec<_>>());
    let width = found.iter().map(|answered| answered.found.items.len()).max().unwrap_or(0);
    Ok((answer::items(&found, width), variants))
}

fn rows<'a>(request: &'a InferRequest<'a>) -> Result<Vec<RecommendRequest<'a>>, ServeError> {
    let (mut customers, mut baskets) = (None, None);
    for tensor in &request.inputs {
        match &*tensor.name {
            CUSTOMER if customers.is_none() => customers = Some(tensor),
            BASKET if baskets.is_none() => baskets = Some(tensor),
            CUSTOMER | BASKET => return Err(invalid(&tensor.name, "it stands in the request twice")),
            other => return Err(ServeError::unknown(Noun::Feature, other, [CUSTOMER, BASKET])),
        }
    }
    let Some(count) = customers.or(baskets).map(Tensor::rows) else {
        let message = format!("give the tensor {CUSTOMER}, {BASKET} or both");
        return Err(ServeError::InvalidField { message, nearest: None });
    };
    if count > MOST_CUSTOMERS {
        return Err(ServeError::TooMany { what: "rows", limit: MOST_CUSTOMERS, given: count });
    }
    if let Some(tensor) = customers {
        column(tensor)?;
    }
    if let Some(other) = baskets.filter(|tensor| tensor.rows() != count) {
        return Err(invalid(BASKET, &format!("it has {} rows, {CUSTOMER} has {count}", other.rows())));
    }
    (0..count).map(|row| one(&request.parameters, customers, baskets, row)).collect()
}

fn one<'a>(
    parameters: &'a Parameters<'a>,
    customers: Option<&'a Tensor<'a>>,
    baskets: Option<&'a Tensor<'a>>,
    row: usize,
) -> Result<RecommendRequest<'a>, ServeError> {
    let customer = customers.map(|tensor| key(tensor, row)).transpose()?.flatten();
    let width = baskets.map_or(Ok(0), Tensor::row_width)?;
    let basket = baskets.into_iter().flat_map(|tensor| {
        (row * width..(row + 1) * width).filter_map(move |at| key(tensor, at).transpose())
    });
    let field = |(name, value): &'a (Text<'a>, Parameter<'a>)| match value {
        Parameter::One(value) if name.starts_with("request.") => {
            Some((Text(Cow::Borrowed(&**name)), value.clone()))
        }
        _ => None,
    };
    Ok(RecommendRequest {
        customer,
        basket: basket.collect::<Result<_, _>>()?,
        n: parameters.count("n")?,
        because: Some(0),
        request: Fields(parameters.0.iter().filter_map(field).collect()),
        as_of: parameters.text(AS_OF)?.map(|text| Text(Cow::Borrowed(text))),
        ..RecommendRequest::default()
    })
}

/// A key; a missing one is none at all: a stranger, or the rest of a short basket.
fn key<'a>(tensor: &'a Tensor<'a>, at: usize) -> Result<Option<Text<'a>>, ServeError> {
    match tensor.elements.get(at) {
        None | Some(Scalar::Null) => Ok(None),
        Some(Scalar::Text(text)) => Ok(Some(Text(Cow::Borrowed(&**text)))),
        Some(Scalar::Int(number)) => Ok(Some(Text(Cow::Owned(number.to_string())))),
        Some(_) => Err(invalid(&tensor.name, "a key is BYTES or a whole number")),
    }
}
