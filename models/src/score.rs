//! From the values of a row to a score with its reasons.

use serde::Serialize;

use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;

use crate::artifact::Artifact;
use crate::calibration::Calibration;
use crate::certainty::{Interval, Support};
use crate::encoder::{Encoder, Reader, Transform};
use crate::error::ModelError;
use crate::ids::Probability;
use crate::predictor::{Predictor, Recommender};
use crate::reason::{Contributions, Explanation, Groups, Reason};
use crate::signature::{Output, Signature};
use crate::timing::{Curve, Timing};
use crate::what_if::{Choice, Lever};

/// A model ready to answer; shared freely between threads.
///
/// The same row gives the same bits whichever thread asks, alone or in a batch.
#[derive(Debug, Clone)]
pub struct ScoringModel {
    signature: Signature,
    encoder: Encoder,
    groups: Groups,
    reader: Reader,
    predictor: Predictor,
    calibration: Calibration,
    support: Option<Support>,
    timing: Option<Timing>,
    levers: Vec<Lever>,
}

/// Memory that scoring works in, kept by the caller from score to score so that scoring allocates nothing.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    row: Vec<f64>,
    raw: Vec<f64>,
    columns: Vec<f64>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// The answer: the calibrated probability of a probability model (0 to 1), the raw score of any other.
    pub output: f64,
    /// The 95 % interval of a probability, for models that know how many outcomes stand behind it.
    #[serde(flatten)]
    pub interval: Option<Interval>,
    /// The predictor's raw score, on its scale.
    pub raw: f64,
    /// Why; empty when no reasons were asked for.
    #[serde(flatten)]
    pub explanation: Explanation,
}

impl Score {
    /// The answer as a probability; a raw score beyond 0 to 1 is cut.
    #[must_use]
    pub fn probability(&self) -> Probability {
        Probability::nearest(self.output)
    }

    /// The reasons, strongest first.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        &self.explanation.reasons
    }
}

impl ScoringModel {
    /// Makes a model ready, tables and sessions included, and scores its golden samples.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when its parts do not fit, [`ModelError::GoldenMismatch`] when a sample scores
    /// otherwise than recorded, [`ModelError::OnnxLibrary`] when an ONNX model cannot be run here.
    pub fn load(artifact: &Artifact) -> Result<Self, ModelError> {
        let model = Self::unchecked(artifact)?;
        artifact.check_golden(&model)?;
        Ok(model)
    }

    /// As [`ScoringModel::load`], without the golden samples.
    pub(crate) fn unchecked(artifact: &Artifact) -> Result<Self, ModelError> {
        artifact.check()?;
        let mut predictor = artifact.predictor.clone();
        predictor.set_background(&artifact.golden_columns());
        predictor.prepare()?;
        Ok(Self {
            groups: Groups::of(&artifact.signature),
            reader: Reader::new(&artifact.signature, &artifact.encoder),
            signature: artifact.signature.clone(),
            encoder: artifact.encoder.clone(),
            predictor,
            calibration: artifact.calibration.clone(),
            support: artifact.support.filter(|_| artifact.signature.output == Output::Probability),
            timing: artifact.timing.clone(),
            levers: artifact.levers.clone(),
        })
    }

    /// What it reads and answers.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// What computes its raw score.
    #[must_use]
    pub const fn predictor(&self) -> &Predictor {
        &self.predictor
    }

    /// True when [`ScoringModel::score`] can give reasons.
    #[must_use]
    pub fn explains(&self) -> bool {
        self.predictor.explains()
    }

    /// When a deal that scored `probability` on these values is going to end; none for a model that knows nothing
    /// of time.
    ///
    /// # Errors
    /// As [`ScoringModel::score`].
    pub fn curve(
        &self,
        values: &[Value],
        as_of: Timestamp,
        probability: f64,
    ) -> Result<Option<Curve>, ModelError> {
        self.signature.accept(values)?;
        self.timing.as_ref().map(|timing| timing.curve(values, as_of, probability)).transpose()
    }

    /// What people can change.
    #[must_use]
    pub fn levers(&self) -> &[Lever] {
        &self.levers
    }

    /// For each lever the values it can take instead of that of a row, the nearest first.
    #[must_use]
    pub fn choices(&self, values: &[Value]) -> Vec<Vec<Choice>> {
        let of = |lever: &Lever| {
            let (Some(now), Some(input)) = (values.get(lever.input), self.signature.inputs.get(lever.input))
            else {
                return Vec::new();
            };
            lever.choices(now, input.value_type, &self.thresholds(lever.input))
        };
        self.levers.iter().map(of).collect()
    }

