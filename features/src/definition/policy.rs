//! From scores to what is done about them: ordered rules, the first that holds decides.

use crate::expression::Expression;
use crate::ids::{FeatureName, LocalName};

/// The rules of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicySpec {
    /// In the order in which they are asked; at least one.
    pub rules: Vec<PolicyRule>,
    /// What holds when no rule does.
    pub otherwise: Option<DecisionSpec>,
    /// What the rules read: input i of every `when` is `inputs[i]`.
    pub inputs: Vec<PolicyInput>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyRule {
    /// Its name, told as the reason.
    pub name: LocalName,
    /// True when it decides; no value counts as not true.
    pub when: Expression,
    /// What it decides.
    pub decision: DecisionSpec,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionSpec {
    /// The track, such as `fast`.
    pub track: String,
    /// The next action, in words.
    pub action: Option<String>,
}

/// What a rule reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PolicyInput {
    /// The calibrated probability of a model that answers with one.
    Probability,
    /// The value of a model that answers with a value.
    Value,
    /// The predictor's own score.
    Raw,
    /// The lower end of the probability's 95 % interval.
    Low,
    /// The upper end.
    High,
    /// A feature of the entity scored, of one it refers to, or a request field.
    Feature(FeatureName),
}

impl PolicyInput {
    /// The names of what comes from the score.
    pub const OF_SCORE: [(&'static str, Self); 5] = [
        ("probability", Self::Probability),
        ("value", Self::Value),
        ("raw", Self::Raw),
        ("low", Self::Low),
        ("high", Self::High),
    ];
}
