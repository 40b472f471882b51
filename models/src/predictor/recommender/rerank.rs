//! The second look: the best candidates in the order of what is known of the customer and of each product.
//!
//! The components know who took up what; prices, stock and segments they do not. A [`Reranker`] reads both, and how
//! the components see each candidate, and reorders the best [`RERANKED`] of them.

use scorehouse_features::ids::FeatureName;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value};
use serde::{Deserialize, Serialize};

use crate::artifact::Sections;
use crate::encoder::Encoder;
use crate::error::ModelError;
use crate::predictor::{Forest, Form, Predictor};
use crate::signature::{InputField, Output, Signature};

/// Candidates that are reordered, the best by score; those behind them stay where they are.
pub const RERANKED: usize = 100;

/// What a recommender itself knows of a candidate, in the order of a re-ranker's first inputs; what each component
/// says of it follows.
pub const OWN: [&str; 6] = ["place", "score", "popularity", "days_since", "weight_before", "items_before"];

/// Features of one entity that a re-ranker reads.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FactsRead {
    /// Their names, in order.
    pub features: Vec<FeatureName>,
    /// The hash of their definitions; empty without any.
    pub hash: String,
}

/// Reorders candidates by trees over what the recommender knows and what is read of the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Reranker {
    /// [`OWN`], one input for each component that reads the profile, the customer's features, the product's.
    pub inputs: Vec<InputField>,
    /// What is read of the customer.
    pub customer: FactsRead,
    /// What is read of a product.
    pub product: FactsRead,
    /// How inputs become columns.
    pub encoder: Encoder,
    /// What is added to where a candidate stands; trained as log-odds of going first.
    pub forest: Forest,
}

impl Reranker {
    /// Checks that the parts fit together, for a recommender with `components` that read the profile.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when they do not.
    pub(super) fn checked(self, components: usize) -> Result<Self, ModelError> {
        let bad = |why: String| Err(ModelError::invalid("re-ranking", why));
        let facts = self.customer.features.len() + self.product.features.len();
        let expected = OWN.len() + components + facts;
        if self.inputs.len() != expected {
            return bad(format!("{expected} inputs are made, {} are read", self.inputs.len()));
        }
        let inputs = self.inputs.clone();
        let signature = Signature { entity: None, feature_set: None, inputs, output: Output::Value };
        self.encoder.check(&signature)?;
        if self.forest.width() > self.encoder.width() {
            let (read, made) = (self.forest.width(), self.encoder.width());
            return bad(format!("it reads {read} columns, {made} are made"));
        }
        Ok(self)
    }

    /// What each candidate is worth, given `rows` of inputs in the order of the scores: higher goes first.
    #[must_use]
    pub fn values(&self, rows: &[Vec<Value>], as_of: Timestamp) -> Vec<f64> {
        let width = self.encoder.width();
        let mut columns = vec![0.0; width * rows.len()];
        for (row, columns) in rows.iter().zip(columns.chunks_exact_mut(width.max(1))) {
            self.encoder.encode(row, as_of, columns);
        }
        let mut values = vec![self.forest.base(); rows.len()];
        self.forest.raw_batch(&columns, width, &mut values);
        for (place, value) in values.iter_mut().enumerate() {
            *value += before(place);
        }
        values
    }
}

/// How it stands in an artifact.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    inputs: Vec<InputField>,
    customer: FactsRead,
    product: FactsRead,
    encoder: Encoder,
    forest: Form,
}

impl Reranker {
    /// Writes it into the sections `prefix.rerank` (JSON) and `prefix.rerank.forest`.
    pub(super) fn write(&self, prefix: &str, sections: &mut Sections) -> Result<(), ModelError> {
        let forest = Predictor::Forest(self.forest.clone());
        let written = Written {
            inputs: self.inputs.clone(),
            customer: self.customer.clone(),
            product: self.product.clone(),
            encoder: self.encoder.clone(),
            forest: Form::write(&forest, &format!("{prefix}.rerank.forest"), sections)?,
        };
        sections.put_json(&format!("{prefix}.rerank"), &written)
    }

    /// Reads back what [`Reranker::write`] wrote; whether it fits its recommender is checked when that is put together.
    pub(super) fn read(prefix: &str, sections: &Sections) -> Result<Self, ModelError> {
        let written: Written = sections.json(&format!("{prefix}.rerank"))?;
        let Written { inputs, customer, product, encoder, forest } = written;
        let Predictor::Forest(forest) = forest.read(sections)? else {
            return Err(ModelError::invalid("re-ranking", "it must be a forest"));
        };
        Ok(Self { inputs, customer, product, encoder, forest })
    }
}

/// The numbers of candidates by `values`, the greatest first; equals stay in their order, and so do those behind.
#[must_use]
pub fn reordered(values: &[f64], all: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    order.extend(values.len()..all);
    order
}

/// What the candidate at `place` (from 0) by score starts from: the logarithm of what the place is worth,
/// 1 / log2(place + 2), so that without trees the order stays as it is.
#[must_use]
pub fn before(place: usize) -> f64 {
    -((place + 2) as f64).log2().ln()
}

/// What a recommender knows of one candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing<'a> {
    /// Its place by score, from 0.
    pub place: usize,
    /// Its score, as a share of the best one's.
    pub score: f32,
    /// Its recent popularity, in multiples of the mean.
    pub popularity: f32,
    /// Days since the customer last had it, and the weight of all that was had; none when it never was.
    pub had: Option<(f64, f32)>,
    /// Items in the customer's past.
    pub items_before: usize,
    /// What each component that reads the profile says of it, at unit size.
    pub said: &'a [f32],
}

impl Standing<'_> {
    /// The re-ranker's first inputs.
    pub fn inputs(&self) -> impl Iterator<Item = Value> + '_ {
        self.numbers().map(number)
    }

    /// The same as numbers; NaN where there is none.
    pub fn numbers(&self) -> impl Iterator<Item = f64> + '_ {
        let own = [
            self.place as f64,
            f64::from(self.score),
            f64::from(self.popularity),
            self.had.map_or(f64::NAN, |had| had.0),
            self.had.map_or(f64::NAN, |had| f64::from(had.1)),
            self.items_before as f64,
        ];
        own.into_iter().chain(self.said.iter().map(|said| f64::from(*said)))
    }
}

fn number(number: f64) -> Value {
    if number.is_finite() { Value::Float(number) } else { Value::Missing(Missing::Undefined) }
}

/// A number as a share of another, such as the best one's score; 0 where the other is nothing.
#[must_use]
pub fn share(of: f32, whole: f32) -> f32 {
    if whole > 0.0 { of / whole } else { 0.0 }
}

/// The mean of popularities.
#[must_use]
pub fn mean(popularity: &[f32]) -> f32 {
    (popularity.iter().map(|p| f64::from(*p)).sum::<f64>() / popularity.len().max(1) as f64) as f32
}
