//! Answers as bytes: what a request hands over and what a segment holds, in the form of `postcard`.
//!
//! Written once, while the request is answered, and not looked at again until a segment is rolled or read. What all answers
//! of a request share stands once, before them: a [`Head`] with its length, then each answer's place, key and [`Body`].

mod put;

use scorehouse_features::source::column::ColumnBuilder;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value};
use scorehouse_models::Score;
use scorehouse_models::predictor::recommender::Recommended;
use serde::{Deserialize, Serialize};

use self::put::{put_count, put_score, put_text_if, put_whole};
use super::Answer;
use crate::live_model::LiveModel;
use crate::policy::Decision;

/// What all answers of a request have that one version gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head<'a> {
    /// When they were given, in microseconds.
    pub at: i64,
    /// The request's id.
    pub request: Option<&'a str>,
    /// Who asked; none where nobody had to say.
    pub caller: Option<&'a str>,
    /// The alias that the version was found by.
    pub alias: Option<&'a str>,
    /// In which part the version answered, where a challenger was tried out.
    pub variant: Option<&'a str>,
}

/// An answer as it is read.
#[derive(Debug, Serialize, Deserialize)]
pub struct Told<'a> {
    /// The row within the request.
    pub row: u32,
    /// The entity's or customer's key.
    pub key: Option<&'a str>,
    /// What was answered.
    #[serde(borrow)]
    pub body: Body<'a>,
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
    #[serde(borrow)]
    pub inputs: Vec<Run<'a>>,
}

impl ScoreBody<'_> {
    /// How many inputs there are.
    pub fn width(&self) -> usize {
        self.inputs.iter().fold(0, |all: usize, run| all.saturating_add(run.len()))
    }

    /// The inputs one by one.
    pub fn cells(&self) -> impl Iterator<Item = Cell<'_>> {
        self.inputs.iter().flat_map(|run| (0..run.len()).map(|at| run.cell(at)))
    }
}

/// Inputs of one kind that follow each other: most models read little but numbers.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum Run<'a> {
    /// So many without a value.
    Missing(u32),
    /// Yes or no.
    Bools(Vec<bool>),
    /// Whole numbers.
    Ints(Vec<i64>),
    /// Numbers, eight bytes each, the lowest first.
    Floats(&'a [u8]),
    /// Texts.
    #[serde(borrow)]
    Texts(Vec<&'a str>),
    /// Moments in microseconds.
    Times(Vec<i64>),
}

impl Run<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Missing(count) => *count as usize,
            Self::Bools(values) => values.len(),
            Self::Ints(values) | Self::Times(values) => values.len(),
            Self::Floats(bytes) => bytes.len() / 8,
            Self::Texts(values) => values.len(),
        }
    }

    fn cell(&self, at: usize) -> Cell<'_> {
        let found = match self {
            Self::Missing(_) => None,
            Self::Bools(values) => values.get(at).map(|value| Cell::Bool(*value)),
            Self::Ints(values) => values.get(at).map(|value| Cell::Int(*value)),
            Self::Floats(bytes) => {
                bytes.as_chunks().0.get(at).map(|bytes| Cell::Float(f64::from_le_bytes(*bytes)))
            }
            Self::Texts(values) => values.get(at).map(|value| Cell::Text(value)),
            Self::Times(values) => values.get(at).map(|value| Cell::Time(*value)),
        };
        found.unwrap_or(Cell::Missing)
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
#[derive(Debug, Clone, Copy, PartialEq)]
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

/// How many answers there are, and how many bytes [`append`] puts down for them at most.
pub fn measure<'a>(head: &Head<'_>, answers: impl Iterator<Item = Answer<'a>>) -> (usize, usize) {
    // A whole number takes ten bytes at most, and so does a length.
    let text = |text: Option<&str>| 11 + text.map_or(0, str::len);
    let Head { at: _, request, caller, alias, variant } = head;
    let begins =
        4 + 10 + [request, caller, alias, variant].into_iter().map(|part| text(*part)).sum::<usize>();
    answers.fold((0, begins), |(rows, bytes), answer| {
        (rows + 1, bytes + 10 + text(answer.key) + answer.body.len())
    })
}

/// Appends the answers of a request that one version gave.
pub fn append<'a>(to: &mut Vec<u8>, head: &Head<'_>, answers: impl Iterator<Item = Answer<'a>>) {
    let from = to.len();
    to.extend_from_slice(&[0; 4]);
    let Head { at, request, caller, alias, variant } = head;
    put_whole(to, *at);
    for text in [request, caller, alias, variant] {
        put_text_if(to, *text);
    }
    for Answer { row, key, body } in answers {
        put_count(to, u64::from(row));
        put_text_if(to, key);
        to.extend_from_slice(body);
    }
    let length = u32::try_from(to.len() - from - 4).unwrap_or(u32::MAX);
    if let Some(place) = to.get_mut(from..from + 4) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}

/// Bytes that are no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// The answers in `bytes`; where one cannot be read, that is the last thing told.
pub fn answers(bytes: &[u8]) -> impl Iterator<Item = Result<(Head<'_>, Told<'_>), Unreadable>> {
    let mut left = Some(bytes).filter(|bytes| !bytes.is_empty());
    // Of one request, what is left of its answers.
    let mut request: Option<(Head<'_>, &[u8])> = None;
    std::iter::from_fn(move || {
        if request.is_none() {
            let bytes = left.take()?;
            let Some((begun, rest)) = begin(bytes) else { return Some(Err(Unreadable)) };
            (request, left) = (Some(begun), Some(rest).filter(|rest| !rest.is_empty()));
        }
        let (head, bytes) = request.take()?;
        let Ok((told, rest)) = postcard::take_from_bytes(bytes) else {
            left = None;
            return Some(Err(Unreadable));
        };
        request = Some((head, rest)).filter(|(_, rest)| !rest.is_empty());
        Some(Ok((head, told)))
    })
}

/// A request's head with the bytes of its answers, and the bytes behind them.
fn begin(bytes: &[u8]) -> Option<((Head<'_>, &[u8]), &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (request, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((postcard::take_from_bytes(request).ok()?, rest))
}

/// What the request gave, as a JSON object by name.
fn json(model: &LiveModel, given: &[(usize, Value)]) -> String {
    let named = given.iter().filter_map(|(slot, value)| Some((model.slot_name(*slot)?, value.to_json())));
    let object: serde_json::Map<String, serde_json::Value> =
        named.map(|(name, value)| (name.to_owned(), value)).collect();
    serde_json::Value::Object(object).to_string()
}

#[cfg(test)]
mod tests;
