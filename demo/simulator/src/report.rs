//! What was simulated.

use std::path::PathBuf;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// What a simulation wrote, and what is true of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimulationReport {
    /// The simulated present is midnight (UTC) at which this day begins.
    pub anchor: Date,
    /// Weeks by which the real dates were moved on (back, when negative).
    pub weeks_shifted: i64,
    /// Customers with a number in the orders, after scaling.
    pub customers: u64,
    /// Accounts in the CRM: customers and prospects.
    pub accounts: u64,
    /// How the deals went.
    pub deals: DealSummary,
    /// The files written, in the order of their names.
    pub files: Vec<WrittenFile>,
}

/// How the deals went, and how well anyone could have told.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DealSummary {
    /// Opportunities ever opened.
    pub opened: u64,
    /// Closed and won.
    pub won: u64,
    /// Closed and lost.
    pub lost: u64,
    /// Still open at the anchor.
    pub open: u64,
    /// AUC of the true probability over the closed deals' rows in `truth/opportunities.csv`: no model can
    /// do better on them than by luck.
    pub oracle_auc: f64,
    /// The same of the part of the true log-odds that the CRM alone knows.
    pub crm_only_auc: f64,
}

/// One file written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenFile {
    /// Its path.
    pub path: PathBuf,
    /// Lines after the header, malformed ones included.
    pub rows: u64,
    /// Lines broken on purpose.
    pub malformed: u64,
    /// Bytes as written (compressed, where the name ends in `.zst`).
    pub bytes: u64,
}
