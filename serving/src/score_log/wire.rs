//! Answers as bytes: what a request hands over and what a segment holds, in the form of `postcard`.
//!
//! Written once, while the request is answered, and not looked at again until a segment is rolled or read. What all answers
//! of a request share stands once, before them: a [`Head`] with its length, then each answer's place, key and [`Body`].

use scorehouse_features::source::column::ColumnBuilder;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value};
use scorehouse_models::Score;
use scorehouse_models::predictor::recommender::Recommended;
use serde::{Deserialize, Serialize};

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

/// Appends the bytes of a [`Body`] without making one: requests wait for it.
fn put_score(to: &mut Vec<u8>, given: &str, computed: Computed<'_>) {
    let Computed { as_of, stored, inputs, score, decision, .. } = computed;
    let explanation = &score.explanation;
    to.reserve(64 + 9 * inputs.len() + 40 * explanation.reasons.len());
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
    put_values(to, inputs);
}

/// The number of [`Body::Score`] among the bodies.
const SCORE: u8 = 0;

/// Appends values as [`Run`]s.
fn put_values(to: &mut Vec<u8>, values: &[Value]) {
    let runs = || values.chunk_by(|l, r| std::mem::discriminant(l) == std::mem::discriminant(r));
    if values.len() < 0x80 {
        // So few runs are counted in one byte, which is put down when they are known.
        let place = to.len();
        to.push(0);
        let count = runs().fold(0, |count, run| {
            put_run(to, run);
            count + 1
        });
        to[place] = count;
    } else {
        put_count(to, runs().count() as u64);
        runs().for_each(|run| put_run(to, run));
    }
}

/// Appends a [`Run`], whose number is its first byte.
fn put_run(to: &mut Vec<u8>, run: &[Value]) {
    let kind = match run.first() {
        None | Some(Value::Missing(_)) => 0,
        Some(Value::Bool(_)) => 1,
        Some(Value::Int(_)) => 2,
        Some(Value::Float(_)) => 3,
        Some(Value::Text(_)) => 4,
        Some(Value::Time(_)) => 5,
    };
    to.push(kind);
    if kind == 3 {
        return put_floats(to, run);
    }
    put_count(to, run.len() as u64);
    for value in run {
        match value {
            Value::Missing(_) | Value::Float(_) => {}
            Value::Bool(value) => to.push(u8::from(*value)),
            Value::Int(value) => put_whole(to, *value),
            Value::Text(text) => put_text(to, text),
            Value::Time(moment) => put_whole(to, moment.0),
        }
    }
}

