//! From a value to the key of an entity, the same way wherever keys are read.

use std::borrow::Cow;

pub use crate::ids::is_key;
use crate::value::Value;

/// The text by which an entity is found, if the value can be one: text as it stands, a whole number in
/// decimal digits.
///
/// A float that is a whole number counts as that number: files often hold `13085.0` where a key column had
/// gaps. Every other value, and text that is no valid [`EntityKey`](crate::ids::EntityKey), is no key; its
/// row belongs to no entity.
#[must_use]
pub fn key_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Text(text) => is_key(text).then_some(Cow::Borrowed(text.as_ref())),
        Value::Int(number) => Some(Cow::Owned(number.to_string())),
        Value::Float(number) => whole(*number).map(|n| Cow::Owned(n.to_string())),
        _ => None,
    }
}

/// The whole number that `number` is, if it is one that doubles hold exactly.
#[must_use]
pub fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

/// A 64-bit hash that never changes: snapshots on disk hold tables built with it.
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    const K: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut state = (bytes.len() as u64).wrapping_mul(K);
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let word = chunk.iter().rev().fold(0_u64, |word, byte| (word << 8) | u64::from(*byte));
        state = mix(state ^ word, K);
    }
    let rest = chunks.remainder().iter().rev().fold(0_u64, |word, byte| (word << 8) | u64::from(*byte));
    mix(mix(state ^ rest, K), 0xD6E8_FEB8_6659_FD93)
}

const fn mix(value: u64, by: u64) -> u64 {
    let product = value.wrapping_mul(by);
    product ^ (product >> 32)
}
