//! When a deal ends: hazards of ending won and of ending lost, for every stretch of days ahead.
//!
//! A discrete-time model of competing ends (Prentice, Gloeckler 1978; Tutz, Schmid 2016): for each stretch two
//! predictors say how likely a deal that is still open at its beginning ends won, or lost, within it. The
//! hazards decide *when*; *whether* is for the calibrated probability of the win model to say: the cumulative
//! incidences of both ends are scaled so that they tend to that probability and its complement.

mod curve;

use serde::{Deserialize, Serialize};

use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Value, ValueType};

pub use curve::Curve;

use crate::artifact::Sections;
use crate::encoder::Encoder;
use crate::error::ModelError;
use crate::predictor::{Form, Predictor};
use crate::signature::{InputField, Signature};

/// Name of the input that tells the stretch, after the inputs of the model.
const STRETCH: &str = "stretch ahead";
const SECTION: &str = "timing";

/// Hazards of ending won and lost by stretches of days ahead.
#[derive(Debug, Clone)]
pub struct Timing {
    /// The days at which stretches end, ascending, above 0; the first begins at 0, what comes after the last is
    /// taken to go on as in the last.
    edges: Vec<f64>,
    /// From the model's inputs and the number of the stretch to the columns that both predictors read.
    encoder: Encoder,
    /// Hazard of ending won.
    won: Predictor,
    /// Hazard of ending lost.
    lost: Predictor,
}

/// The manifest's part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TimingForm {
    edges: Vec<f64>,
    won: Form,
    lost: Form,
}

impl Timing {
    /// Puts hazards together.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] for edges that do not ascend from above 0, and predictors that read columns which
    /// are not made or give no probability.
    pub fn new(
        edges: Vec<f64>,
        encoder: Encoder,
        won: Predictor,
        lost: Predictor,
    ) -> Result<Self, ModelError> {
        let timing = Self { edges, encoder, won, lost };
        timing.check_parts()?;
        Ok(timing)
    }

    /// The inputs that the hazards of a model of this signature read: the model's own, then the stretch.
    #[must_use]
    pub fn signature(model: &Signature) -> Signature {
        let stretch = InputField::new(STRETCH, ValueType::Float);
        Signature { inputs: model.inputs.iter().cloned().chain([stretch]).collect(), ..model.clone() }
    }

    /// The value of the last input for a stretch, counted from 0.
    #[must_use]
    pub fn stretch(number: usize) -> Value {
        Value::Float(number as f64)
    }

    /// The days at which stretches end.
    #[must_use]
    pub fn edges(&self) -> &[f64] {
        &self.edges
    }

    pub(crate) fn check(&self, model: &Signature) -> Result<(), ModelError> {
        self.check_parts()?;
        self.encoder.check(&Self::signature(model))
    }

    fn check_parts(&self) -> Result<(), ModelError> {
        let refuse = |why: &str| Err(ModelError::invalid(SECTION, why));
        let ascending = self.edges.windows(2).all(|pair| pair[0] < pair[1]);
        let sound = self.edges.first().is_some_and(|first| *first > 0.0);
        if !(ascending && sound && self.edges.iter().all(|edge| edge.is_finite())) {
            return refuse("stretches must end at finite days above 0, strictly ascending");
        }
        for predictor in [&self.won, &self.lost] {
            if !matches!(predictor, Predictor::Linear(_) | Predictor::Forest(_) | Predictor::Average(_)) {
                return refuse("hazards are told by linear models and trees");
            }
            if predictor.width() > self.encoder.width() {
                return refuse("a hazard reads a column that is not made");
            }
        }
        Ok(())
    }

    pub(crate) fn write(&self, sections: &mut Sections) -> Result<TimingForm, ModelError> {
        sections.put_json(SECTION, &self.encoder)?;
        Ok(TimingForm {
            edges: self.edges.clone(),
            won: Form::write(&self.won, "timing.won", sections)?,
            lost: Form::write(&self.lost, "timing.lost", sections)?,
        })
    }

    pub(crate) fn read(form: &TimingForm, sections: &Sections) -> Result<Self, ModelError> {
        let encoder = sections.json(SECTION)?;
        let (won, lost) = (form.won.read(sections)?, form.lost.read(sections)?);
        Self::new(form.edges.clone(), encoder, won, lost)
    }

    /// How a deal with these values, open at `as_of` and won with `probability` (0 to 1), is going to end.
    /// Values must have passed the model's signature.
    ///
    /// # Errors
    /// What the predictors report.
    pub fn curve(&self, values: &[Value], as_of: Timestamp, probability: f64) -> Result<Curve, ModelError> {
        let mut asked = values.to_vec();
        asked.push(Self::stretch(0));
        let last = asked.len() - 1;
        let width = self.encoder.width();
        let mut rows = vec![0.0; width * self.edges.len()];
        for (number, row) in rows.chunks_exact_mut(width.max(1)).enumerate() {
            asked[last] = Self::stretch(number);
            self.encoder.encode(&asked, as_of, row);
        }
        let hazard = |predictor: &Predictor| -> Result<Vec<f64>, ModelError> {
            let mut raw = vec![0.0; self.edges.len()];
            predictor.raw_batch(&rows, width, &mut raw)?;
            Ok(raw.into_iter().map(|raw| predictor.scale().probability(raw)).collect())
        };
        Ok(Curve::new(&self.edges, &hazard(&self.won)?, &hazard(&self.lost)?, probability))
    }
}

#[cfg(test)]
mod tests;
