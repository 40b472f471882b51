//! Answers as tensors.

use scorehouse_models::{Output, Score, Signature};
use serde::{Serialize, Serializer};

use super::request::OutputAsked;
use super::wire::{AnswerShown, BinarySize, OutputShown};
use crate::challenger::Variant;
use crate::error::{Noun, ServeError};
use crate::service::recommend::Answered;

/// An answer to a request for inference.
#[derive(Debug)]
pub struct InferAnswer {
    /// The model.
    pub model: String,
    /// The version that answered all of it; of a mixed answer, the first row.
    pub version: u32,
    /// True when a split gave rows to both variants: the output `variant` then says who answered which.
    pub mixed: bool,
    /// The caller's name for the request.
    pub id: Option<String>,
    /// The outputs, in the order in which they were asked for.
    pub outputs: Vec<OutputTensor>,
}

/// One output.
#[derive(Debug)]
pub struct OutputTensor {
    /// Its name.
    pub name: &'static str,
    /// Its extents.
    pub shape: Vec<usize>,
    /// Its elements.
    pub elements: Elements,
    /// True: in bytes after the JSON.
    pub binary: bool,
}

/// Elements in row-major order.
#[derive(Debug)]
pub enum Elements {
    /// FP64.
    Fp64(Vec<f64>),
    /// FP32; NaN where a row has fewer elements than the shape.
    Fp32(Vec<f32>),
    /// BYTES; empty where a row has fewer elements than the shape.
    Bytes(Vec<String>),
}

impl Elements {
    /// The datatype's name.
    #[must_use]
    pub const fn datatype(&self) -> &'static str {
        match self {
            Self::Fp64(_) => "FP64",
            Self::Fp32(_) => "FP32",
            Self::Bytes(_) => "BYTES",
        }
    }

    /// The elements in bytes, as the standard writes them; how many bytes were added to `to`.
    pub fn write(&self, to: &mut Vec<u8>) -> usize {
        let before = to.len();
        match self {
            Self::Fp64(numbers) => numbers.iter().for_each(|number| to.extend(number.to_le_bytes())),
            Self::Fp32(numbers) => numbers.iter().for_each(|number| to.extend(number.to_le_bytes())),
            Self::Bytes(texts) => {
                for text in texts {
                    to.extend((text.len() as u32).to_le_bytes());
                    to.extend(text.as_bytes());
                }
            }
        }
        to.len() - before
    }
}

impl Serialize for Elements {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fp64(numbers) => numbers.serialize(to),
            Self::Fp32(numbers) => numbers.serialize(to),
            Self::Bytes(texts) => texts.serialize(to),
        }
    }
}

/// What the outputs of a model that scores are called; the first is the answer itself.
#[must_use]
pub const fn score_name(output: Output) -> &'static str {
    match output {
        Output::Probability => "probability",
        Output::Value | Output::Items => "value",
    }
}

/// Outputs that come only with the parameter `reasons`.
pub const REASON_OUTPUTS: [&str; 4] = ["base", "reason_feature", "reason_contribution", "reason_words"];

/// Scores as tensors: the answer and the raw score of each row, and with reasons the strongest ones per row.
#[must_use]
pub fn scores(signature: &Signature, scores: &[&Score], reasons: usize) -> Vec<OutputTensor> {
    let rows = scores.len();
    let column = |name, of: fn(&Score) -> f64| OutputTensor {
        name,
        shape: vec![rows],
        elements: Elements::Fp64(scores.iter().map(|score| of(score)).collect()),
        binary: false,
    };
    let mut outputs =
        vec![column(score_name(signature.output), |score| score.output), column("raw", |score| score.raw)];
    if reasons > 0 {
        outputs.push(column("base", |score| score.explanation.base));
        outputs.extend(told(scores, reasons.min(signature.inputs.len())));
    }
    outputs
}

/// The reasons of each row, `width` of them; a row that has fewer ends in empty texts and zeros.
fn told(scores: &[&Score], width: usize) -> [OutputTensor; 3] {
    let (mut features, mut contributions, mut words) = (Vec::new(), Vec::new(), Vec::new());
    for score in scores {
        for place in 0..width {
            let reason = score.explanation.reasons.get(place);
            features.push(reason.map_or_else(String::new, |reason| reason.feature.clone()));
            contributions.push(reason.map_or(0.0, |reason| reason.contribution));
            words.push(reason.map_or_else(String::new, |reason| reason.words.clone()));
        }
    }
    let shape = vec![scores.len(), width];
    let output = |name, elements| OutputTensor { name, shape: shape.clone(), elements, binary: false };
    [
        output("reason_feature", Elements::Bytes(features)),
        output("reason_contribution", Elements::Fp64(contributions)),
        output("reason_words", Elements::Bytes(words)),
    ]
}

