//! One question to a recommender and its shelf, and what the answer was made from.

use std::collections::BTreeMap;

use scorehouse_features::ids::EntityKey;
use scorehouse_features::online::OnlineStore;
use scorehouse_features::time::Timestamp;
use scorehouse_features::view::RequestFields;
use scorehouse_models::predictor::recommender::{Interaction, Query, Recommended};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::past::Bought;
use super::shelf::{Shelf, Visit};
use crate::error::ServeError;
use crate::live_model::LiveModel;

/// Most reasons of one product.
const MOST_BECAUSE: usize = 20;

/// One question, checked.
pub struct Question<'a> {
    /// The customer; none for a stranger.
    pub customer: Option<&'a EntityKey>,
    /// Products in the basket.
    pub basket: Vec<&'a str>,
    /// Reasons that each product carries at most.
    pub because: usize,
    /// Products asked for.
    pub n: usize,
    /// The moment whose knowledge counts.
    pub as_of: Timestamp,
    /// Fields that the request brings.
    pub fields: &'a RequestFields,
}

/// What was found for a question.
#[derive(Debug)]
pub struct Found {
    /// The products, the best first.
    pub items: Vec<Recommended>,
    /// Whether anything is known of the customer's past.
    pub known: Option<bool>,
    /// What it was made from.
    pub seen: Seen,
}

/// What an answer was made from besides the question, short enough to be kept with every answer: a replay lays it beside
/// what it finds, to name what differs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Seen {
    /// True for a customer that the caller may not see, and who was answered as a stranger.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stranger: bool,
    /// The customer's own past; none where the one that training saw counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub past: Option<PastSeen>,
    /// The customer's features that rules read.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub customer: BTreeMap<String, Json>,
    /// Products looked at that each rule kept back.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub held: BTreeMap<String, usize>,
    /// Products looked at that the customer had just bought.
    pub just_bought: usize,
    /// The rules' fingerprint; empty without any.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rules: String,
}

/// A customer's own past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastSeen {
    /// Interactions.
    pub rows: usize,
    /// The first 16 hex digits of BLAKE3 over their items, weights and moments.
    pub digest: String,
}

impl PastSeen {
    fn of(past: &[Bought]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for Bought { item, weight, time } in past {
            hasher.update(item.as_bytes()).update(&[0]);
            hasher.update(&weight.to_bits().to_le_bytes()).update(&time.0.to_le_bytes());
        }
        Self { rows: past.len(), digest: hasher.finalize().to_hex()[..16].to_owned() }
    }
}

/// Recommends products with one version, as the store knows the customer and the products.
///
/// # Errors
/// What reading and recommending report; [`ServeError::NotSuited`] for a model that answers with scores.
pub fn find(
    online: &dyn OnlineStore,
    model: &LiveModel,
    question: &Question<'_>,
) -> Result<Found, ServeError> {
    let shelf = model.shelf()?;
    let recommender = model.scoring().recommender()?;
    let past = past(online, shelf, question)?;
    let live: Vec<Interaction<'_>> = past.iter().flatten().map(interaction).collect();
    let recent = match (shelf.past(), &past) {
        (Some(reader), Some(past)) => reader.just_bought(past, question.as_of),
        _ => Default::default(),
    };
    let query = Query {
        user: question.customer.map(EntityKey::as_str),
        history: past.as_ref().map(|_| live.as_slice()),
        basket: &question.basket,
        as_of: question.as_of,
        because: question.because.min(MOST_BECAUSE),
    };
    let visit =
        Visit { online, customer: question.customer, as_of: question.as_of, request: question.fields };
    let mut open = shelf.open(visit)?;
    let mut just_bought = 0;
    let mut allowed = |item: &str| {
        let again = recent.contains(item);
        just_bought += usize::from(again);
        !again && open.allows(item)
    };
    let items = recommender.recommend(&query, &mut allowed, question.n);
    let customer = open.customer().map(|(name, value)| (name.to_owned(), value.to_json())).collect();
    let held = shelf.names().map(str::to_owned).zip(open.close()?).collect();
    let known = question.customer.map(|key| match &past {
        Some(past) => !past.is_empty(),
        None => recommender.parts().users.number(key.as_str()).is_some(),
    });
    let past = past.as_deref().map(PastSeen::of);
    let rules = shelf.fingerprint().to_owned();
    let seen = Seen { stranger: false, past, customer, held, just_bought, rules };
    Ok(Found { items, known, seen })
}

/// The customer's own past from the store; none when the store has none, so that the one that training saw
/// counts.
fn past(
    online: &dyn OnlineStore,
    shelf: &Shelf,
    question: &Question<'_>,
) -> Result<Option<Vec<Bought>>, ServeError> {
    match (shelf.past(), question.customer) {
        (Some(reader), Some(key)) => reader.read(online, key.as_str(), question.as_of).map(Some),
        _ => Ok(None),
    }
}

fn interaction(bought: &Bought) -> Interaction<'_> {
    Interaction { item: &bought.item, weight: bought.weight as f32, time: bought.time }
}
