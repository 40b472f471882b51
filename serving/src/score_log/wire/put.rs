//! The bytes of a score put down by hand: requests wait for them.

use scorehouse_features::value::Value;

use super::Computed;

/// Appends the bytes of a [`Body`](super::Body) without making one: requests wait for it.
pub(super) fn put_score(to: &mut Vec<u8>, given: &str, computed: Computed<'_>) {
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

/// The number of [`Body::Score`](super::Body::Score) among the bodies.
const SCORE: u8 = 0;

/// Appends values as [`Run`](super::Run)s.
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

/// Appends a [`Run`](super::Run), whose number is its first byte.
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
pub(super) fn put_count(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

/// With the sign as the lowest bit.
pub(super) fn put_whole(to: &mut Vec<u8>, number: i64) {
    put_count(to, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

fn put_text(to: &mut Vec<u8>, text: &str) {
    put_count(to, text.len() as u64);
    to.extend_from_slice(text.as_bytes());
}

pub(super) fn put_text_if(to: &mut Vec<u8>, text: Option<&str>) {
    to.push(text.is_some().into());
    if let Some(text) = text {
        put_text(to, text);
    }
}
