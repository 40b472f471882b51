//! Why a score came out so: what inputs contributed, those that say the same thing together, strongest first, in words.

mod group;
mod number;
mod words;

use serde::Serialize;

use scorehouse_features::value::Value;

use crate::encoder::Encoder;
use crate::signature::Signature;

pub(crate) use group::Groups;
use group::Told;
pub use words::words;

/// Why a score came out so: `base + Σ contributions + rest` is the raw score, but for rounding.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Explanation {
    /// What the raw score would be if nothing were known of this row: the mean over the training rows.
    pub base: f64,
    /// What moved the score most, strongest first. Sizes are told apart in steps of a quarter; within a step the order
    /// is that of the model's inputs, so that two nearly equal rows read the same.
    pub reasons: Vec<Reason>,
    /// What all other inputs contributed together.
    pub rest: f64,
}

/// What one input contributed, or a group of inputs that say the same thing: then the strongest of those that point
/// the way of their sum speaks for all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reason {
    /// The name of the input that speaks.
    pub feature: String,
    /// Its value as JSON; null when missing.
    #[serde(serialize_with = "as_json")]
    pub value: Value,
    /// What it added to the raw score, over all columns made of it; of a group, the sum over its inputs.
    pub contribution: f64,
    /// Whether it speaks for the outcome or against it.
    pub effect: Effect,
    /// The fact in words.
    pub words: String,
    /// The group's inputs that contributed, the one that speaks first; their contributions add up to the reason's.
    /// Empty where one input alone contributed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// What one input of a group contributed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// The input's name.
    pub feature: String,
    /// Its value as JSON; null when missing.
    #[serde(serialize_with = "as_json")]
    pub value: Value,
    /// What it added to the raw score.
    pub contribution: f64,
}

/// Which way a reason points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It raised the score.
    For,
    /// It lowered the score.
    Against,
}

fn as_json<S: serde::Serializer>(value: &Value, to: S) -> Result<S::Ok, S::Error> {
    value.to_json().serialize(to)
}

/// A scored row and what each of its columns contributed.
pub(crate) struct Contributions<'a> {
    pub(crate) signature: &'a Signature,
    pub(crate) encoder: &'a Encoder,
    pub(crate) groups: &'a Groups,
    pub(crate) values: &'a [Value],
    pub(crate) columns: &'a [f64],
    pub(crate) base: f64,
}

impl Contributions<'_> {
    /// Gathers the columns' contributions by input and group, and words the `most` strongest; what contributed
    /// nothing is left out.
    pub(crate) fn explain(&self, most: usize) -> Explanation {
        let mut by_input = vec![0.0; self.signature.inputs.len()];
        for (column, contribution) in self.encoder.columns().iter().zip(self.columns) {
            by_input[column.input] += contribution;
        }
        let (ranked, rest) = self.groups.ranked(&by_input, most);
        let reasons = ranked.iter().map(|told| self.reason(told, &by_input)).collect();
        Explanation { base: self.base, reasons, rest }
    }

    fn reason(&self, told: &Told<'_>, by_input: &[f64]) -> Reason {
        let part = |input: usize| Part {
            feature: self.signature.inputs[input].name.clone(),
            value: self.values[input].clone(),
            contribution: by_input[input],
        };
        let inputs = told.parts(by_input);
        // A sum that is not zero has a part that is not.
        let speaks = inputs.first().or(told.inputs.first()).copied().unwrap_or_default();
        let Part { feature, value, .. } = part(speaks);
        Reason {
            feature,
            words: words(&self.signature.inputs[speaks], &value),
            value,
            contribution: told.contribution,
            effect: if told.contribution > 0.0 { Effect::For } else { Effect::Against },
            parts: if inputs.len() > 1 { inputs.into_iter().map(part).collect() } else { Vec::new() },
        }
    }
}

impl Reason {
    /// Every input that contributed, with what it added to the raw score.
    pub fn by_input(&self) -> impl Iterator<Item = (&str, f64)> {
        let alone = self.parts.is_empty().then_some((self.feature.as_str(), self.contribution));
        alone.into_iter().chain(self.parts.iter().map(|part| (part.feature.as_str(), part.contribution)))
    }
}
