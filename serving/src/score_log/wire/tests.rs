//! What is written is read again, and what is no answer is told.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use super::*;
use proptest::prelude::*;
use scorehouse_models::{Effect, Explanation, Reason};

const HEAD: Head<'_> =
    Head { at: 7, request: Some("r-1"), caller: None, alias: Some("champion"), variant: None };

fn add(to: &mut Vec<u8>, keys: &[&str], body: &[u8]) {
    let answers = keys.iter().zip(3..).map(|(key, row)| Answer { row, key: Some(*key), body });
    let (rows, most) = measure(&HEAD, answers.clone());
    let from = to.len();
    append(to, &HEAD, answers);
    assert_eq!(rows, keys.len());
    assert!(to.len() - from <= most, "{most} are told, {} put down", to.len() - from);
}

#[test]
fn answers_come_back_in_order_and_end_where_one_is_torn() {
    let list = items(Timestamp(5), r#"{"n":2}"#, &[]);
    let mut bytes = Vec::new();
    add(&mut bytes, &["A", "B"], &list);
    let first = bytes.len();
    add(&mut bytes, &["C"], &list);
    let keys = |bytes: &[u8]| -> Vec<String> {
        answers(bytes).flatten().map(|(_, told)| told.key.unwrap().to_owned()).collect()
    };
    assert_eq!(keys(&bytes), ["A", "B", "C"]);
    assert_eq!(keys(&bytes[..bytes.len() - 1]), ["A", "B"]);
    assert_eq!(keys(&bytes[..first - 1]), Vec::<String>::new());
    assert!(answers(&bytes).all(|answer| answer.is_ok()));
    assert_eq!(answers(&bytes[..bytes.len() - 1]).last().unwrap().err(), Some(Unreadable));
    let rows: Vec<(Head<'_>, u32)> = answers(&bytes).flatten().map(|(head, told)| (head, told.row)).collect();
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
    for (decision, given, inputs) in [(Some(&told), r#"{"a":1}"#, &inputs[..]), (None, "", &inputs[..0])] {
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
        assert_eq!(bytes, postcard::to_allocvec(&postcard::from_bytes::<Body<'_>>(&bytes).unwrap()).unwrap());
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
        let answers_of_it = std::iter::once(Answer { row, key: text(4), body: &body });
        append(&mut bytes, &head, answers_of_it.clone());
        let (rows, most) = measure(&head, answers_of_it);
        prop_assert!(rows == 1 && bytes.len() <= most);
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
