//! The service desk.

use crate::draw::Draw;
use crate::moment::Moment;
use crate::orders::PurchaseHistory;
use crate::table::{Cell, Dirt, Table};

const TOPICS: [&str; 5] = ["delivery", "damaged goods", "return", "invoice", "question"];
const CHANNELS: [&str; 3] = ["email", "phone", "web form"];
/// Silence after an order from which the customer counts as gone, in days.
const GONE: f64 = 120.0;

/// A ticket.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// When it was opened.
    pub opened: Moment,
    /// When it was resolved; may lie beyond the present.
    pub resolved: Moment,
    /// 1 (urgent) to 4.
    pub priority: i64,
    topic: usize,
}

impl Ticket {
    /// True for the two urgent priorities.
    pub const fn is_severe(&self) -> bool {
        self.priority <= 2
    }

    fn open(draw: &mut Draw, opened: Moment, topic: usize, severe: f64) -> Self {
        let priority = if draw.chance(severe) { draw.whole(1, 2) } else { draw.whole(3, 4) };
        let days = draw.log_normal(if priority <= 2 { 6.0 } else { 3.0 }, 1.0);
        Self { opened, resolved: opened.plus_days(days), priority, topic }
    }
}

/// A customer's tickets, in the order of their opening. They come after deliveries and cancellations, now
/// and then from nothing, and more often with a customer's last order before [`GONE`] days of silence:
/// complaints foreshadow some of the real departures.
pub fn simulate(draw: &mut Draw, history: &PurchaseHistory, now: Moment) -> Vec<Ticket> {
    let mut tickets = Vec::new();
    let trouble = draw.log_normal(1.0, 0.6);
    for (place, invoice) in history.invoices.iter().enumerate() {
        let (chance, topic) =
            if invoice.cancelled { (0.4, 2) } else { (0.05 * trouble, draw.weighted(&[6.0, 4.0])) };
        if draw.chance(chance) {
            let opened = invoice.at.plus_days(if invoice.cancelled { 0.0 } else { 2.0 + 10.0 * draw.unit() });
            tickets.push(Ticket::open(draw, opened, topic, 0.3));
        }
        let next = history.invoices[place + 1..].iter().find(|i| !i.cancelled).map_or(now, |next| next.at);
        if !invoice.cancelled && next.days_since(invoice.at) > GONE && draw.chance(0.3) {
            let opened = invoice.at.plus_days(3.0 + 20.0 * draw.unit());
            tickets.push(Ticket::open(draw, opened, 1, 0.8));
        }
    }
    if let Some(first) = history.first_order() {
        for at in draw.moments(0.6 / 365.0 * trouble, first.at, now) {
            let topic = draw.weighted(&[1.0, 0.5, 0.0, 3.0, 4.0]);
            tickets.push(Ticket::open(draw, at, topic, 0.1));
        }
    }
    tickets.retain(|ticket| ticket.opened < now);
    tickets.sort_by_key(|ticket| (ticket.opened, ticket.resolved, ticket.priority, ticket.topic));
    tickets
}

/// Adds a customer's tickets to the export: a row when one is opened, and one when it is resolved.
pub fn export(tickets: &[Ticket], customer: &str, draw: &mut Draw, now: Moment, table: &mut Table) {
    for (number, ticket) in tickets.iter().enumerate() {
        let id = format!("T{customer}-{}", number + 1);
        let channel = *draw.pick(&CHANNELS);
        for (at, event) in [(ticket.opened, "opened"), (ticket.resolved, "resolved")] {
            let rated = event == "resolved" && draw.chance(0.4);
            let liking = (ticket.priority + draw.whole(-1, 2)).clamp(1, 5);
            let row = [
                Cell::Text(&id),
                Cell::Text(customer),
                Cell::When(at),
                Cell::Text(event),
                Cell::Int(ticket.priority),
                if draw.chance(0.03) { Cell::Nothing } else { Cell::Text(TOPICS[ticket.topic]) },
                Cell::Text(channel),
                if rated { Cell::Int(liking) } else { Cell::Nothing },
                Cell::When(draw.recorded(at, 0.03, now)),
            ];
            if at < now {
                table.push(at, &row);
            }
        }
    }
}

/// An empty export of ticket events.
pub fn table() -> Table {
    let header = &[
        "ticket_id",
        "customer_id",
        "at",
        "event",
        "priority",
        "topic",
        "channel",
        "satisfaction",
        "recorded_at",
    ];
    Table::new("ticket_events", header, Dirt { repeated: 0.004, malformed: 4 })
}
