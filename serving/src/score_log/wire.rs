//! Answers as bytes: what a request hands over and what a segment holds, written by `postcard`.
//!
//! Written once, while the request is answered, and not looked at again until a segment is rolled or read.

use scorehouse_features::source::column::ColumnBuilder;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value};
use scorehouse_models::predictor::recommender::Recommended;
use scorehouse_models::{Reason, Score};
use serde::{Deserialize, Serialize, Serializer};

use crate::live_model::LiveModel;
use crate::policy::Decision;

/// What every answer has.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Head<'a> {
    /// When it was given, in microseconds.
    pub at: i64,
    /// The request's id.
    pub request: Option<&'a str>,
    /// The row within the request.
    pub row: u32,
    /// Who asked; none where nobody had to say.
    pub caller: Option<&'a str>,
    /// The alias that the version was found by.
    pub alias: Option<&'a str>,
    /// In which part the version answered, where a challenger was tried out.
    pub variant: Option<&'a str>,
    /// The entity's or customer's key.
    pub key: Option<&'a str>,
}

/// The answer itself.
#[derive(Debug, Serialize, Deserialize)]
pub enum Body<'a> {
    /// A score.
    #[serde(borrow)]
    Score(ScoreBody<'a>),
    /// A list of products.
    Items(ItemsBody<'a>),
}

/// One row's score.
#[derive(Debug, Serialize, Deserialize)]
pub struct ScoreBody<'a> {
    /// The moment whose knowledge counted, in microseconds.
    pub as_of: i64,
    /// True when the inputs came from the store, save what the request gave.
    pub stored: bool,
    /// What the request gave in place of stored values, as JSON; empty when nothing.
    #[serde(borrow)]
    pub given: std::borrow::Cow<'a, str>,
    pub output: f64,
    pub raw: f64,
    pub base: f64,
    /// What was to be done about it: track, action, rule.
    pub decision: Option<(&'a str, Option<&'a str>, Option<&'a str>)>,
    /// Feature and contribution, the strongest first.
    pub reasons: Vec<(&'a str, f64)>,
    /// The model's inputs in the order of its signature.
    pub inputs: Vec<Cell<'a>>,
}

/// [`Body`] and [`ScoreBody`] as they are written: the same bytes, without lists made for it.
#[derive(Serialize)]
enum Written<'a> {
    Score(ScoreWritten<'a>),
}

#[derive(Serialize)]
struct ScoreWritten<'a> {
    as_of: i64,
    stored: bool,
    given: std::borrow::Cow<'a, str>,
    output: f64,
    raw: f64,
    base: f64,
    decision: Option<(&'a str, Option<&'a str>, Option<&'a str>)>,
    reasons: Reasons<'a>,
    inputs: Inputs<'a>,
}

/// Feature and contribution of each reason.
struct Reasons<'a>(&'a [Reason]);

impl Serialize for Reasons<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(|reason| (&*reason.feature, reason.contribution)))
    }
}

/// A cell for each value.
struct Inputs<'a>(&'a [Value]);

impl Serialize for Inputs<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(Cell::of))
    }
}

/// One list of products.
#[derive(Debug, Serialize, Deserialize)]
pub struct ItemsBody<'a> {
    /// The moment whose knowledge counted, in microseconds.
    pub as_of: i64,
    /// The rest of the request as JSON.
    pub asked: &'a str,
    /// Item and score, the best first.
    pub items: Vec<(&'a str, f32)>,
}

/// An input's value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Cell<'a> {
    Missing,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
    Time(i64),
}

impl<'a> Cell<'a> {
    fn of(value: &'a Value) -> Self {
        match value {
            Value::Missing(_) => Self::Missing,
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Int(*value),
            Value::Float(value) => Self::Float(*value),
            Value::Text(value) => Self::Text(value),
            Value::Time(value) => Self::Time(value.0),
        }
    }

    /// Adds the value to a column.
    pub fn push_to(self, column: &mut ColumnBuilder) {
        column.push(&match self {
            // Why it is missing is not kept: history says it again.
            Self::Missing => Value::Missing(Missing::NullAtSource),
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::Int(value),
            Self::Float(value) => Value::Float(value),
            Self::Text(value) => Value::Text(value.into()),
            Self::Time(value) => Value::Time(Timestamp(value)),
        });
    }
}

/// A score and what it was computed from.
#[derive(Debug, Clone, Copy)]
pub struct Computed<'a> {
    /// The moment whose knowledge counted.
    pub as_of: Timestamp,
    /// True when the inputs came from the store, save what the request gave.
    pub stored: bool,
    /// The model's inputs in order.
    pub inputs: &'a [Value],
    /// What the request gave in place of stored values, by slot.
    pub given: &'a [(usize, Value)],
    /// The score.
    pub score: &'a Score,
    /// What was to be done about it.
    pub decision: Option<&'a Decision>,
}

