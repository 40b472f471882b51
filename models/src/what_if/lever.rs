//! What people can change, and how far.

use serde::{Deserialize, Serialize};

use scorehouse_features::definition::Direction;
use scorehouse_features::value::{Value, ValueType};

use crate::error::ModelError;
use crate::signature::Signature;

/// Numbers tried that no tree tells apart from their neighbours, at most.
const GRID: usize = 64;
/// Steps tried at most.
const STEPS: usize = 1_000;

/// An input that people can change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lever {
    /// Position of the input.
    pub input: usize,
    /// The way in which it can change; none: both.
    pub direction: Option<Direction>,
    /// Least and greatest plausible number.
    pub bounds: [f64; 2],
    /// A change is a multiple of this, above 0; none: any change.
    pub step: Option<f64>,
    /// The spread of the numbers seen, above 0: a change by as much is one unit of effort.
    pub spread: f64,
    /// Numbers seen, ascending, all of them plausible.
    pub seen: Vec<f64>,
    /// Plausible texts.
    pub levels: Vec<String>,
}

/// A value that a lever can take instead.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The value.
    pub value: Value,
    /// How far it is from the present one: spreads of a number, 1 for another text or flag.
    pub effort: f64,
}

impl Lever {
    /// Checks it against the inputs.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] for an input that is not there or a moment, and numbers that make no sense.
    pub fn check(&self, signature: &Signature) -> Result<(), ModelError> {
        let refuse = |why: &str| Err(ModelError::invalid("lever", why));
        match signature.inputs.get(self.input) {
            None => return refuse("it changes an input that is not there"),
            Some(input) if input.value_type == ValueType::Time => return refuse("moments cannot be changed"),
            Some(_) => {}
        }
        let [least, greatest] = self.bounds;
        if !(least.is_finite() && greatest.is_finite() && least <= greatest) {
            return refuse("its bounds must be finite and in order");
        }
        if !(self.spread.is_finite()
            && self.spread > 0.0
            && self.step.is_none_or(|s| s.is_finite() && s > 0.0))
        {
            return refuse("its spread and step must be above 0");
        }
        let plausible = |number: &f64| (least..=greatest).contains(number);
        if !self.seen.iter().all(plausible) || !self.seen.windows(2).all(|pair| pair[0] <= pair[1]) {
            return refuse("the numbers seen must be plausible and ascend");
        }
        Ok(())
    }

    /// True for a value that the lever may take, coming from `now`.
    #[must_use]
    pub fn allows(&self, now: &Value, value: &Value) -> bool {
        match (now, value) {
            (Value::Text(now), Value::Text(text)) => {
                now != text && self.levels.iter().any(|level| level.as_str() == text.as_str())
            }
            (Value::Bool(now), Value::Bool(flag)) => {
                now != flag
                    && match self.direction {
                        None => true,
                        Some(Direction::Up) => *flag,
                        Some(Direction::Down) => !*flag,
                    }
            }
            _ => match (number(now), number(value)) {
                (Some(now), Some(to)) => self.moves(now, to),
                _ => false,
            },
        }
    }

    fn moves(&self, now: f64, to: f64) -> bool {
        let [least, greatest] = self.bounds;
        let steps = |step: f64| {
            let count = (to - now) / step;
            (count - count.round()).abs() < 1e-6
        };
        to != now
            && (least..=greatest).contains(&to)
            && self.step.is_none_or(steps)
            && match self.direction {
                None => true,
                Some(Direction::Up) => to > now,
                Some(Direction::Down) => to < now,
            }
    }

    /// The values it can take instead of `now`, the nearest first. Between two neighbouring `thresholds` (numbers up
    /// to and including which trees go one way, ascending) nothing changes, so one number stands for all of them: with
    /// thresholds, a model of trees that reads the input as it is is searched exactly. A value that is missing cannot be
    /// changed by a known amount and gives no choice.
    #[must_use]
    pub fn choices(&self, now: &Value, value_type: ValueType, thresholds: &[f64]) -> Vec<Choice> {
        let mut choices: Vec<Choice> = match now {
            Value::Missing(_) | Value::Time(_) => Vec::new(),
            Value::Text(_) => {
                self.levels.iter().map(|level| one(Value::Text(level.as_str().into()))).collect()
            }
            Value::Bool(flag) => vec![one(Value::Bool(!flag))],
            Value::Int(_) | Value::Float(_) => {
                let now = number(now).unwrap_or(0.0);
                let whole = value_type == ValueType::Int;
                let numbers = self.numbers(now, whole, thresholds);
                let choice = |to: f64| Choice {
                    value: if whole { Value::Int(to as i64) } else { Value::Float(to) },
                    effort: (to - now).abs() / self.spread,
                };
                numbers.into_iter().map(choice).collect()
            }
        };
        choices.retain(|choice| self.allows(now, &choice.value));
        choices.sort_by(|a, b| a.effort.total_cmp(&b.effort));
        choices.dedup_by(|a, b| a.value == b.value);
        choices
    }

    fn numbers(&self, now: f64, whole: bool, thresholds: &[f64]) -> Vec<f64> {
        let [least, greatest] = self.bounds;
        if let Some(step) = self.step {
            let up = ((greatest - now) / step).floor().clamp(0.0, STEPS as f64) as i64;
            let down = ((now - least) / step).floor().clamp(0.0, STEPS as f64) as i64;
            return (-down..=up).map(|count| now + count as f64 * step).collect();
        }
        let stride = self.seen.len().div_ceil(GRID).max(1);
        let grid = self.seen.iter().step_by(stride).copied().chain(self.bounds);
        let mut numbers: Vec<f64> = if whole { grid.map(f64::round).collect() } else { grid.collect() };
        let inside = thresholds.iter().copied().filter(|at| (least..greatest).contains(at));
        for (at, threshold) in inside.enumerate() {
            let after =
                thresholds.iter().skip(at).copied().find(|next| *next > threshold).unwrap_or(greatest);
            // From below the first number beyond it is the nearest, from above the threshold itself.
            numbers.push(if whole { threshold.floor() } else { threshold });
            numbers.push(if whole {
                threshold.floor() + 1.0
            } else {
                roundest(threshold, after.min(greatest))
            });
        }
        numbers
    }
}

fn one(value: Value) -> Choice {
    Choice { value, effort: 1.0 }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

/// The number with the fewest decimals above `from` and up to `to`.
fn roundest(from: f64, to: f64) -> f64 {
    for decimals in 0..15 {
        let scale = 10_f64.powi(decimals);
        let rounded = (from * scale).floor().mul_add(1.0, 1.0) / scale;
        if rounded > from && rounded <= to {
            return rounded;
        }
    }
    to
}
