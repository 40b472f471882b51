//! What a storefront asks, and what it is answered.

use scorehouse_features::time::Timestamp;
use scorehouse_models::predictor::recommender::{Because, Recommended};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answered;
use super::question::{Found, Seen};
use crate::challenger::Variant;
use crate::error::ServeError;
use crate::live_model::Selected;
use crate::service::scalar::{Fields, Text};

/// A request for products: for a customer, for a basket, for both, or with neither for a stranger.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"customer": "13085", "n": 5, "filtered": true}))]
pub struct RecommendRequest<'a> {
    /// The customer's key. One that is not known is answered as a stranger.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>)]
    pub customer: Option<Text<'a>>,
    /// Keys of products in the basket, at most 1000; unknown ones are passed over.
    #[serde(borrow, default)]
    #[schema(value_type = Vec<String>)]
    pub basket: Vec<Text<'a>>,
    /// How many products, 1 to 1000; 10 if not given. Fewer come when the rules leave fewer.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000)]
    pub n: Option<usize>,
    /// How many reasons each product carries at most; 3 if not given.
    #[serde(default)]
    pub because: Option<usize>,
    /// True: say how many products each rule kept back.
    #[serde(default)]
    pub filtered: bool,
    /// Fields that the rules read as `request.field`.
    #[serde(borrow, default)]
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>)]
    pub request: Fields<'a>,
    /// The moment whose knowledge counts, RFC 3339 or a date; now if not given. Not in the future.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>)]
    pub as_of: Option<Text<'a>>,
    /// The alias that answers; `champion` if neither this nor `version` is given.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>)]
    pub alias: Option<Text<'a>>,
    /// The version that answers, in place of an alias.
    #[serde(default)]
    pub version: Option<u32>,
}

/// Products in order of preference, from one version of a model.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecommendAnswer<'a> {
    model: &'a str,
    /// The version that answered.
    version: u32,
    /// The alias it was found by.
    #[serde(skip_serializing_if = "Option::is_none")]
    alias: Option<&'a str>,
    /// In a split, who answered: `champion` or `challenger`.
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
    /// The moment whose knowledge counted.
    #[schema(value_type = String, format = DateTime)]
    as_of: Timestamp,
    /// The customer asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a str>,
    /// False when nothing is known of the customer's past, so that the answer is a stranger's.
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<bool>,
    /// The products, the first one first: by score, by a second look, or arranged by the declared weights.
    items: Vec<ItemShown<'a>>,
    /// What was kept back among the products looked at, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    filtered: Option<Filtered>,
}

/// One product.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemShown<'a> {
    /// Its key.
    item: &'a str,
    /// How the model's components see it: higher is better; only the order within one answer means anything.
    score: f32,
    /// Its place by score alone, from 1, where more than scores decides: a second look, `diversity` or `margin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<usize>,
    /// What selling it earns, where the project declares a `margin`; null where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    margin: Option<Option<f64>>,
    /// What in the customer's past or basket speaks for it, the strongest first.
    #[schema(value_type = Vec<BecauseShown>)]
    because: &'a [Because],
}

impl<'a> ItemShown<'a> {
    fn all(found: &'a Found) -> Vec<Self> {
        let shown = |(at, item): (usize, &'a Recommended)| Self {
            item: &item.item,
            score: item.score,
            place: found.notes.get(at).map(|note| note.place),
            margin: found.notes.get(at).and_then(|note| note.margin),
            because: &item.because,
        };
        found.items.iter().enumerate().map(shown).collect()
    }
}

/// One product of the past.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "stands only in the OpenAPI document")]
pub struct BecauseShown {
    /// Its key.
    item: String,
    /// What it adds to the score.
    contribution: f32,
}

/// How many products were kept back, each counted under the first rule that kept it back.
#[derive(Debug, Serialize, ToSchema)]
pub struct Filtered {
    /// By the project's rules.
    rules: std::collections::BTreeMap<String, usize>,
    /// Bought too recently by this customer.
    just_bought: usize,
}

impl Filtered {
    /// What an answer's making kept back.
    pub fn of(seen: &Seen) -> Self {
        Self { rules: seen.held.clone(), just_bought: seen.just_bought }
    }
}

impl<'a> RecommendAnswer<'a> {
    /// Wraps what `selected` found.
    #[must_use]
    pub fn new(
        selected: &'a Selected,
        variant: Option<Variant>,
        request: &'a RecommendRequest<'_>,
        Answered { as_of, found, .. }: &'a Answered,
    ) -> Self {
        Self {
            variant: variant.map(Variant::as_str),
            model: selected.model.name(),
            version: selected.model.version().0,
            alias: selected.alias.as_ref().map(|alias| alias.as_str()),
            as_of: *as_of,
            customer: request.customer.as_deref(),
            known: found.known,
            items: ItemShown::all(found),
            filtered: request.filtered.then(|| Filtered::of(&found.seen)),
        }
    }

    /// The answer's bytes.
    ///
    /// # Errors
    /// [`ServeError::Bug`] when a number cannot be written.
    pub fn to_json(&self) -> Result<Vec<u8>, ServeError> {
        serde_json::to_vec(self).map_err(|error| ServeError::Bug { message: error.to_string() })
    }
}
