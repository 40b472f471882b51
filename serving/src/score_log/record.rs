//! One answer, as it is handed over: owned, so that it outlives its request.

use axum::http::HeaderValue;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_models::Score;
use scorehouse_models::predictor::recommender::Recommended;

use crate::access::{Caller, Via};
use crate::live_model::Selected;

/// Who asked.
#[derive(Debug, Clone)]
pub struct Asker {
    /// The caller.
    pub caller: Caller,
    /// The request's id.
    pub request: Option<HeaderValue>,
}

impl Asker {
    /// The caller's name; none where nobody had to say who they are.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        (self.caller.via() != Via::Open).then(|| self.caller.name())
    }
}

/// One answer with everything it came from.
#[derive(Debug)]
pub struct Answered {
    /// When it was given.
    pub at: Timestamp,
    /// The version that answered.
    pub selected: Selected,
    /// Who asked.
    pub asker: Asker,
    /// What was answered.
    pub answers: Answers,
}

/// What was answered.
#[derive(Debug)]
pub enum Answers {
    /// Scores, a row each.
    Scores(Vec<ScoreGiven>),
    /// One list of products.
    Items(Box<ItemsGiven>),
}

/// One row's score.
#[derive(Debug)]
pub struct ScoreGiven {
    /// The entity's key, where the row has one.
    pub key: Option<Box<str>>,
    /// The moment whose knowledge counted.
    pub as_of: Timestamp,
    /// True when the inputs came from the store, save what the request gave.
    pub stored: bool,
    /// The model's inputs in the order of its signature.
    pub inputs: Vec<Value>,
    /// What the request gave in place of stored values, by slot.
    pub given: Vec<(usize, Value)>,
    /// The score.
    pub score: Score,
}

/// One list of products.
#[derive(Debug)]
pub struct ItemsGiven {
    /// The customer asked about.
    pub customer: Option<Box<str>>,
    /// The moment whose knowledge counted.
    pub as_of: Timestamp,
    /// The rest of the request, as JSON: `n`, `basket`, `request`.
    pub asked: String,
    /// The products, the best first.
    pub items: Vec<Recommended>,
}

impl Answers {
    /// Rows it makes in the log.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Self::Scores(rows) => rows.len(),
            Self::Items(_) => 1,
        }
    }

    /// Bytes it takes in memory, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Scores(rows) => rows.iter().map(ScoreGiven::bytes).sum(),
            Self::Items(list) => 256 + list.asked.len() + list.items.len() * 64,
        }
    }
}

impl ScoreGiven {
    fn bytes(&self) -> usize {
        let key = self.key.as_ref().map_or(0, |key| key.len());
        let values = (self.inputs.len() + self.given.len()) * size_of::<Value>();
        // A reason is two short texts and a value.
        size_of::<Self>() + key + values + self.score.explanation.reasons.len() * 200
    }
}
