//! Why a score came out so: what each input contributed, strongest first, in words.

mod number;
mod words;

use serde::Serialize;

use scorehouse_features::value::Value;

use crate::encoder::Encoder;
use crate::signature::{InputField, Signature};

pub use words::words;

/// Why a score came out so: `base + Σ contributions + rest` is the raw score, but for rounding.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Explanation {
    /// What the raw score would be if nothing were known of this row: the mean over the training rows.
    pub base: f64,
    /// The inputs that moved the score most, strongest first.
    pub reasons: Vec<Reason>,
    /// What all other inputs contributed together.
    pub rest: f64,
}

/// What one input contributed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reason {
    /// The input's name.
    pub feature: String,
    /// Its value as JSON; null when missing.
    #[serde(serialize_with = "as_json")]
    pub value: Value,
    /// What it added to the raw score, over all columns made of it.
    pub contribution: f64,
    /// Whether it speaks for the outcome or against it.
    pub effect: Effect,
    /// The fact in words.
    pub words: String,
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
    pub(crate) values: &'a [Value],
    pub(crate) columns: &'a [f64],
    pub(crate) base: f64,
}

impl Contributions<'_> {
    /// Gathers the columns' contributions by input and words the `most` strongest; inputs that contributed
    /// nothing are left out.
    pub(crate) fn explain(&self, most: usize) -> Explanation {
        let mut by_input = vec![0.0; self.signature.inputs.len()];
        for (column, contribution) in self.encoder.columns().iter().zip(self.columns) {
            by_input[column.input] += contribution;
        }
        let mut order: Vec<usize> = (0..by_input.len()).filter(|i| by_input[*i] != 0.0).collect();
        // Ties keep the order of the signature, so that equal rows read the same.
        order.sort_by(|l, r| by_input[*r].abs().total_cmp(&by_input[*l].abs()));
        let rest = order.iter().skip(most).fold(0.0, |sum, i| sum + by_input[*i]);
        let reason = |i: &usize| Reason::new(&self.signature.inputs[*i], &self.values[*i], by_input[*i]);
        Explanation { base: self.base, reasons: order.iter().take(most).map(reason).collect(), rest }
    }
}

impl Reason {
    fn new(input: &InputField, value: &Value, contribution: f64) -> Self {
        Self {
            feature: input.name.clone(),
            value: value.clone(),
            contribution,
            effect: if contribution > 0.0 { Effect::For } else { Effect::Against },
            words: words(input, value),
        }
    }
}
