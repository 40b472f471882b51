//! A company's exports for the demo: real orders, and around the real customers a simulated CRM, ERP,
//! service desk and web shop.
//!
//! What is real and what is not, the files and their columns, and the true probability that decides how
//! deals end stand in `docs/simulator.md`.

mod company;
mod deal;
mod draw;
mod error;
mod generation;
mod moment;
mod orders;
mod report;
mod request;
mod simulate;
mod table;

pub use error::SimulationError;
pub use report::{DealSummary, SimulationReport, WrittenFile};
pub use request::{SCALE_MAX, SCALE_MIN, SimulationRequest};
pub use simulate::simulate;
