//! Models trained elsewhere, run by ONNX Runtime.
//!
//! The library is found when the first such model is used, and nothing else needs it. A session runs one row at a
//! time on one thread: kernels of ONNX Runtime may add up in another order for other batch sizes, and a score
//! must not depend on who else was scored with it.

mod library;
mod sampled;
mod session;

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

pub use library::{ENVIRONMENT_VARIABLE, library_is_available, set_library};
use session::OnnxSession;

use crate::error::ModelError;
use crate::predictor::Scale;

/// A model trained elsewhere.
///
/// It must read either one tensor of numbers `[rows, columns]` or one tensor `[rows, 1]` per column in the order
/// of the encoder, and answer with a number, or with the probabilities of two classes. Classifiers converted with
/// `zipmap` answer with maps; convert them with `options={'zipmap': False}`.
#[derive(Debug, Clone)]
pub struct Onnx {
    bytes: Arc<[u8]>,
    options: OnnxOptions,
    session: Arc<OnceLock<OnnxSession>>,
    /// Rows that contributions are told against; none: there are no contributions.
    background: Arc<[Vec<f64>]>,
}

/// How an ONNX model is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnnxOptions {
    /// Columns it reads.
    pub width: usize,
    /// The output to read; none: `probabilities` if it is there, else the only output of numbers.
    pub output: Option<String>,
    /// The scale of what it answers.
    pub scale: Scale,
}

impl OnnxOptions {
    /// A classifier that reads `width` columns and answers with probabilities.
    #[must_use]
    pub const fn classifier(width: usize) -> Self {
        Self { width, output: None, scale: Scale::Probability }
    }
}

impl Onnx {
    /// Takes an ONNX file's bytes; they are looked at when the model is prepared or first scored.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] for no bytes or no columns.
    pub fn new(bytes: Vec<u8>, options: OnnxOptions) -> Result<Self, ModelError> {
        if bytes.is_empty() || options.width == 0 {
            return Err(ModelError::invalid("ONNX model", "it has no bytes or reads no columns"));
        }
        Ok(Self { bytes: bytes.into(), options, session: Arc::default(), background: Arc::default() })
    }

    /// The file's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How it is asked.
    #[must_use]
    pub const fn options(&self) -> &OnnxOptions {
        &self.options
    }

    /// The scale of its answer.
    #[must_use]
    pub const fn scale(&self) -> Scale {
        self.options.scale
    }

    /// Columns it reads.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.options.width
    }

    /// Takes rows of columns that contributions are told against; the first few are kept.
    pub(crate) fn set_background(&mut self, rows: &[Vec<f64>]) {
        let kept = rows.iter().take(sampled::MOST_ROWS).map(|row| row[..self.options.width].to_vec());
        self.background = kept.collect();
    }

    /// True when there are rows that contributions can be told against.
    pub(crate) fn explains(&self) -> bool {
        !self.background.is_empty()
    }

    pub(crate) fn add_contributions(
        &self,
        row: &[f64],
        factor: f64,
        out: &mut [f64],
    ) -> Result<f64, ModelError> {
        if !self.explains() {
            return Err(ModelError::NoReasons { predictor: "ONNX" });
        }
        let row = &row[..self.options.width];
        sampled::add(|mixed| self.raw(mixed), &self.background, row, factor, out)
    }

    pub(crate) fn prepare(&self) -> Result<(), ModelError> {
        self.session().map(|_| ())
    }

    /// Two threads that come first together both open a session; one of the two is dropped.
    fn session(&self) -> Result<&OnnxSession, ModelError> {
        match self.session.get() {
            Some(session) => Ok(session),
            None => {
                let session = OnnxSession::open(&self.bytes, &self.options)?;
                Ok(self.session.get_or_init(|| session))
            }
        }
    }

    pub(crate) fn raw(&self, row: &[f64]) -> Result<f64, ModelError> {
        let raw = self.session()?.run(&row[..self.options.width])?;
        if raw.is_finite() {
            return Ok(raw);
        }
        Err(ModelError::Onnx { why: format!("the model answered {raw}, which is no score") })
    }
}

#[cfg(test)]
mod tests;
