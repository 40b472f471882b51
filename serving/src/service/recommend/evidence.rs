//! Recommendations handed over to the score log, and read from it again.

use scorehouse_features::online::OnlineStore;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize};

use super::{Answered, ITEMS, Question, RecommendRequest, Seen, find};
use crate::challenger::{Arms, Followed, ListFollowed, Variant};
use crate::error::ServeError;
use crate::live_model::LiveModel;
use crate::score_log::{Answer, Asker, Given as Shared, items_bytes};
use crate::service::scalar::{Fields, Scalar, Text};
use crate::state::AppState;

/// A list as it was answered.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// What was asked.
    pub request: &'a RecommendRequest<'a>,
    /// In which part it was answered, in a split.
    pub variant: Option<Variant>,
    /// What it was answered.
    pub answered: &'a Answered,
}

/// Hands lists over as they were answered, each under its place in the request, to the score log and to a shadow.
pub fn keep(state: &AppState, arms: &Arms<'_>, asker: &Asker, given: &[Given<'_>]) {
    if !state.score_log.keeps() {
        return;
    }
    let at = state.clock.now();
    let keep_of = |variant: Option<Variant>| {
        let rows = given.iter().zip(0..).filter(|(given, _)| given.variant == variant);
        let body = |(given, row): (&Given<'_>, u32)| {
            let Given { request, answered: Answered { as_of, found, .. }, .. } = *given;
            let basket = request.basket.iter().map(|item| &**item).collect();
            let n = request.n.unwrap_or(ITEMS);
            let text = Asked { n, basket, request: &Written(&request.request), seen: &found.seen }.text();
            (row, request.customer.as_deref().map(str::to_owned), items_bytes(*as_of, &text, &found.items))
        };
        let bodies: Vec<(u32, Option<String>, Vec<u8>)> = rows.map(body).collect();
        let answers = bodies.iter().map(|(row, key, body)| Answer { row: *row, key: key.as_deref(), body });
        state.score_log.keep(Shared { at, selected: arms.of(variant), asker, variant }, answers);
    };
    keep_of(arms.undecided());
    if arms.challenger().is_some() {
        keep_of(Some(Variant::Challenger));
    }
    if let Some(challenger) = arms.shadow() {
        let rows = given.iter().zip(0..).filter_map(|(given, row)| Some((row, followed(arms, given)?)));
        state.shadows.follow(challenger, (at, asker), rows.collect());
    }
}

/// What the shadow is to answer of a request, if anything.
fn followed(arms: &Arms<'_>, given: &Given<'_>) -> Option<Followed> {
    let Given { request, answered, .. } = *given;
    arms.shadow_of_customer(request.customer.as_deref())?;
    Some(Followed::List(Box::new(ListFollowed {
        key: request.customer.as_deref().map(str::to_owned),
        customer: answered.customer.clone(),
        basket: request.basket.iter().map(|item| item.to_string()).collect(),
        n: request.n.unwrap_or(ITEMS),
        as_of: answered.as_of,
        fields: answered.fields.clone(),
        request: serde_json::value::to_raw_value(&Written(&request.request)).ok()?,
    })))
}

/// The bytes of a list that a shadow gives.
///
/// # Errors
/// What reading and recommending report.
pub fn list_bytes(
    online: &dyn OnlineStore,
    model: &LiveModel,
    list: &ListFollowed,
) -> Result<Vec<u8>, ServeError> {
    let ListFollowed { key, customer, basket, n, as_of, fields, request } = list;
    let basket: Vec<&str> = basket.iter().map(String::as_str).collect();
    let (n, as_of, customer) = (*n, *as_of, customer.as_ref());
    let question = Question { customer, basket: basket.clone(), because: 0, n, as_of, fields };
    let mut found = find(online, model, &question)?;
    found.seen.stranger = key.is_some() && customer.is_none();
    let text = Asked { n, basket, request, seen: &found.seen }.text();
    Ok(items_bytes(as_of, &text, &found.items))
}

/// What was asked, and what the answer was made from.
#[derive(Serialize)]
struct Asked<'a, R> {
    n: usize,
    basket: Vec<&'a str>,
    request: R,
    seen: &'a Seen,
}

impl<R: Serialize> Asked<'_, R> {
    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The same, read again.
#[derive(Debug, Deserialize)]
pub struct Logged<'a> {
    /// Products asked for.
    pub n: usize,
    /// Products in the basket.
    #[serde(borrow, default)]
    pub basket: Vec<Text<'a>>,
    /// Fields that the request brought.
    #[serde(borrow, default)]
    pub request: Fields<'a>,
    /// What the answer was made from; none in a log of an earlier version.
    #[serde(default)]
    pub seen: Option<Seen>,
}

/// Fields as the request wrote them.
struct Written<'a>(&'a Fields<'a>);

impl Serialize for Written<'_> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.0.len()))?;
        for (name, value) in &self.0.0 {
            let name = &**name;
            match value {
                Scalar::Null => map.serialize_entry(name, &())?,
                Scalar::Bool(value) => map.serialize_entry(name, value)?,
                Scalar::Int(value) => map.serialize_entry(name, value)?,
                Scalar::Float(value) => map.serialize_entry(name, value)?,
                Scalar::Text(value) => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}
