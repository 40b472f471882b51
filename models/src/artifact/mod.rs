//! A frozen model in one file: signature, encoder, predictor, calibration, and samples that must score as
//! they did when it was made.
//!
//! The same model always gives the same bytes, so that the digest names it. How the bytes are laid out is told
//! in `docs/decisions/artifact-format.md`.

mod format;
mod golden;
mod sections;
mod tensors;

use serde::{Deserialize, Serialize};

use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;

pub use format::FORMAT;
pub use golden::Golden;
pub use sections::{SectionKind, Sections};
pub use tensors::Tensors;

use crate::baseline::Baseline;
use crate::calibration::Calibration;
use crate::certainty::Support;
use crate::encoder::Encoder;
use crate::error::ModelError;
use crate::ids::ArtifactDigest;
use crate::predictor::{Form, Predictor};
use crate::score::{ScoringModel, Scratch};
use crate::signature::{Output, Signature};
use crate::timing::{Timing, TimingForm};
use crate::what_if::Lever;

/// A frozen model.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// What it reads and answers.
    pub signature: Signature,
    /// How values become columns.
    pub encoder: Encoder,
    /// What computes the raw score.
    pub predictor: Predictor,
    /// What the raw score means.
    pub calibration: Calibration,
    /// How many outcomes stand behind a probability; none when nobody counted them.
    pub support: Option<Support>,
    /// When a deal ends; none for a model of anything else.
    pub timing: Option<Timing>,
    /// What people can change, each input at most once.
    pub levers: Vec<Lever>,
    /// How its inputs lay in training; none when nobody looked.
    pub baseline: Option<Baseline>,
    /// Samples that must score as recorded, checked whenever the model is loaded.
    pub golden: Vec<Golden>,
    /// Anything to know about how it came to be: a JSON object, kept as it is, read by nobody here.
    pub details: serde_json::Value,
}

/// The manifest, as JSON in the file.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    signature: Signature,
    predictor: Form,
    calibration: Calibration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    support: Option<Support>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timing: Option<TimingForm>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    levers: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    baseline: bool,
    details: serde_json::Value,
    sections: Vec<format::SectionEntry>,
}

const BASELINE: &str = "baseline";
const ENCODER: &str = "encoder";
const GOLDEN: &str = "golden";
const LEVERS: &str = "levers";
const PREDICTOR: &str = "predictor";

impl Artifact {
    /// Puts together a model without golden samples.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when the parts do not fit.
    pub fn new(
        signature: Signature,
        encoder: Encoder,
        predictor: Predictor,
        calibration: Calibration,
    ) -> Result<Self, ModelError> {
        let details = serde_json::Value::Null;
        let golden = Vec::new();
        let (support, timing, levers, baseline) = (None, None, Vec::new(), None);
        let artifact = Self {
            signature,
            encoder,
            predictor,
            calibration,
            support,
            timing,
            levers,
            baseline,
            golden,
            details,
        };
        artifact.check()?;
        Ok(artifact)
    }

    /// Scores these rows now and keeps them as golden samples.
    ///
    /// # Errors
    /// What scoring reports.
    pub fn with_golden(mut self, rows: &[(Vec<Value>, Timestamp)]) -> Result<Self, ModelError> {
        let model = ScoringModel::unchecked(&self)?;
        let mut scratch = Scratch::default();
        for (values, as_of) in rows {
            let score = model.score(values, *as_of, 0, &mut scratch)?;
            let tolerance = Golden::tolerance_of(&self.predictor);
            let values = golden::as_read(values, &self.signature);
            self.golden.push(Golden { values, as_of: *as_of, output: score.output, tolerance });
        }
        Ok(self)
    }

    /// Keeps how many outcomes stand behind a probability.
    #[must_use]
    pub fn with_support(mut self, support: Support) -> Self {
        self.support = Some(support);
        self
    }

    /// Keeps when deals end.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when it reads other inputs than the model, or the model gives no probability.
    pub fn with_timing(mut self, timing: Timing) -> Result<Self, ModelError> {
        self.timing = Some(timing);
        self.check()?;
        Ok(self)
    }

    /// Keeps what people can change.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] for a lever that does not fit the inputs.
    pub fn with_levers(mut self, levers: Vec<Lever>) -> Result<Self, ModelError> {
        self.levers = levers;
        self.check()?;
        Ok(self)
    }

    /// Keeps how its inputs lay in training.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when it does not fit the inputs.
    pub fn with_baseline(mut self, baseline: Baseline) -> Result<Self, ModelError> {
        self.baseline = Some(baseline);
        self.check()?;
        Ok(self)
    }

    /// Keeps what was learnt on the way.
    #[must_use]
    pub fn with_details(mut self, details: serde_json::Value) -> Self {
        self.details = details;
        self
    }

