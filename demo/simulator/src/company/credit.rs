//! Credit: what the ERP thinks of a customer's payments.

use crate::draw::Draw;
use crate::moment::Moment;
use crate::table::{Cell, Dirt, Table};

/// A credit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credit {
    /// Pays.
    Good,
    /// Pays late.
    Watch,
    /// Gets nothing more on credit.
    Hold,
}

impl Credit {
    const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Watch => "watch",
            Self::Hold => "hold",
        }
    }
}

/// A customer's statuses, in the order of time.
#[derive(Debug, Clone)]
pub struct CreditHistory {
    changes: Vec<(Moment, Credit)>,
    limit: f64,
}

impl CreditHistory {
    /// From good to watched once in about 15 months, for 45 days; then on hold in 45 of 100 cases, for 45
    /// days.
    pub fn simulate(draw: &mut Draw, from: Moment, now: Moment) -> Self {
        let mut changes = vec![(from, Credit::Good)];
        let mut at = from.plus_days(draw.exponential(450.0));
        let mut status = Credit::Good;
        while at < now {
            status = match status {
                Credit::Good => Credit::Watch,
                Credit::Watch if draw.chance(0.45) => Credit::Hold,
                Credit::Watch | Credit::Hold => Credit::Good,
            };
            changes.push((at, status));
            at = at.plus_days(draw.exponential(if status == Credit::Good { 450.0 } else { 45.0 }));
        }
        Self { changes, limit: (draw.log_normal(2500.0, 0.9) / 100.0).round() * 100.0 }
    }

    /// The status at `at`.
    pub fn status(&self, at: Moment) -> Credit {
        let known = self.changes.partition_point(|(changed, _)| *changed <= at);
        known.checked_sub(1).map_or(Credit::Good, |last| self.changes[last].1)
    }

    /// Adds the customer's changes to the export.
    pub fn export(&self, customer: &str, draw: &mut Draw, now: Moment, table: &mut Table) {
        for (at, status) in &self.changes {
            let overdue = if *status == Credit::Good { 0.0 } else { self.limit * draw.unit() };
            let limit = if draw.chance(0.02) { Cell::Nothing } else { Cell::Money(self.limit) };
            let recorded = Cell::When(draw.recorded(*at, 0.02, now));
            let row = [
                Cell::Text(customer),
                Cell::When(*at),
                Cell::Text(status.name()),
                limit,
                Cell::Money(overdue),
                recorded,
            ];
            table.push(*at, &row);
        }
    }
}

/// An empty export of credit statuses.
pub fn table() -> Table {
    let header = &["customer_id", "changed_at", "status", "credit_limit", "overdue", "recorded_at"];
    Table::new("credit_status", header, Dirt { repeated: 0.005, malformed: 2 })
}