/// Recommended products as tensors, the best first; a row that has fewer than `width` ends in empty texts and NaN.
#[must_use]
pub fn items(found: &[Answered], width: usize) -> Vec<OutputTensor> {
    let (mut names, mut scores) = (Vec::new(), Vec::new());
    for found in found {
        for place in 0..width {
            let item = found.found.items.get(place);
            names.push(item.map_or_else(String::new, |item| item.item.clone()));
            scores.push(item.map_or(f32::NAN, |item| item.score));
        }
    }
    let shape = vec![found.len(), width];
    let output = |name, elements| OutputTensor { name, shape: shape.clone(), elements, binary: false };
    vec![output("item", Elements::Bytes(names)), output("score", Elements::Fp32(scores))]
}

/// Who answered each row of a split.
#[must_use]
pub fn variants(of_rows: &[Option<Variant>]) -> OutputTensor {
    let name = |variant: &Option<Variant>| variant.map_or("", Variant::as_str).to_owned();
    OutputTensor {
        name: "variant",
        shape: vec![of_rows.len()],
        elements: Elements::Bytes(of_rows.iter().map(name).collect()),
        binary: false,
    }
}

/// The outputs asked for, in that order; all of them, in bytes where `binary`, when none is named.
///
/// # Errors
/// [`ServeError::Unknown`] for an output that the model has not.
pub fn chosen(
    mut made: Vec<OutputTensor>,
    asked: &[OutputAsked<'_>],
    binary: bool,
) -> Result<Vec<OutputTensor>, ServeError> {
    if asked.is_empty() {
        made.iter_mut().for_each(|output| output.binary = binary);
        return Ok(made);
    }
    let names: Vec<&str> = made.iter().map(|output| output.name).collect();
    let mut chosen = Vec::with_capacity(asked.len());
    for wanted in asked {
        let Some(at) = made.iter().position(|output| output.name == wanted.name) else {
            return Err(unknown_output(&wanted.name, &names));
        };
        let mut output = made.swap_remove(at);
        output.binary = wanted.binary;
        chosen.push(output);
    }
    Ok(chosen)
}

fn unknown_output(name: &str, known: &[&str]) -> ServeError {
    if REASON_OUTPUTS.contains(&name) && !known.contains(&name) {
        let message = format!("the output {name} comes with the parameter `reasons`, 1 to 100");
        return ServeError::InvalidField { message, nearest: None };
    }
    if known.contains(&name) {
        let message = format!("the output {name} is asked for twice");
        return ServeError::InvalidField { message, nearest: None };
    }
    ServeError::unknown(Noun::Output, name, known.iter().copied())
}

impl InferAnswer {
    /// The answer's bytes, and how many of them are JSON when tensors follow it.
    ///
    /// # Errors
    /// [`ServeError::Bug`] when a number cannot be written.
    pub fn to_bytes(&self) -> Result<(Vec<u8>, Option<usize>), ServeError> {
        let mut behind = Vec::new();
        let shown = |output| show(output, &mut behind);
        let answer = AnswerShown {
            model_name: &self.model,
            model_version: (!self.mixed).then(|| self.version.to_string()),
            id: self.id.as_deref(),
            outputs: self.outputs.iter().map(shown).collect(),
        };
        let binary = answer.outputs.iter().any(|output| output.parameters.is_some());
        let mut bytes =
            serde_json::to_vec(&answer).map_err(|error| ServeError::Bug { message: error.to_string() })?;
        let json = bytes.len();
        bytes.extend(behind);
        Ok((bytes, binary.then_some(json)))
    }
}

fn show<'a>(output: &'a OutputTensor, behind: &mut Vec<u8>) -> OutputShown<'a> {
    let size = output.binary.then(|| BinarySize { binary_data_size: output.elements.write(behind) });
    OutputShown {
        name: output.name,
        datatype: output.elements.datatype(),
        shape: &output.shape,
        data: if size.is_none() { Some(&output.elements) } else { None },
        parameters: size,
    }
}
