//! Products for a customer, a basket or a stranger, under the project's rules.

mod evidence;
mod past;
mod request;
mod shelf;

use scorehouse_features::definition::{Pipeline, Project, UpsellSpec};
use scorehouse_features::ids::{EntityKey, LocalName};
use scorehouse_features::time::Timestamp;
use scorehouse_features::view::RequestFields;
use scorehouse_models::predictor::recommender::{Interaction, Query};

pub use evidence::{Given, keep};
pub use past::Bought;
pub use request::{Found, RecommendAnswer, RecommendRequest};
pub use shelf::Shelf;

use crate::access::Caller;
use crate::error::{Noun, ServeError};
use crate::live_model::{LiveModel, Selected};
use crate::score_log::Asker;
use crate::service::entities::key_of;
use crate::service::moment;
use crate::service::scalar::Fields;
use crate::state::AppState;
use request::Filtered;
use shelf::Visit;

/// Most products of one answer.
const MOST_ITEMS: usize = 1_000;
/// Most products in a basket.
const MOST_IN_BASKET: usize = 1_000;
/// Products of an answer when the request does not say.
const ITEMS: usize = 10;

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
    let selected = state.live.select(model, request.alias.as_deref(), request.version)?;
    asker.note(&selected);
    let (as_of, found) = answered(state, &asker.caller, &selected, request)?;
    let answer = RecommendAnswer::new(&selected, request.customer.as_deref(), as_of, found);
    let bytes = answer.to_json()?;
    keep(state, &selected, asker, Given { request, as_of, items: answer.into_items() });
    Ok(bytes)
}

/// Recommends products with a version that was selected already; what else the request says of a version does not
/// count.
///
/// # Errors
/// As for [`recommend`].
pub fn find_for(
    state: &AppState,
    caller: &Caller,
    selected: &Selected,
    request: &RecommendRequest<'_>,
) -> Result<(Timestamp, Found), ServeError> {
    answered(state, caller, selected, request)
}

fn answered(
    state: &AppState,
    caller: &Caller,
    selected: &Selected,
    request: &RecommendRequest<'_>,
) -> Result<(Timestamp, Found), ServeError> {
    let n = request.n.unwrap_or(ITEMS);
    check(request, n)?;
    let as_of = moment::as_of(state.clock.as_ref(), request.as_of.as_deref())?;
    let fields = request_fields(&state.project, &request.request)?;
    let customer = request.customer.as_deref().map(key_of).transpose()?;
    let visible = match &customer {
        Some(key) => sees(state, caller, selected.model.name(), key)?,
        None => true,
    };
    let asked = Asked { customer: customer.as_ref().filter(|_| visible), request, n, as_of, fields: &fields };
    let mut found = find(state, &selected.model, &asked)?;
    if !visible {
        found.known = Some(false);
    }
    selected.model.count_recommendation();
    Ok((as_of, found))
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

/// One question, checked.
struct Asked<'a> {
    customer: Option<&'a EntityKey>,
    request: &'a RecommendRequest<'a>,
    n: usize,
    as_of: Timestamp,
    fields: &'a RequestFields,
}

fn find(state: &AppState, model: &LiveModel, asked: &Asked<'_>) -> Result<Found, ServeError> {
    let shelf = model.shelf()?;
    let recommender = model.scoring().recommender()?;
    let past = past(state, shelf, asked)?;
    let live: Vec<Interaction<'_>> = past.iter().flatten().map(interaction).collect();
    let recent = match (shelf.past(), &past) {
        (Some(reader), Some(past)) => reader.just_bought(past, asked.as_of),
        _ => Default::default(),
    };
    let basket: Vec<&str> = asked.request.basket.iter().map(|item| &**item).collect();
    let query = Query {
        user: asked.customer.map(EntityKey::as_str),
        history: past.as_ref().map(|_| live.as_slice()),
        basket: &basket,
        as_of: asked.as_of,
        because: asked.request.because.unwrap_or(3).min(20),
    };
    let online = state.online.as_ref();
    let visit = Visit { online, customer: asked.customer, as_of: asked.as_of, request: asked.fields };
    let mut open = shelf.open(visit)?;
    let mut just_bought = 0;
    let mut allowed = |item: &str| {
        let again = recent.contains(item);
        just_bought += usize::from(again);
        !again && open.allows(item)
    };
    let items = recommender.recommend(&query, &mut allowed, asked.n);
    let by_rule = open.close()?;
    let filtered = asked.request.filtered.then(|| Filtered::new(shelf.names().zip(by_rule), just_bought));
    let known = asked.customer.map(|key| match &past {
        Some(past) => !past.is_empty(),
        None => recommender.parts().users.number(key.as_str()).is_some(),
    });
    Ok(Found { items, known, filtered })
}

/// The customer's own past from the store; none when the store has none, so that the one that training saw
/// counts.
fn past(state: &AppState, shelf: &Shelf, asked: &Asked<'_>) -> Result<Option<Vec<Bought>>, ServeError> {
    match (shelf.past(), asked.customer) {
        (Some(reader), Some(key)) => reader.read(state.online.as_ref(), key.as_str(), asked.as_of).map(Some),
        _ => Ok(None),
    }
}

fn interaction(bought: &Bought) -> Interaction<'_> {
    Interaction { item: &bought.item, weight: bought.weight as f32, time: bought.time }
}

fn request_fields(project: &Project, given: &Fields<'_>) -> Result<RequestFields, ServeError> {
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