    /// Where trees ask for a number as it is.
    fn thresholds(&self, input: usize) -> Vec<f64> {
        let plain = self.encoder.columns().iter().enumerate().filter(|(_, column)| {
            column.input == input && column.transform == Transform::Number && column.scaling.is_none()
        });
        let mut all: Vec<f64> = plain.flat_map(|(at, _)| self.predictor.thresholds(at)).collect();
        all.sort_unstable_by(f64::total_cmp);
        all.dedup();
        all
    }

    /// The recommender of a model that answers with items.
    ///
    /// # Errors
    /// [`ModelError::WrongOutput`] for a model that answers with scores.
    pub fn recommender(&self) -> Result<&Recommender, ModelError> {
        match &self.predictor {
            Predictor::Recommender(recommender) => Ok(recommender),
            _ => Err(ModelError::WrongOutput { answers: self.signature.output.as_str(), asked: "items" }),
        }
    }

    /// Scores one row: value i is that of the signature's input i. With `reasons` above 0 the score carries that
    /// many inputs, or groups of them, that moved it most (all of them for `usize::MAX`).
    ///
    /// # Errors
    /// [`ModelError::WrongWidth`], [`ModelError::WrongType`] or [`ModelError::NotFinite`] for values the
    /// signature does not accept, [`ModelError::WrongOutput`] for a recommender, [`ModelError::NoReasons`] when
    /// reasons are asked of a predictor that has none, and what ONNX Runtime reports.
    pub fn score(
        &self,
        values: &[Value],
        as_of: Timestamp,
        reasons: usize,
        scratch: &mut Scratch,
    ) -> Result<Score, ModelError> {
        scratch.row.resize(self.encoder.width(), 0.0);
        self.reader.read((&self.signature, &self.encoder), values, as_of, &mut scratch.row)?;
        self.check_reasons(reasons)?;
        let raw = self.predictor.raw(&scratch.row)?;
        self.finish(raw, values, reasons, &scratch.row, &mut scratch.columns)
    }

    /// Scores many rows at once, into `out`, which is emptied first. Each score is the very one that
    /// [`ScoringModel::score`] gives.
    ///
    /// # Errors
    /// As [`ScoringModel::score`]; the first row that is refused refuses all.
    pub fn score_batch<'a>(
        &self,
        rows: impl ExactSizeIterator<Item = (&'a [Value], Timestamp)> + Clone,
        reasons: usize,
        scratch: &mut Scratch,
        out: &mut Vec<Score>,
    ) -> Result<(), ModelError> {
        out.clear();
        self.check_reasons(reasons)?;
        let width = self.encoder.width();
        scratch.row.resize(width * rows.len(), 0.0);
        scratch.raw.resize(rows.len(), 0.0);
        for (i, (values, as_of)) in rows.clone().enumerate() {
            let row = &mut scratch.row[i * width..(i + 1) * width];
            self.reader.read((&self.signature, &self.encoder), values, as_of, row)?;
        }
        self.predictor.raw_batch(&scratch.row, width, &mut scratch.raw)?;
        for (i, (values, _)) in rows.enumerate() {
            let row = &scratch.row[i * width..(i + 1) * width];
            out.push(self.finish(scratch.raw[i], values, reasons, row, &mut scratch.columns)?);
        }
        Ok(())
    }

    fn check_reasons(&self, reasons: usize) -> Result<(), ModelError> {
        if reasons > 0 && !self.explains() {
            return Err(ModelError::NoReasons { predictor: self.predictor.kind() });
        }
        Ok(())
    }

    fn finish(
        &self,
        raw: f64,
        values: &[Value],
        reasons: usize,
        row: &[f64],
        columns: &mut Vec<f64>,
    ) -> Result<Score, ModelError> {
        let output = match self.signature.output {
            Output::Probability => self.calibration.apply(raw, self.predictor.scale()).get(),
            Output::Value | Output::Items => raw,
        };
        let mut explanation = Explanation::default();
        if reasons > 0 {
            columns.resize(row.len(), 0.0);
            let base = self.predictor.contributions(row, columns)?;
            let (signature, encoder, groups) = (&self.signature, &self.encoder, &self.groups);
            explanation =
                Contributions { signature, encoder, groups, values, columns, base }.explain(reasons);
        }
        let interval = self.support.map(|support| support.interval(output));
        Ok(Score { output, interval, raw, explanation })
    }
}

#[cfg(test)]
mod tests;