fn put_floats(to: &mut Vec<u8>, run: &[Value]) {
    put_count(to, 8 * run.len() as u64);
    let from = to.len();
    to.resize(from + 8 * run.len(), 0);
    for (place, value) in to[from..].as_chunks_mut().0.iter_mut().zip(run) {
        if let Value::Float(value) = value {
            *place = value.to_le_bytes();
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

/// Appends the answers of a request that one version gave, and tells how many they are; nothing where there are none.
pub fn append<'a>(to: &mut Vec<u8>, head: &Head<'_>, answers: impl Iterator<Item = Answer<'a>>) -> usize {
    let mut answers = answers.peekable();
    if answers.peek().is_none() {
        return 0;
    }
    let from = to.len();
    to.extend_from_slice(&[0; 4]);
    let Head { at, request, caller, alias, variant } = head;
    put_whole(to, *at);
    for text in [request, caller, alias, variant] {
        put_text_if(to, *text);
    }
    let mut rows = 0;
    for Answer { row, key, body } in answers {
        put_count(to, u64::from(row));
        put_text_if(to, key);
        to.extend_from_slice(body);
        rows += 1;
    }
    let length = u32::try_from(to.len() - from - 4).unwrap_or(u32::MAX);
    if let Some(place) = to.get_mut(from..from + 4) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    rows
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
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use proptest::prelude::*;
    use scorehouse_models::{Effect, Explanation, Reason};

    const HEAD: Head<'_> =
        Head { at: 7, request: Some("r-1"), caller: None, alias: Some("champion"), variant: None };

    fn add(to: &mut Vec<u8>, keys: &[&str], body: &[u8]) {
        let answers = keys.iter().zip(3..).map(|(key, row)| Answer { row, key: Some(*key), body });
        assert_eq!(append(to, &HEAD, answers), keys.len());
    }

    #[test]
    fn answers_come_back_in_order_and_end_where_one_is_torn() {
        let list = items(Timestamp(5), r#"{"n":2}"#, &[]);
        let mut bytes = Vec::new();
        add(&mut bytes, &["A", "B"], &list);
        let first = bytes.len();
        add(&mut bytes, &[], &list);
        assert_eq!(bytes.len(), first, "no answers, no bytes");
        add(&mut bytes, &["C"], &list);
        let keys = |bytes: &[u8]| -> Vec<String> {
            answers(bytes).flatten().map(|(_, told)| told.key.unwrap().to_owned()).collect()
        };
        assert_eq!(keys(&bytes), ["A", "B", "C"]);
        assert_eq!(keys(&bytes[..bytes.len() - 1]), ["A", "B"]);
        assert_eq!(keys(&bytes[..first - 1]), Vec::<String>::new());
        assert!(answers(&bytes).all(|answer| answer.is_ok()));
        assert_eq!(answers(&bytes[..bytes.len() - 1]).last().unwrap().err(), Some(Unreadable));
        let rows: Vec<(Head<'_>, u32)> =
            answers(&bytes).flatten().map(|(head, told)| (head, told.row)).collect();
        assert_eq!(rows, [(HEAD, 3), (HEAD, 4), (HEAD, 3)]);
        let Some(Ok((_, Told { body: Body::Items(body), .. }))) = answers(&bytes).next() else {
            panic!("a list")
        };
        assert_eq!((body.as_of, body.asked), (5, r#"{"n":2}"#));
    }

    #[test]
    fn what_is_no_answer_ends_a_request_that_began_well() {
        let mut bytes = Vec::new();
        add(&mut bytes, &["A"], b"\x09");
        add(&mut bytes, &["B"], &items(Timestamp(5), "{}", &[]));
        assert_eq!(answers(&bytes).map(|answer| answer.err()).collect::<Vec<_>>(), [Some(Unreadable)]);
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
            assert_eq!((read.base, &read.reasons), (0.5, &vec![("deal.amount", -0.25); 2]));
            let cells = [Cell::Float(1.5), Cell::Text("é"), Cell::Missing];
            assert_eq!(read.cells().collect::<Vec<_>>(), cells[..inputs.len()]);
            assert_eq!(read.width(), inputs.len());
            assert_eq!(
                bytes,
                postcard::to_allocvec(&postcard::from_bytes::<Body<'_>>(&bytes).unwrap()).unwrap()
            );
        }
    }

    fn value() -> impl Strategy<Value = (Value, Cell<'static>)> {
        prop_oneof![
            Just((Value::Missing(Missing::Expired), Cell::Missing)),
            any::<bool>().prop_map(|value| (Value::Bool(value), Cell::Bool(value))),
            any::<i64>().prop_map(|value| (Value::Int(value), Cell::Int(value))),
            // Any number that is one: what is none equals nothing, not even itself.
            any::<f64>().prop_map(|value| (Value::Float(value), Cell::Float(value))),
            prop::sample::select(vec!["", "é", "a longer text"])
                .prop_map(|text| (Value::Text(text.into()), Cell::Text(text))),
            any::<i64>().prop_map(|value| (Value::Time(Timestamp(value)), Cell::Time(value))),
        ]
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_are_read_without_a_panic(bytes: Vec<u8>) {
            prop_assert!(answers(&bytes).count() <= bytes.len());
        }

        #[test]
        fn a_head_is_written_as_it_is_read(at: i64, row: u32, texts in prop::collection::vec(any::<Option<String>>(), 5)) {
            let text = |number: usize| texts[number].as_deref();
            let head = Head { at, request: text(0), caller: text(1), alias: text(2), variant: text(3) };
            let body = items(Timestamp(5), "{}", &[]);
            let mut bytes = Vec::new();
            append(&mut bytes, &head, std::iter::once(Answer { row, key: text(4), body: &body }));
            let (read, told) = answers(&bytes).next().unwrap().unwrap();
            prop_assert_eq!((read, told.row, told.key), (head, row, text(4)));
            let mut whole = postcard::to_allocvec(&head).unwrap();
            whole.extend(postcard::to_allocvec(&told).unwrap());
            prop_assert_eq!(&bytes[4..], whole);
        }

        #[test]
        fn values_are_written_as_their_cells_are_read(
            values in prop::collection::vec((value(), 1..5_usize), 0..70),
        ) {
            let (values, cells): (Vec<_>, Vec<_>) =
                values.into_iter().flat_map(|(value, times)| std::iter::repeat_n(value, times)).unzip();
            let score = Score {
                output: 0.1,
                interval: None,
                raw: -2.0,
                explanation: Explanation { base: 0.5, reasons: Vec::new(), rest: 0.0 },
            };
            let computed =
                Computed { as_of: Timestamp(1), stored: true, inputs: &values, given: &[], score: &score, decision: None };
            let mut bytes = Vec::new();
            put_score(&mut bytes, "", computed);
            let Ok(Body::Score(read)) = postcard::from_bytes(&bytes) else { panic!("a score") };
            prop_assert_eq!(read.width(), cells.len());
            let bits = |cell: Cell<'_>| if let Cell::Float(number) = cell { number.to_bits() } else { 0 };
            for (read, cell) in read.cells().zip(cells) {
                prop_assert!(read == cell || bits(read) == bits(cell) && bits(cell) != 0, "{:?} {:?}", read, cell);
            }
        }
    }
}
