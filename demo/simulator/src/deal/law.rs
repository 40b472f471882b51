//! The law: the true log-odds of winning a deal, when it opens.
//!
//! `log-odds = INTERCEPT + what the CRM knows + what the ERP, the service desk and the shop know`, and while the
//! deal is open, what has happened since adds to both ([`super::evidence`]). `docs/simulator.md` states the
//! same in prose; a change here is a change there.

use crate::company::credit::Credit;

/// Log-odds of a deal about which nothing speaks for or against.
pub const INTERCEPT: f64 = -0.50;

/// Where a deal came from, with its log-odds and how common it is.
pub const LEAD_SOURCES: [(&str, f64, f64); 5] = [
    ("referral", 0.9, 12.0),
    ("existing customer", 0.25, 33.0),
    ("web enquiry", 0.15, 25.0),
    ("trade fair", -0.1, 15.0),
    ("cold call", -0.9, 15.0),
];

/// What a deal is about, with its log-odds and how common it is.
pub const KINDS: [(&str, f64, f64); 3] =
    [("seasonal order", 0.35, 45.0), ("new range", 0.0, 35.0), ("frame agreement", -0.6, 20.0)];

/// Who else is asked, with the log-odds and how common it is.
pub const COMPETITORS: [(&str, f64, f64); 4] = [
    ("", 0.15, 55.0),
    ("Harlequin Trade", -0.2, 20.0),
    ("Giftline Direct", -0.5, 15.0),
    ("Northgate Imports", -0.8, 10.0),
];

/// What the CRM knows when a deal opens.
#[derive(Debug, Clone, Copy)]
pub struct CrmFacts {
    /// Position in [`LEAD_SOURCES`].
    pub lead_source: usize,
    /// Position in [`KINDS`].
    pub kind: usize,
    /// Position in [`COMPETITORS`].
    pub competitor: usize,
    /// True when the CRM knows a contact who decides.
    pub decision_maker: bool,
    /// The rep's own log-odds.
    pub rep_skill: f64,
    /// The account's deals won and lost before.
    pub past: (u32, u32),
    /// Pounds asked for.
    pub amount: f64,
}

/// What the ERP, the service desk and the shop know when a deal opens.
#[derive(Debug, Clone, Copy)]
pub struct SharedFacts {
    /// Days since the last real order.
    pub days_since_order: f64,
    /// Real orders in 365 days.
    pub orders_365: f64,
    /// Pounds ordered in 90 and in 365 days.
    pub revenue: (f64, f64),
    /// Value of cancellations over value of orders in 365 days.
    pub returned_share: f64,
    /// Pounds the deal is worth.
    pub amount: f64,
    /// Tickets open.
    pub open_tickets: f64,
    /// Urgent tickets opened in 90 days.
    pub severe_tickets: f64,
    /// Credit status.
    pub credit: Credit,
    /// False when the product's counted stock is empty.
    pub in_stock: bool,
    /// Visits to the shop in 30 days.
    pub visits: f64,
}

/// Log-odds from what the CRM knows.
pub fn crm_log_odds(facts: &CrmFacts) -> f64 {
    let (won, lost) = (f64::from(facts.past.0), f64::from(facts.past.1));
    let record = 1.2 * (won - 0.35 * (won + lost)) / (won + lost + 1.0);
    LEAD_SOURCES[facts.lead_source].1
        + KINDS[facts.kind].1
        + COMPETITORS[facts.competitor].1
        + if facts.decision_maker { 0.4 } else { -0.25 }
        + facts.rep_skill
        + record
        - 0.15 * (facts.amount / 700.0).ln()
}

/// Log-odds from what the ERP, the service desk and the shop know; 0 for a prospect, of whom they know
/// nothing.
pub fn shared_log_odds(facts: &SharedFacts) -> f64 {
    let usual = facts.revenue.1 / facts.orders_365.max(1.0);
    let relative = if usual > 0.0 { (facts.amount / usual / 1.5).ln().clamp(-1.5, 1.5) } else { 0.0 };
    let trend = if facts.revenue.1 > 0.0 { facts.revenue.0 * 4.0 / facts.revenue.1 - 1.0 } else { -1.0 };
    let credit = match facts.credit {
        Credit::Good => 0.1,
        Credit::Watch => -0.6,
        Credit::Hold => -1.6,
    };
    -0.5 * ((1.0 + facts.days_since_order) / 50.0).ln()
        + 0.5 * ((1.0 + facts.orders_365) / 4.0).ln()
        + 0.25 * trend.clamp(-1.0, 1.0)
        - 2.0 * facts.returned_share.min(0.5)
        - 0.6 * relative
        - 0.6 * facts.open_tickets.min(3.0)
        - 0.7 * facts.severe_tickets.min(2.0)
        + credit
        + if facts.in_stock { 0.05 } else { -0.7 }
        + 0.2 * (1.0 + facts.visits).ln()
}

/// The logistic function.
pub fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}
