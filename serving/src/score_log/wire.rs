//! Answers as bytes: what a request hands over and what a segment holds, written by `postcard`.
//!
//! Written once, while the request is answered, and not looked at again until a segment is rolled or read.

use scorehouse_features::source::column::ColumnBuilder;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value};
use scorehouse_models::Score;
use scorehouse_models::predictor::recommender::Recommended;
use serde::{Deserialize, Serialize};

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

impl Cell<'_> {
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

/// Appends a score's bytes.
pub fn score(to: &mut Vec<u8>, model: &LiveModel, computed: Computed<'_>) {
    let given = if computed.given.is_empty() { String::new() } else { json(model, computed.given) };
    put_score(to, &given, computed);
}

/// Appends the bytes of a [`Body`] without making one: requests wait for it.
fn put_score(to: &mut Vec<u8>, given: &str, computed: Computed<'_>) {
    let Computed { as_of, stored, inputs, score, decision, .. } = computed;
    let explanation = &score.explanation;
    to.reserve(64 + 10 * inputs.len() + 40 * explanation.reasons.len());
    to.push(SCORE);
    put_whole(to, as_of.0);
    to.push(stored.into());
    put_text(to, given);
    for number in [score.output, score.raw, explanation.base] {
        to.extend_from_slice(&number.to_le_bytes());
    }
    to.push(decision.is_some().into());
    if let Some(told) = decision {
        put_text(to, &told.track);
        put_text_if(to, told.action.as_deref());
        put_text_if(to, told.rule.as_deref());
    }
    put_count(to, explanation.reasons.len() as u64);
    for reason in &explanation.reasons {
        put_text(to, &reason.feature);
        to.extend_from_slice(&reason.contribution.to_le_bytes());
    }
    put_count(to, inputs.len() as u64);
    inputs.iter().for_each(|value| put_value(to, value));
}

/// The number of [`Body::Score`] among the bodies.
const SCORE: u8 = 0;

/// Appends a value as a [`Cell`], whose number is its first byte.
fn put_value(to: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Missing(_) => to.push(0),
        Value::Bool(value) => to.extend_from_slice(&[1, u8::from(*value)]),
        Value::Int(value) => {
            to.push(2);
            put_whole(to, *value);
        }
        Value::Float(value) => {
            let mut bytes = [3; 9];
            bytes[1..].copy_from_slice(&value.to_le_bytes());
            to.extend_from_slice(&bytes);
        }
        Value::Text(text) => {
            to.push(4);
            put_text(to, text);
        }
        Value::Time(moment) => {
            to.push(5);
            put_whole(to, moment.0);
        }
    }
}

/// Seven bits a byte, the lowest first; the highest bit of a byte says that another follows.
fn put_count(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

/// With the sign as the lowest bit.
fn put_whole(to: &mut Vec<u8>, number: i64) {
    put_count(to, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

fn put_text(to: &mut Vec<u8>, text: &str) {
    put_count(to, text.len() as u64);
    to.extend_from_slice(text.as_bytes());
}

fn put_text_if(to: &mut Vec<u8>, text: Option<&str>) {
    to.push(text.is_some().into());
    if let Some(text) = text {
        put_text(to, text);
    }
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
    let Head { at, request, row, caller, alias, variant, key } = head;
    put_whole(to, *at);
    put_text_if(to, *request);
    put_count(to, u64::from(*row));
    for text in [caller, alias, variant, key] {
        put_text_if(to, *text);
    }
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
    use scorehouse_models::{Effect, Explanation, Reason};

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

    #[test]
    fn a_score_is_written_as_its_body_is_read() {
        let told = Decision { track: "fast".into(), action: Some("call".into()), rule: None };
        let reason = Reason {
            feature: "deal.amount".into(),
            value: Value::Int(3),
            contribution: -0.25,
            effect: Effect::Against,
            words: "three".into(),
            parts: Vec::new(),
        };
        let explanation = Explanation { base: 0.5, reasons: vec![reason.clone(), reason], rest: 0.0 };
        let score = Score { output: 0.1, interval: None, raw: -2.0, explanation };
        let inputs = [Value::Float(1.5), Value::Text("é".into()), Value::Missing(Missing::NeverSeen)];
        for (decision, given, inputs) in [(Some(&told), r#"{"a":1}"#, &inputs[..]), (None, "", &inputs[..0])]
        {
            let as_of = Timestamp(-7);
            let computed = Computed { as_of, stored: true, inputs, given: &[], score: &score, decision };
            let mut bytes = Vec::new();
            put_score(&mut bytes, given, computed);
            let Ok(Body::Score(read)) = postcard::from_bytes(&bytes) else { panic!("a score") };
            assert_eq!(
                (read.as_of, read.stored, &*read.given, read.output, read.raw),
                (-7, true, given, 0.1, -2.0)
            );
            assert_eq!(read.decision, decision.map(|_| ("fast", Some("call"), None)));
            assert_eq!((read.base, read.reasons), (0.5, vec![("deal.amount", -0.25); 2]));
            let cells = [Cell::Float(1.5), Cell::Text("é"), Cell::Missing];
            assert_eq!(read.inputs, cells[..inputs.len()]);
            assert_eq!(
                bytes,
                postcard::to_allocvec(&postcard::from_bytes::<Body<'_>>(&bytes).unwrap()).unwrap()
            );
        }
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_are_read_without_a_panic(bytes: Vec<u8>) {
            prop_assert!(answers(&bytes).count() <= bytes.len());
        }

        #[test]
        fn a_head_is_written_as_it_is_read(at: i64, row: u32, texts in prop::collection::vec(any::<Option<String>>(), 5)) {
            let text = |number: usize| texts[number].as_deref();
            let head =
                Head { at, request: text(0), row, caller: text(1), alias: text(2), variant: text(3), key: text(4) };
            let mut bytes = Vec::new();
            append(&mut bytes, &head, b"");
            prop_assert_eq!(&bytes[4..], postcard::to_allocvec(&head).unwrap());
        }

        #[test]
        fn a_value_is_written_as_its_cell_is_read(
            float: f64, whole: i64, moment: i64, flag: bool, text in "\\PC{0,200}",
        ) {
            let pairs = [
                (Value::Float(float), Cell::Float(float)),
                (Value::Int(whole), Cell::Int(whole)),
                (Value::Time(Timestamp(moment)), Cell::Time(moment)),
                (Value::Bool(flag), Cell::Bool(flag)),
                (Value::Text(text.as_str().into()), Cell::Text(&text)),
                (Value::Missing(Missing::Expired), Cell::Missing),
            ];
            for (value, cell) in pairs {
                let mut bytes = Vec::new();
                put_value(&mut bytes, &value);
                prop_assert_eq!(bytes, postcard::to_allocvec(&cell).unwrap());
            }
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
