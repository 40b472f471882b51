//! What is at stake with a customer who may leave.

use scorehouse_features::definition::{Pipeline, Project};
use scorehouse_features::expression::Expression;
use scorehouse_features::ids::ModelName;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_models::Signature;

/// The declared margin of a churn model, over the model's inputs.
#[derive(Debug, Clone)]
pub struct Margin {
    expression: Expression,
    /// For each input of the expression that of the model.
    inputs: Vec<usize>,
}

impl Margin {
    /// The margin that the project declares for a model; none for other models, and for a version that reads other
    /// features than the margin does.
    #[must_use]
    pub fn of(project: &Project, model: &ModelName, signature: &Signature) -> Option<Self> {
        let Pipeline::Churn(spec) = &project.models.get(model)?.pipeline else { return None };
        let margin = spec.margin.as_ref()?;
        let inputs = margin.inputs.iter().map(|name| signature.position(&name.to_string()));
        Some(Self { expression: margin.expression.clone(), inputs: inputs.collect::<Option<_>>()? })
    }

    /// What is lost, on average, by a customer with these inputs who leaves with `probability`; none without a margin.
    #[must_use]
    pub fn at_stake(&self, values: &[Value], as_of: Timestamp, probability: f64) -> Option<f64> {
        let read: Option<Vec<Value>> = self.inputs.iter().map(|input| values.get(*input).cloned()).collect();
        match self.expression.evaluate(&read?, as_of) {
            Value::Float(margin) => Some(margin * probability),
            Value::Int(margin) => Some(margin as f64 * probability),
            _ => None,
        }
    }
}