    /// Checks that the parts fit together.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] naming the part.
    pub fn check(&self) -> Result<(), ModelError> {
        self.signature.check()?;
        self.encoder.check(&self.signature)?;
        self.calibration.check()?;
        self.support.map_or(Ok(()), Support::check)?;
        self.timing.as_ref().map_or(Ok(()), |timing| timing.check(&self.signature))?;
        self.levers.iter().try_for_each(|lever| lever.check(&self.signature))?;
        self.baseline.as_ref().map_or(Ok(()), |baseline| baseline.check(&self.signature))?;
        if self.timing.is_some() && self.signature.output != Output::Probability {
            return Err(ModelError::invalid(
                "timing",
                "only a probability has a time at which it comes true",
            ));
        }
        if self.predictor.width() > self.encoder.width() {
            let why =
                format!("it reads {} columns, {} are made", self.predictor.width(), self.encoder.width());
            return Err(ModelError::invalid("predictor", why));
        }
        let items = self.signature.output == Output::Items;
        if items != matches!(self.predictor, Predictor::Recommender(_)) {
            let why = format!(
                "a {} model cannot answer with {}",
                self.predictor.kind(),
                self.signature.output.as_str()
            );
            return Err(ModelError::invalid("predictor", why));
        }
        if self.signature.output != Output::Probability && self.calibration != Calibration::Identity {
            return Err(ModelError::invalid("calibration", "only probabilities are calibrated"));
        }
        self.golden.iter().try_for_each(|sample| self.signature.accept(&sample.values))
    }

    /// The file's bytes: the same model, the same bytes.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when the parts do not fit.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        self.check()?;
        let mut sections = Sections::default();
        sections.put_json(ENCODER, &self.encoder)?;
        let predictor = Form::write(&self.predictor, PREDICTOR, &mut sections)?;
        let timing = self.timing.as_ref().map(|timing| timing.write(&mut sections)).transpose()?;
        if !self.levers.is_empty() {
            sections.put_json(LEVERS, &self.levers)?;
        }
        if let Some(baseline) = &self.baseline {
            sections.put_json(BASELINE, baseline)?;
        }
        sections.put_json(GOLDEN, &golden::write(&self.golden))?;
        let manifest = Manifest {
            signature: self.signature.clone(),
            predictor,
            calibration: self.calibration.clone(),
            support: self.support,
            timing,
            levers: !self.levers.is_empty(),
            baseline: self.baseline.is_some(),
            details: self.details.clone(),
            sections: sections.entries(),
        };
        let json =
            serde_json::to_vec(&manifest).map_err(|e| ModelError::invalid("manifest", e.to_string()))?;
        Ok(format::write(&json, &sections))
    }

    /// Reads a file's bytes; every digest is checked, and that the parts fit.
    ///
    /// # Errors
    /// [`ModelError::NotAnArtifact`], [`ModelError::NewerFormat`], [`ModelError::WrongLength`],
    /// [`ModelError::Tampered`], or [`ModelError::Invalid`] for parts that make no sense.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let (manifest, body) = Self::manifest(bytes)?;
        let sections = Sections::read(&manifest.sections, body)?;
        let golden = golden::read(&sections.json::<Vec<golden::Stored>>(GOLDEN)?, &manifest.signature)?;
        let artifact = Self {
            encoder: sections.json(ENCODER)?,
            predictor: manifest.predictor.read(&sections)?,
            calibration: manifest.calibration,
            support: manifest.support,
            levers: if manifest.levers { sections.json(LEVERS)? } else { Vec::new() },
            baseline: manifest.baseline.then(|| sections.json(BASELINE)).transpose()?,
            timing: manifest.timing.map(|form| Timing::read(&form, &sections)).transpose()?,
            details: manifest.details,
            signature: manifest.signature,
            golden,
        };
        artifact.check()?;
        Ok(artifact)
    }

    fn manifest(bytes: &[u8]) -> Result<(Manifest, &[u8]), ModelError> {
        let parts = format::read(bytes)?;
        let manifest = serde_json::from_slice(parts.manifest)
            .map_err(|e| ModelError::invalid("manifest", e.to_string()))?;
        Ok((manifest, parts.body))
    }

    /// Checks the digests and gives the file's own, without building the model.
    ///
    /// # Errors
    /// As [`Artifact::from_bytes`], but for what is wrong inside sections.
    pub fn verify(bytes: &[u8]) -> Result<ArtifactDigest, ModelError> {
        let parts = format::read(bytes)?;
        let (manifest, body) = Self::manifest(bytes)?;
        Sections::read(&manifest.sections, body)?;
        Ok(parts.digest)
    }

    /// The golden samples as rows of columns.
    pub(crate) fn golden_columns(&self) -> Vec<Vec<f64>> {
        let columns = |golden: &Golden| {
            let mut row = vec![0.0; self.encoder.width()];
            self.encoder.encode(&golden.values, golden.as_of, &mut row);
            row
        };
        self.golden.iter().map(columns).collect()
    }

    /// Scores every golden sample and compares.
    ///
    /// # Errors
    /// [`ModelError::GoldenMismatch`] for the first that differs, and what scoring reports.
    pub fn check_golden(&self, model: &ScoringModel) -> Result<(), ModelError> {
        if self.signature.output == Output::Items {
            return Ok(());
        }
        let mut scratch = Scratch::default();
        for (sample, golden) in self.golden.iter().enumerate() {
            let found = model.score(&golden.values, golden.as_of, 0, &mut scratch)?.output;
            let off = (found - golden.output).abs();
            if off.is_nan() || off > golden.tolerance {
                return Err(ModelError::GoldenMismatch { sample, expected: golden.output, found });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
