//! One question to a recommender and its shelf, and what the answer was made from.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;
use scorehouse_features::ids::EntityKey;
use scorehouse_features::online::OnlineStore;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_features::view::RequestFields;
use scorehouse_models::predictor::recommender::{ByRelevance, Interaction, Query, Recommended, Storefront};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::arrangement::Traits;
use super::past::Bought;
use super::shelf::{OpenShelf, Shelf, Visit};
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
    /// The products, the first one first.
    pub items: Vec<Recommended>,
    /// How each came to its place; empty where scores alone decide.
    pub notes: Vec<Note>,
    /// Whether anything is known of the customer's past.
    pub known: Option<bool>,
    /// What it was made from.
    pub seen: Seen,
}

/// How a product came to its place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Note {
    /// Its place by score alone, from 1.
    pub place: usize,
    /// What selling it earns, where the project declares that: none where it is not known.
    pub margin: Option<Option<f64>>,
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
    /// What a second look made of the products: how many, and the first 16 hex digits of BLAKE3 over its numbers; empty
    /// where scores decided.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reranked: String,
    /// What arranged the products: how many, and the first 16 hex digits of BLAKE3 over what was read of them; empty
    /// where relevance alone decides.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub arranged: String,
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
    let open = shelf.open(visit)?;
    let mut counter =
        Counter { shelf, open, recent, just_bought: 0, n: question.n, notes: Vec::new(), values: Vec::new() };
    let items = recommender.recommend_at(&query, &mut counter);
    let Counter { open, just_bought, notes, values, .. } = counter;
    let customer = open.customer().map(|(name, value)| (name.to_owned(), value.to_json())).collect();
    let arranged = if shelf.arranges() { digest(open.traits()) } else { String::new() };
    let held = shelf.names().map(str::to_owned).zip(open.close()?).collect();
    let known = question.customer.map(|key| match &past {
        Some(past) => !past.is_empty(),
        None => recommender.parts().users.number(key.as_str()).is_some(),
    });
    let past = past.as_deref().map(PastSeen::of);
    let rules = shelf.fingerprint().to_owned();
    let reranked = if values.is_empty() { String::new() } else { digest_of_values(&values) };
    let seen = Seen { stranger: false, past, customer, held, just_bought, reranked, arranged, rules };
    Ok(Found { items, notes, known, seen })
}

/// Shows what the rules allow and was not just bought, arranged as declared.
struct Counter<'a> {
    shelf: &'a Shelf,
    open: OpenShelf<'a>,
    recent: FxHashSet<&'a str>,
    just_bought: usize,
    n: usize,
    notes: Vec<Note>,
    /// What a second look made of the candidates.
    values: Vec<f64>,
}

impl Storefront for Counter<'_> {
    fn pool(&self) -> usize {
        self.shelf.pool(self.n)
    }

    fn allowed(&mut self, items: &[&str]) -> Vec<bool> {
        let again: Vec<bool> = items.iter().map(|item| self.recent.contains(item)).collect();
        let others = items.iter().zip(&again).filter(|(_, again)| !**again);
        let others: Vec<&str> = others.map(|(item, _)| *item).collect();
        self.just_bought += items.len() - others.len();
        let mut of_others = self.open.allowed(&others).into_iter();
        again.iter().map(|again| !again && of_others.next().unwrap_or(false)).collect()
    }

    fn facts(&mut self, candidate: usize, facts: &mut Vec<Value>) -> bool {
        self.open.facts(candidate, facts)
    }

    fn arrange(&mut self, ByRelevance { order, values }: ByRelevance) -> Vec<usize> {
        let shown = match self.shelf.arranges() {
            true => self.open.arrange(&order, self.n),
            false => order.into_iter().take(self.n).collect(),
        };
        if self.shelf.arranges() || !values.is_empty() {
            let margin = |at: usize| self.open.traits().get(at).and_then(|traits| traits.margin);
            let note = |at: &usize| Note {
                // Candidates are numbered in the order of their scores.
                place: at + 1,
                margin: self.shelf.tells_margin().then(|| margin(*at)),
            };
            self.notes = shown.iter().map(note).collect();
        }
        self.values = values;
        shown
    }
}

fn digest_of_values(values: &[f64]) -> String {
    let mut hasher = blake3::Hasher::new();
    values.iter().for_each(|value| {
        hasher.update(&value.to_bits().to_le_bytes());
    });
    format!("{} {}", values.len(), &hasher.finalize().to_hex()[..16])
}

fn digest(traits: &[Traits]) -> String {
    let mut hasher = blake3::Hasher::new();
    for Traits { margin, kinds } in traits {
        hasher.update(&margin.map_or([0xff; 8], |margin| margin.to_bits().to_le_bytes()));
        kinds.iter().for_each(|kind| {
            hasher.update(kind.to_json().to_string().as_bytes()).update(&[0]);
        });
    }
    format!("{} {}", traits.len(), &hasher.finalize().to_hex()[..16])
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
