//! A weighted mean of other predictors that read the same row.

use crate::error::ModelError;
use crate::predictor::{Predictor, Scale};

/// `Σ weight·raw` over members on one scale, weights adding up to 1.
#[derive(Debug, Clone)]
pub struct Average {
    members: Vec<Member>,
    scale: Scale,
}

/// One predictor of an average.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its share, above 0.
    pub weight: f64,
    /// The predictor: linear, forest or ONNX.
    pub predictor: Predictor,
}

const PART: &str = "average";

impl Average {
    /// Takes at least one member; shares are scaled to add up to 1.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] for no member, a share that is not above 0, members on different scales, or a
    /// member that is itself an average or a recommender.
    pub fn new(mut members: Vec<Member>) -> Result<Self, ModelError> {
        let Some(scale) = members.first().map(|m| m.predictor.scale()) else {
            return Err(ModelError::invalid(PART, "it has no members"));
        };
        if members.iter().any(|m| !(m.weight.is_finite() && m.weight > 0.0)) {
            return Err(ModelError::invalid(PART, "every weight must be above 0"));
        }
        if members.iter().any(|m| m.predictor.scale() != scale) {
            return Err(ModelError::invalid(PART, "members are on different scales"));
        }
        let flat = |m: &Member| !matches!(m.predictor, Predictor::Average(_) | Predictor::Recommender(_));
        if !members.iter().all(flat) {
            return Err(ModelError::invalid(PART, "members must be linear, forests or ONNX"));
        }
        let total: f64 = members.iter().map(|m| m.weight).sum();
        // A total of one but for rounding is left alone, so that reading back what was written changes nothing.
        if (total - 1.0).abs() > 1e-9 {
            members.iter_mut().for_each(|m| m.weight /= total);
        }
        Ok(Self { members, scale })
    }

    /// The members.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The scale all members share.
    #[must_use]
    pub const fn scale(&self) -> Scale {
        self.scale
    }

    /// Columns that a row must have at least.
    #[must_use]
    pub fn width(&self) -> usize {
        self.members.iter().map(|m| m.predictor.width()).max().unwrap_or(0)
    }

    pub(crate) fn set_background(&mut self, rows: &[Vec<f64>]) {
        self.members.iter_mut().for_each(|m| m.predictor.set_background(rows));
    }

    pub(crate) fn prepare(&self) -> Result<(), ModelError> {
        self.members.iter().try_for_each(|m| m.predictor.prepare())
    }

    pub(crate) fn raw(&self, row: &[f64]) -> Result<f64, ModelError> {
        self.members.iter().try_fold(0.0, |sum, m| Ok(sum + m.weight * m.predictor.raw(row)?))
    }

    pub(crate) fn raw_batch(&self, rows: &[f64], width: usize, out: &mut [f64]) -> Result<(), ModelError> {
        let mut part = vec![0.0; out.len()];
        out.fill(0.0);
        for member in &self.members {
            member.predictor.raw_batch(rows, width, &mut part)?;
            out.iter_mut().zip(&part).for_each(|(sum, raw)| *sum += member.weight * raw);
        }
        Ok(())
    }

    pub(crate) fn add_contributions(
        &self,
        row: &[f64],
        factor: f64,
        out: &mut [f64],
    ) -> Result<f64, ModelError> {
        self.members
            .iter()
            .try_fold(0.0, |base, m| Ok(base + m.predictor.add_contributions(row, factor * m.weight, out)?))
    }
}
