//! How the values of a model's inputs lay among the rows it learnt from, so that what is served can be laid beside it.
//!
//! A baseline is part of the artifact: the registry needs no copy of the training set to say how far the world has
//! moved on. Numbers lie in bins of about equally many rows, a value that holds a tenth of them or more in one of its
//! own; categories and truth values by level, the most frequent ones; missing values always apart. Moments lie by
//! their distance from the moment looked at, since a date itself always moves on.

mod spread;
mod stability;

use scorehouse_features::time::{DAY, Timestamp};
use scorehouse_features::value::{Value, ValueType};
use serde::{Deserialize, Serialize};

pub use spread::{Spread, bin_edges};
pub use stability::{Part, Stability, stability_index};

use crate::error::ModelError;
use crate::signature::Signature;

/// How the inputs of a model lay in training, in the order of its signature.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Baseline {
    inputs: Vec<InputBaseline>,
}

/// How one input lay in training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputBaseline {
    /// Rows without a value.
    pub missing: u64,
    /// Where the others lay.
    pub spread: Spread,
}

/// The number that a moment lies at: days before the moment looked at.
#[must_use]
pub fn days_before(moment: Timestamp, as_of: Timestamp) -> f64 {
    as_of.0.saturating_sub(moment.0) as f64 / DAY as f64
}

/// Most rows that a baseline may tell of: counts can then be added up whatever they are compared with.
const MOST_ROWS: u64 = 1 << 48;

impl Baseline {
    /// Takes the inputs in the order of a signature.
    #[must_use]
    pub const fn new(inputs: Vec<InputBaseline>) -> Self {
        Self { inputs }
    }

    /// The inputs in the order of the signature.
    #[must_use]
    pub fn inputs(&self) -> &[InputBaseline] {
        &self.inputs
    }

    /// Checks that every input of the signature has its own, of its type.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] naming the input.
    pub fn check(&self, signature: &Signature) -> Result<(), ModelError> {
        if self.inputs.len() != signature.inputs.len() {
            let why = format!("it has {} inputs, the model {}", self.inputs.len(), signature.inputs.len());
            return Err(ModelError::invalid("baseline", why));
        }
        for (own, input) in self.inputs.iter().zip(&signature.inputs) {
            let levels = matches!(input.value_type, ValueType::Text | ValueType::Bool);
            if levels != matches!(own.spread, Spread::Levels { .. }) || !own.is_sound() {
                let why = format!("what it says of {} cannot be so", input.name);
                return Err(ModelError::invalid("baseline", why));
            }
        }
        Ok(())
    }
}

impl InputBaseline {
    /// True when its places are in order and its rows can be counted together.
    fn is_sound(&self) -> bool {
        let all = self.counts().iter().try_fold(0_u64, |sum, count| sum.checked_add(*count));
        self.spread.is_sound() && all.is_some_and(|all| all <= MOST_ROWS)
    }

    /// Places that a value can take: the bins or levels, and "missing" as the last.
    #[must_use]
    pub fn places(&self) -> usize {
        self.spread.counts().len() + 1
    }

    /// Rows of training at each place.
    #[must_use]
    pub fn counts(&self) -> Vec<u64> {
        self.spread.counts().iter().copied().chain([self.missing]).collect()
    }

    /// The place of a value as of a moment.
    #[must_use]
    pub fn place(&self, value: &Value, as_of: Timestamp) -> usize {
        let place = match value {
            Value::Missing(_) => None,
            Value::Bool(value) => self.spread.level(if *value { "true" } else { "false" }),
            Value::Int(value) => self.spread.bin(*value as f64),
            Value::Float(value) => self.spread.bin(*value),
            Value::Text(value) => self.spread.level(value),
            Value::Time(value) => self.spread.bin(days_before(*value, as_of)),
        };
        place.unwrap_or(self.places() - 1)
    }

    /// A place in words: a bin's bounds, a level, or `missing`.
    #[must_use]
    pub fn words(&self, place: usize) -> String {
        if place + 1 >= self.places() { "missing".to_owned() } else { self.spread.words(place) }
    }

    /// How far `found`, rows at each place, lies from training.
    #[must_use]
    pub fn stability(&self, found: &[u64]) -> Stability {
        stability::between(&self.counts(), found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scorehouse_features::value::Missing;

    const GONE: Value = Value::Missing(Missing::NeverSeen);

    fn numbers(values: &[f64]) -> InputBaseline {
        let missing = values.iter().filter(|value| value.is_nan()).count() as u64;
        InputBaseline { missing, spread: Spread::of_numbers(values) }
    }

    #[test]
    fn every_value_has_a_place_and_training_lies_where_it_was_counted() {
        let values: Vec<f64> = (0..1000).map(|n| if n % 10 == 0 { f64::NAN } else { f64::from(n) }).collect();
        let baseline = numbers(&values);
        let mut found = vec![0; baseline.places()];
        for value in &values {
            let value = if value.is_nan() { GONE } else { Value::Float(*value) };
            found[baseline.place(&value, Timestamp(0))] += 1;
        }
        assert_eq!(found, baseline.counts());
        assert_eq!(found.len(), 11, "ten bins and the missing ones: {found:?}");
        assert!(baseline.stability(&found).index.abs() < 1e-12);
        assert_eq!(baseline.words(10), "missing");
    }

    #[test]
    fn a_value_that_most_rows_have_lies_in_a_bin_of_its_own() {
        let values: Vec<f64> = (0..100).map(|n| if n < 90 { 0.0 } else { f64::from(n) }).collect();
        let baseline = numbers(&values);
        assert_eq!(baseline.counts()[..2], [90, 10]);
        let place = |value| baseline.place(&Value::Float(value), Timestamp(0));
        assert_ne!(place(0.0), place(95.0), "or one that grew from nothing would not be seen");
        assert_eq!(place(f64::MIN), place(0.0), "what is below all lies with the lowest");
    }

    #[test]
    fn levels_that_were_never_seen_lie_with_the_rare_ones() {
        let texts = (0..200).map(|n| if n < 150 { "web".to_owned() } else { format!("rare {n}") });
        let texts: Vec<String> = texts.collect();
        let spread = Spread::of_levels(texts.iter().map(String::as_str));
        let baseline = InputBaseline { missing: 0, spread };
        let place = |text: &str| baseline.place(&Value::Text(text.into()), Timestamp(0));
        assert_eq!((place("web"), baseline.counts()[0]), (0, 150));
        assert_eq!(baseline.words(place("new")), "other");
        assert_eq!(baseline.counts().iter().sum::<u64>(), 200);
    }

    #[test]
    fn a_moment_lies_at_its_age() {
        let days: Vec<f64> = (0..100).map(f64::from).collect();
        let baseline = numbers(&days);
        let now = Timestamp(1_000 * DAY);
        let at = |days: i64, now: Timestamp| baseline.place(&Value::Time(Timestamp(now.0 - days * DAY)), now);
        assert_eq!(at(5, now), at(5, Timestamp(now.0 + 400 * DAY)));
        assert_ne!(at(5, now), at(95, now));
    }
}
