//! What would have to change for a score to cross a threshold.

use scorehouse_features::value::Value;
use scorehouse_models::what_if::{Goal, search};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use super::more::RowScored;
use crate::error::ServeError;
use crate::live_model::LiveModel;
use crate::service::scalar::Shown;

/// Changes tried together when the request does not say.
const CHANGES: usize = 2;
const MOST_CHANGES: usize = 3;

/// The threshold to be crossed.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WhatIfAsked {
    /// A probability, 0 to 1: a score below it is to rise to it, any other to fall below it.
    #[schema(minimum = 0, maximum = 1)]
    pub threshold: f64,
    /// How many features may change together, 1 to 3; 2 if not given.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3)]
    pub changes: Option<usize>,
}

/// The smallest plausible change of features that people can change.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct WhatIfShown {
    /// True when the change crosses the threshold; false: none that is plausible does, and this one comes nearest.
    pub reached: bool,
    /// The calibrated probability it leads to.
    pub probability: f64,
    /// What changes; nothing when there is nothing that could.
    pub changes: Vec<ChangeShown>,
}

/// One feature's change.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ChangeShown {
    /// The feature.
    pub feature: String,
    /// Its value now.
    #[serde(serialize_with = "plain")]
    #[schema(value_type = serde_json::Value)]
    pub from: Value,
    /// The value it would take.
    #[serde(serialize_with = "plain")]
    #[schema(value_type = serde_json::Value)]
    pub to: Value,
}

fn plain<S: Serializer>(value: &Value, to: S) -> Result<S::Ok, S::Error> {
    Shown(value).serialize(to)
}

/// Scores a row again with other values of some inputs, by position.
pub type Again<'a> = dyn FnMut(&[(usize, Value)]) -> Result<f64, ServeError> + 'a;

impl WhatIfAsked {
    /// Checks the request's numbers.
    ///
    /// # Errors
    /// [`ServeError::InvalidField`].
    pub fn check(&self) -> Result<(), ServeError> {
        let invalid =
            |message: &str| Err(ServeError::InvalidField { message: message.into(), nearest: None });
        if !(0.0..=1.0).contains(&self.threshold) {
            return invalid("`what_if.threshold` takes 0 to 1");
        }
        if !self.changes.is_none_or(|changes| (1..=MOST_CHANGES).contains(&changes)) {
            return invalid("`what_if.changes` takes 1 to 3");
        }
        Ok(())
    }

    /// Looks for the smallest change of a row.
    ///
    /// # Errors
    /// [`ServeError::NotSuited`] for a model without features that people can change, and what scoring reports.
    pub fn found(&self, row: &RowScored<'_>, again: &mut Again<'_>) -> Result<WhatIfShown, ServeError> {
        let scoring = row.model.scoring();
        let levers = scoring.levers();
        if levers.is_empty() {
            return Err(row.model.not_suited(
                "knows of nothing that people can change: declare `actionable` features and train it again",
            ));
        }
        let choices = scoring.choices(row.values);
        let goal = Goal::across(self.threshold, row.score.output, self.changes.unwrap_or(CHANGES));
        let moved = |moves: &[(usize, usize)]| -> Vec<(usize, Value)> {
            let one = |(lever, choice): &(usize, usize)| {
                (levers[*lever].input, choices[*lever][*choice].value.clone())
            };
            moves.iter().map(one).collect()
        };
        let found = search(&choices, goal, &mut |moves| again(&moved(moves)))?;
        let Some(found) = found else {
            return Ok(WhatIfShown { reached: false, probability: row.score.output, changes: Vec::new() });
        };
        let changes =
            moved(&found.moves).into_iter().map(|(input, to)| shown(row.model, row.values, input, to));
        Ok(WhatIfShown { reached: found.reached, probability: found.probability, changes: changes.collect() })
    }
}

fn shown(model: &LiveModel, values: &[Value], input: usize, to: Value) -> ChangeShown {
    let feature = model.scoring().signature().inputs[input].name.clone();
    ChangeShown { feature, from: values[input].clone(), to }
}
