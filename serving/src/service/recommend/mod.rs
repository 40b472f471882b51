//! Products for a customer, a basket or a stranger, under the project's rules.

mod arrangement;
mod evidence;
mod past;
mod places;
mod question;
mod request;
mod shelf;

use scorehouse_features::definition::{Pipeline, Project, UpsellSpec};
use scorehouse_features::ids::{EntityKey, LocalName};
use scorehouse_features::time::Timestamp;
use scorehouse_features::view::RequestFields;

pub use evidence::{Given, Logged, keep, list_bytes};
pub use question::{Found, Question, Seen, find};
pub use request::{RecommendAnswer, RecommendRequest};
pub use shelf::Shelf;

use crate::access::Caller;
use crate::challenger::{Arms, Variant};
use crate::error::{Noun, ServeError};
use crate::live_model::Selected;
use crate::score_log::Asker;
use crate::service::entities::key_of;
use crate::service::moment;
use crate::service::scalar::Fields;
use crate::state::AppState;

/// Most products of one answer.
const MOST_ITEMS: usize = 1_000;
/// Most products in a basket.
const MOST_IN_BASKET: usize = 1_000;
/// Products of an answer when the request does not say.
const ITEMS: usize = 10;
/// Reasons of a product when the request does not say.
const BECAUSE: usize = 3;

/// Recommends products with one version of a model, and writes the answer as JSON.
///
/// # Errors
/// [`ServeError::Unknown`] for a model, version, alias or request field; a moment in the future; a model that
/// answers with scores.
pub fn recommend(
    state: &AppState,
    asker: Asker,
    model: &str,
    request: &RecommendRequest<'_>,
) -> Result<Vec<u8>, ServeError> {
    let arms = Arms::select(state, model, (request.alias.as_deref(), request.version))?;
    let variant = arms.variant_of_customer(request.customer.as_deref());
    asker.note(arms.of(variant));
    let answered = answered(state, &asker.caller, arms.of(variant), request)?;
    let answer = RecommendAnswer::new(arms.of(variant), variant, request, &answered);
    let bytes = answer.to_json()?;
    keep(state, &arms, &asker, &[Given { request, variant, answered: &answered }]);
    Ok(bytes)
}

/// Recommends products with the version of `arms` whose turn it is; what else the request says of a version does not
/// count.
///
/// # Errors
/// As for [`recommend`].
pub fn find_for(
    state: &AppState,
    caller: &Caller,
    arms: &Arms<'_>,
    request: &RecommendRequest<'_>,
) -> Result<(Option<Variant>, Answered), ServeError> {
    let variant = arms.variant_of_customer(request.customer.as_deref());
    Ok((variant, answered(state, caller, arms.of(variant), request)?))
}

/// A list with what the question became.
#[derive(Debug)]
pub struct Answered {
    /// The moment whose knowledge counted.
    pub as_of: Timestamp,
    /// What was found.
    pub found: Found,
    /// The customer; none for a stranger, and for one that the caller may not see.
    customer: Option<EntityKey>,
    /// Fields that the request brought.
    fields: RequestFields,
}

fn answered(
    state: &AppState,
    caller: &Caller,
    selected: &Selected,
    request: &RecommendRequest<'_>,
) -> Result<Answered, ServeError> {
    let n = request.n.unwrap_or(ITEMS);
    check(request, n)?;
    let as_of = moment::as_of(state.clock.as_ref(), request.as_of.as_deref())?;
    let fields = request_fields(&state.project, &request.request)?;
    let customer = request.customer.as_deref().map(key_of).transpose()?;
    let visible = match &customer {
        Some(key) => sees(state, caller, selected.model.name(), key)?,
        None => true,
    };
    let question = Question {
        customer: customer.as_ref().filter(|_| visible),
        basket: request.basket.iter().map(|item| &**item).collect(),
        because: request.because.unwrap_or(BECAUSE),
        n,
        as_of,
        fields: &fields,
    };
    let mut found = find(state.online.as_ref(), &selected.model, &question)?;
    if !visible {
        found.known = Some(false);
        found.seen.stranger = true;
    }
    selected.model.count_recommendation();
    Ok(Answered { as_of, customer: customer.filter(|_| visible), fields, found })
}

/// True for a customer that the caller may see. One that it may not is answered as a stranger is.
fn sees(state: &AppState, caller: &Caller, model: &str, key: &EntityKey) -> Result<bool, ServeError> {
    let spec = state.project.models.get(model).map(|model| &model.pipeline);
    let Some(Pipeline::Upsell(UpsellSpec { user_entity: Some(entity), .. })) = spec else { return Ok(true) };
    caller.sees(state.online.as_ref(), entity, key, state.clock.now())
}

fn check(request: &RecommendRequest<'_>, n: usize) -> Result<(), ServeError> {
    if !(1..=MOST_ITEMS).contains(&n) {
        let message = format!("`n` takes 1 to {MOST_ITEMS}");
        return Err(ServeError::InvalidField { message, nearest: None });
    }
    if request.basket.len() > MOST_IN_BASKET {
        let given = request.basket.len();
        return Err(ServeError::TooMany { what: "products in the basket", limit: MOST_IN_BASKET, given });
    }
    Ok(())
}

/// The fields that a request brings, typed as the project declares them.
///
/// # Errors
/// [`ServeError::Unknown`] for a field, [`ServeError::WrongType`] for a value.
pub fn request_fields(project: &Project, given: &Fields<'_>) -> Result<RequestFields, ServeError> {
    let mut fields = RequestFields::new();
    for (name, value) in &given.0 {
        let bare = name.strip_prefix("request.").unwrap_or(name);
        let known = || project.request_fields.keys().map(LocalName::as_str);
        let (field, value_type) = project
            .request_fields
            .get_key_value(bare)
            .ok_or_else(|| ServeError::unknown(Noun::Feature, name, known()))?;
        fields.set(field.clone(), value.to_value(name, *value_type)?);
    }
    Ok(fields)
}
