//! Recommendations handed over to the score log.

use scorehouse_features::time::Timestamp;
use scorehouse_models::predictor::recommender::Recommended;
use serde::Serialize;
use serde::ser::SerializeMap;

use super::{ITEMS, RecommendRequest};
use crate::live_model::Selected;
use crate::score_log::{Answer, Asker, Given as Shared, items_bytes};
use crate::service::scalar::{Fields, Scalar};
use crate::state::AppState;

/// A list as it was answered.
#[derive(Debug)]
pub struct Given<'a> {
    /// What was asked.
    pub request: &'a RecommendRequest<'a>,
    /// The moment whose knowledge counted.
    pub as_of: Timestamp,
    /// The products, the best first.
    pub items: Vec<Recommended>,
}

/// Hands a list over as it was answered.
pub fn keep(state: &AppState, selected: &Selected, asker: Asker, given: Given<'_>) {
    if !state.score_log.keeps() {
        return;
    }
    let Given { request, as_of, items } = given;
    let asked = Asked {
        n: request.n.unwrap_or(ITEMS),
        basket: request.basket.iter().map(|item| &**item).collect(),
        request: Written(&request.request),
    };
    let body = items_bytes(as_of, &asked.text(), &items);
    let answer = Answer { row: 0, key: request.customer.as_deref(), body: &body };
    let shared = Shared { at: state.clock.now(), selected, asker: &asker, variant: None };
    state.score_log.keep(shared, std::iter::once(answer));
}

#[derive(Serialize)]
struct Asked<'a> {
    n: usize,
    basket: Vec<&'a str>,
    request: Written<'a>,
}

impl Asked<'_> {
    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
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
