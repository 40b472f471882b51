//! What is asked of a recommender, and what it answers.

use scorehouse_features::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

/// One interaction of a customer with an item, by name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interaction<'a> {
    /// The item's name; one that training never saw is passed over.
    pub item: &'a str,
    /// How much it counts, before it fades; negative for a return.
    pub weight: f32,
    /// When it happened.
    pub time: Timestamp,
}

/// A question: what might this customer want next?
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Query<'a> {
    /// The customer, to read the history that training saw; none for a stranger.
    pub user: Option<&'a str>,
    /// The history as it is known now, in place of the one that training saw.
    pub history: Option<&'a [Interaction<'a>]>,
    /// Items in the basket: they speak as loud as a purchase made this moment, and are never suggested.
    pub basket: &'a [&'a str],
    /// The moment of the question; later interactions are not seen.
    pub as_of: Timestamp,
    /// How many reasons each answer carries at most.
    pub because: usize,
}

impl<'a> Query<'a> {
    /// A question about nobody in particular at `as_of`, with up to three reasons an answer.
    #[must_use]
    pub const fn stranger(as_of: Timestamp) -> Self {
        Self { user: None, history: None, basket: &[], as_of, because: 3 }
    }

    /// A question about a customer that training may have seen.
    #[must_use]
    pub const fn user(user: &'a str, as_of: Timestamp) -> Self {
        Self { user: Some(user), ..Self::stranger(as_of) }
    }
}

/// One suggested item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recommended {
    /// Its name.
    pub item: String,
    /// Its score: higher is better; only the order within one answer means anything.
    pub score: f32,
    /// What in the customer's past speaks for it, the strongest first.
    pub because: Vec<Because>,
}

/// One item of the past, and what it adds to a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Because {
    /// The item in the history or the basket.
    pub item: String,
    /// What it adds to the score. Over all items of the past, and what popularity alone gives, these add up
    /// to the score.
    pub contribution: f32,
}

/// Whether an item that the customer already has may be suggested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Never: only what is new to the customer.
    Never,
    /// Once its newest interaction is longer ago than this.
    After(Span),
    /// Always.
    Always,
}

impl Repeat {
    /// True when an item last interacted with at `last` must not be suggested at `as_of`.
    #[must_use]
    pub const fn forbids(self, last: Timestamp, as_of: Timestamp) -> bool {
        match self {
            Self::Never => true,
            Self::After(span) => last.0 > as_of.before(span).0,
            Self::Always => false,
        }
    }
}
