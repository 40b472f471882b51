//! What is to be done about a score: a model's rules in order, the first that holds decides.
//!
//! Rules are compiled with the expression engine of features and rules. They read the score and features of the
//! entity scored; what they read beyond the model's own inputs is read with them, in one go.

use std::sync::Arc;

use scorehouse_features::definition::{DecisionSpec, PolicyInput, PolicySpec};
use scorehouse_features::expression::Expression;
use scorehouse_features::ids::FeatureName;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value};
use scorehouse_models::{Output, Score};
use serde::Serialize;
use utoipa::ToSchema;

/// What is to be done, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Decision {
    /// The track, such as `fast`.
    pub track: String,
    /// The next action, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The rule that decided; none when no rule held and the policy says what holds otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// The rules of one version of a model, bound to what it reads.
#[derive(Debug)]
pub struct Policy {
    rules: Vec<(Expression, Arc<Decision>)>,
    otherwise: Option<Arc<Decision>>,
    inputs: Vec<Input>,
    output: Output,
}

/// Where an input of the rules comes from.
#[derive(Debug, Clone)]
enum Input {
    Score(PolicyInput),
    /// A value read, by its position.
    Read(usize),
}

impl Policy {
    /// Binds the rules to a version that answers with `output` and reads `inputs`; `more` gets the features that
    /// only the rules read, whose values follow the inputs'.
    #[must_use]
    pub fn bind(
        spec: &PolicySpec,
        output: Output,
        inputs: &[FeatureName],
        more: &mut Vec<FeatureName>,
    ) -> Self {
        let place = |input: &PolicyInput| match input {
            PolicyInput::Feature(name) => Input::Read(position(name, inputs, more)),
            of_score => Input::Score(of_score.clone()),
        };
        let inputs = spec.inputs.iter().map(place).collect();
        let rule = |rule: &scorehouse_features::definition::PolicyRule| {
            (rule.when.clone(), Arc::new(decided(&rule.decision, Some(rule.name.to_string()))))
        };
        Self {
            rules: spec.rules.iter().map(rule).collect(),
            otherwise: spec.otherwise.as_ref().map(|decision| Arc::new(decided(decision, None))),
            inputs,
            output,
        }
    }

    /// What is to be done about `score`; none when no rule holds and nothing else is declared. `read` holds what was
    /// read, the model's inputs first; what is not there has no value.
    #[must_use]
    pub fn decide(&self, score: &Score, read: &[Value], as_of: Timestamp) -> Option<Arc<Decision>> {
        let none = || Value::Missing(Missing::NotGiven);
        let value = |input: &Input| match input {
            Input::Read(at) => read.get(*at).cloned().unwrap_or_else(none),
            Input::Score(input) => self.figure(input, score).map_or_else(none, Value::Float),
        };
        let inputs: Vec<Value> = self.inputs.iter().map(value).collect();
        let fired = self.rules.iter().find(|(when, _)| when.is_true(&inputs, as_of));
        fired.map(|(_, decision)| decision).or(self.otherwise.as_ref()).cloned()
    }

    fn figure(&self, input: &PolicyInput, score: &Score) -> Option<f64> {
        let probable = self.output == Output::Probability;
        match input {
            PolicyInput::Probability => probable.then_some(score.output),
            PolicyInput::Value => (!probable).then_some(score.output),
            PolicyInput::Raw => Some(score.raw),
            PolicyInput::Low => score.interval.map(|interval| interval.low),
            PolicyInput::High => score.interval.map(|interval| interval.high),
            PolicyInput::Feature(_) => None,
        }
    }
}

fn decided(spec: &DecisionSpec, rule: Option<String>) -> Decision {
    Decision { track: spec.track.clone(), action: spec.action.clone(), rule }
}

/// The position of a feature among the inputs and what is read beside them, added if it is not there yet.
fn position(name: &FeatureName, inputs: &[FeatureName], more: &mut Vec<FeatureName>) -> usize {
    let known = inputs.iter().chain(more.iter()).position(|known| known == name);
    known.unwrap_or_else(|| {
        more.push(name.clone());
        inputs.len() + more.len() - 1
    })
}
