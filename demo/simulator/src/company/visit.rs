//! Visits to the web shop.

use crate::draw::Draw;
use crate::moment::Moment;
use crate::orders::PurchaseHistory;
use crate::table::{Cell, Dirt, Table};

const CHANNELS: [&str; 4] = ["direct", "search", "email", "social"];
const DEVICES: [&str; 3] = ["desktop", "mobile", "tablet"];

/// A customer's visits, in the order of time: with two of three real orders, in the 30 days before an
/// order (people look before they buy), and now and then, more often within 120 days of an order.
pub fn simulate(draw: &mut Draw, history: &PurchaseHistory, now: Moment) -> Vec<Moment> {
    let mut visits = Vec::new();
    let orders: Vec<Moment> = history.invoices.iter().filter(|i| !i.cancelled).map(|i| i.at).collect();
    for (place, &at) in orders.iter().enumerate() {
        if draw.chance(0.66) {
            visits.push(at.plus_days(-0.02));
        }
        for _ in 0..draw.count(1.2) {
            visits.push(at.plus_days(-30.0 * draw.unit()));
        }
        let next = orders.get(place + 1).copied().unwrap_or(now);
        let lively = next.min(at.plus_days(120.0));
        visits.extend(draw.moments(0.4 / 30.0, at, lively));
        visits.extend(draw.moments(0.05 / 30.0, lively, next));
    }
    visits.retain(|at| *at < now);
    visits.sort();
    visits
}

/// Adds visits to the export. `quote` tells visits to the page of a quote from others; in one of twenty
/// nobody had signed in, so that the customer is not known.
pub fn export(visits: &[(Moment, bool)], customer: &str, draw: &mut Draw, table: &mut Table) {
    for (number, (at, quote)) in visits.iter().enumerate() {
        let id = format!("S{customer}-{}", number + 1);
        let signed_in = *quote || !draw.chance(0.05);
        let row = [
            Cell::Text(&id),
            if signed_in { Cell::Text(customer) } else { Cell::Nothing },
            Cell::When(*at),
            Cell::Text(CHANNELS[draw.weighted(&[4.0, 3.0, 2.0, 1.0])]),
            Cell::Text(DEVICES[draw.weighted(&[6.0, 3.0, 1.0])]),
            Cell::Int(1 + draw.exponential(6.0) as i64),
            if draw.chance(0.1) { Cell::Nothing } else { Cell::Money(draw.exponential(7.0)) },
            Cell::Text(if *quote { "yes" } else { "no" }),
        ];
        table.push(*at, &row);
    }
}

/// Visits in the `days` before `at`.
pub fn count_within(visits: &[Moment], at: Moment, days: f64) -> usize {
    let from = at.plus_days(-days);
    visits.partition_point(|visit| *visit <= at) - visits.partition_point(|visit| *visit <= from)
}

/// An empty export of visits.
pub fn table() -> Table {
    let header =
        &["session_id", "customer_id", "started_at", "channel", "device", "pages", "minutes", "viewed_quote"];
    Table::new("web_sessions", header, Dirt { repeated: 0.005, malformed: 6 })
}