/// A score's bytes.
#[must_use]
pub fn score(model: &LiveModel, computed: Computed<'_>) -> Vec<u8> {
    let Computed { as_of, stored, inputs, given, score, decision } = computed;
    let explanation = &score.explanation;
    let body = Written::Score(ScoreWritten {
        as_of: as_of.0,
        stored,
        given: if given.is_empty() { "".into() } else { json(model, given).into() },
        output: score.output,
        raw: score.raw,
        base: explanation.base,
        decision: decision.map(|told| (&*told.track, told.action.as_deref(), told.rule.as_deref())),
        reasons: Reasons(&explanation.reasons),
        inputs: Inputs(inputs),
    });
    bytes(&body, 64 + 12 * inputs.len() + 40 * explanation.reasons.len())
}

/// A list's bytes.
#[must_use]
pub fn items(as_of: Timestamp, asked: &str, items: &[Recommended]) -> Vec<u8> {
    let items = items.iter().map(|item| (&*item.item, item.score)).collect();
    bytes(&Body::Items(ItemsBody { as_of: as_of.0, asked, items }), 256)
}

fn bytes<T: Serialize>(of: &T, room: usize) -> Vec<u8> {
    // Writing into memory cannot fail: lengths are known and nothing here refuses to be written.
    postcard::to_extend(of, Vec::with_capacity(room)).unwrap_or_default()
}

/// Appends one answer: its length, its head, its body.
pub fn append(to: &mut Vec<u8>, head: &Head<'_>, body: &[u8]) {
    let from = to.len();
    to.extend_from_slice(&[0; 4]);
    let head = postcard::to_extend(head, std::mem::take(to));
    *to = head.unwrap_or_default();
    to.extend_from_slice(body);
    let length = u32::try_from(to.len() - from - 4).unwrap_or(u32::MAX);
    if let Some(place) = to.get_mut(from..from + 4) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}

/// Bytes that are no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// The answers in `bytes`; where one cannot be read, that is the last thing told.
pub fn answers(bytes: &[u8]) -> impl Iterator<Item = Result<(Head<'_>, Body<'_>), Unreadable>> {
    let mut left = Some(bytes).filter(|bytes| !bytes.is_empty());
    std::iter::from_fn(move || {
        let bytes = left.take()?;
        let Some((answer, rest)) = next(bytes) else { return Some(Err(Unreadable)) };
        left = Some(rest).filter(|rest| !rest.is_empty());
        Some(Ok(answer))
    })
}

/// The first answer, and the bytes behind it.
fn next(bytes: &[u8]) -> Option<((Head<'_>, Body<'_>), &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (answer, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let (head, body) = postcard::take_from_bytes(answer).ok()?;
    Some(((head, postcard::from_bytes(body).ok()?), rest))
}

/// What the request gave, as a JSON object by name.
fn json(model: &LiveModel, given: &[(usize, Value)]) -> String {
    let named = given.iter().filter_map(|(slot, value)| Some((model.slot_name(*slot)?, value.to_json())));
    let object: serde_json::Map<String, serde_json::Value> =
        named.map(|(name, value)| (name.to_owned(), value)).collect();
    serde_json::Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use proptest::prelude::*;

    fn head(key: &str) -> Head<'_> {
        Head {
            at: 7,
            request: Some("r-1"),
            row: 3,
            caller: None,
            alias: Some("champion"),
            variant: None,
            key: Some(key),
        }
    }

    #[test]
    fn answers_come_back_in_order_and_end_where_one_is_torn() {
        let list = items(Timestamp(5), r#"{"n":2}"#, &[]);
        let mut bytes = Vec::new();
        append(&mut bytes, &head("A"), &list);
        let first = bytes.len();
        append(&mut bytes, &head("B"), &list);
        let keys = |bytes: &[u8]| -> Vec<String> {
            answers(bytes).flatten().map(|(head, _)| head.key.unwrap().to_owned()).collect()
        };
        assert_eq!(keys(&bytes), ["A", "B"]);
        assert_eq!(keys(&bytes[..bytes.len() - 1]), ["A"]);
        assert_eq!(keys(&bytes[..first - 1]), Vec::<String>::new());
        assert!(answers(&bytes).all(|answer| answer.is_ok()));
        assert_eq!(answers(&bytes[..bytes.len() - 1]).last().unwrap().err(), Some(Unreadable));
        let Some(Ok((_, Body::Items(body)))) = answers(&bytes).next() else { panic!("a list") };
        assert_eq!((body.as_of, body.asked), (5, r#"{"n":2}"#));
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_are_read_without_a_panic(bytes: Vec<u8>) {
            prop_assert!(answers(&bytes).count() <= bytes.len());
        }

        #[test]
        fn numbers_keep_every_bit(raw: f64, at: i64) {
            let cells = [Cell::Float(raw), Cell::Time(at), Cell::Text("é"), Cell::Missing, Cell::Bool(true)];
            let bytes = postcard::to_allocvec(&cells.to_vec()).unwrap();
            let back: Vec<Cell<'_>> = postcard::from_bytes(&bytes).unwrap();
            match (back[0], cells[0]) {
                (Cell::Float(a), Cell::Float(b)) => prop_assert_eq!(a.to_bits(), b.to_bits()),
                _ => prop_assert!(false),
            }
            prop_assert_eq!(&back[1..], &cells[1..]);
        }
    }
}
