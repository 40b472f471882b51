//! What to simulate.

use std::path::Path;

use jiff::civil::Date;

use crate::error::SimulationError;

/// Smallest scale: a tenth of the customers.
pub const SCALE_MIN: f64 = 0.1;
/// Largest scale: every customer a hundred times.
pub const SCALE_MAX: f64 = 100.0;

/// What to simulate, and where to put it.
#[derive(Debug, Clone, Copy)]
pub struct SimulationRequest<'a> {
    /// The real orders: Online Retail II as CSV, plain or compressed (`.gz`, `.zst`).
    pub orders: &'a Path,
    /// Folder that receives `exports/` and `truth/`; made when it does not exist.
    pub out: &'a Path,
    /// Decides every draw. The same seed, orders, scale and anchor give the same bytes.
    pub seed: u64,
    /// Share of the real customers, 0.1 to 100. Below 1 some are left out; above 1 they are repeated with
    /// jitter under new numbers.
    pub scale: f64,
    /// The simulated present is midnight (UTC) at which this day begins. The real dates are moved by whole
    /// weeks so that the last order falls in the seven days before it; nothing that is written happened
    /// later.
    pub anchor: Date,
}

impl SimulationRequest<'_> {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`SimulationError::Scale`] when the scale is not within [`SCALE_MIN`] and [`SCALE_MAX`].
    pub fn check(&self) -> Result<(), SimulationError> {
        if (SCALE_MIN..=SCALE_MAX).contains(&self.scale) {
            return Ok(());
        }
        Err(SimulationError::Scale { given: self.scale })
    }
}
