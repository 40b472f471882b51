//! The CRM's exports about deals.

use super::evidence::{ADVANCES, Event};
use super::law::{COMPETITORS, KINDS, LEAD_SOURCES};
use super::life::Deal;
use super::pipeline::Shelf;
use crate::company::account::{Account, Period};
use crate::company::contact::ROLES;
use crate::draw::{Draw, mix};
use crate::moment::Moment;
use crate::table::{Cell, Dirt, Table};

const STAGES: [&str; ADVANCES + 1] = ["qualification", "needs analysis", "proposal", "negotiation"];
const REASONS: [&str; 5] = ["price", "competitor", "no budget", "no answer", "assortment"];

/// The CRM's exports about deals.
#[derive(Debug)]
pub struct DealTables {
    /// A row a deal, as it was when it opened.
    pub opportunities: Table,
    /// A row whenever stage, amount or expected close date changed, the opening included.
    pub history: Table,
    /// Calls, letters and meetings.
    pub activities: Table,
    /// Quotes.
    pub quotes: Table,
    /// A row a closed deal.
    pub outcomes: Table,
}

impl DealTables {
    /// Empty exports.
    pub fn new() -> Self {
        let dirt = |repeated, malformed| Dirt { repeated, malformed };
        let opportunities: &'static [&'static str] = &[
            "opportunity_id",
            "created_at",
            "account_id",
            "customer_id",
            "contact_id",
            "owner_id",
            "type",
            "lead_source",
            "competitor",
            "product_id",
            "quantity",
            "amount",
            "expected_close",
            "recorded_at",
        ];
        let history: &'static [&'static str] =
            &["opportunity_id", "changed_at", "change", "stage", "amount", "expected_close", "recorded_at"];
        let activities: &'static [&'static str] = &[
            "activity_id",
            "opportunity_id",
            "account_id",
            "at",
            "kind",
            "direction",
            "with_role",
            "minutes",
            "recorded_at",
        ];
        let quotes: &'static [&'static str] = &[
            "quote_id",
            "opportunity_id",
            "quoted_at",
            "amount",
            "discount_percent",
            "valid_until",
            "recorded_at",
        ];
        let outcomes: &'static [&'static str] = &[
            "opportunity_id",
            "account_id",
            "owner_id",
            "closed_at",
            "outcome",
            "amount",
            "loss_reason",
            "recorded_at",
        ];
        Self {
            opportunities: Table::new("opportunities", opportunities, dirt(0.01, 3)),
            history: Table::new("opportunity_history", history, dirt(0.004, 3)),
            activities: Table::new("activities", activities, dirt(0.006, 5)),
            quotes: Table::new("quotes", quotes, dirt(0.004, 2)),
            outcomes: Table::new("deal_outcomes", outcomes, dirt(0.003, 2)),
        }
    }

    /// All of them.
    pub fn into_tables(self) -> [Table; 5] {
        [self.opportunities, self.history, self.activities, self.quotes, self.outcomes]
    }

    /// Adds a deal to all of them.
    pub fn add(&mut self, deal: &Deal, account: &Account, shelf: &Shelf<'_>, period: Period) {
        let draw = Draw::new(period.seed, "deal export", mix(0, &deal.id, 0));
        let mut writer = DealWriter { deal, account, draw, now: period.now };
        writer.opportunity(shelf, &mut self.opportunities);
        writer.quotes(&mut self.quotes);
        writer.activities(&mut self.activities);
        let amount = writer.history(&mut self.history);
        writer.outcome(amount, shelf, &mut self.outcomes);
    }

    /// Adds calls that belong to no deal.
    pub fn add_idle_calls(&mut self, account: &Account, period: Period) {
        let mut draw = Draw::new(period.seed, "idle calls", account.key);
        let calls = draw.moments(0.5 / 365.0, account.created, period.now);
        for (number, at) in calls.into_iter().enumerate() {
            let id = format!("{}-{}", account.id.replace("ACC", "ACT"), number + 1);
            let row = [
                Cell::Text(&id),
                Cell::Nothing,
                Cell::Text(&account.id),
                Cell::When(at),
                Cell::Text("call"),
                Cell::Text("outbound"),
                Cell::Nothing,
                Cell::Int(draw.whole(1, 20)),
                Cell::When(draw.recorded(at, 0.05, period.now)),
            ];
            self.activities.push(at, &row);
        }
    }
}

struct DealWriter<'a> {
    deal: &'a Deal,
    account: &'a Account,
    draw: Draw,
    now: Moment,
}

impl DealWriter<'_> {
    fn recorded(&mut self, at: Moment, late: f64) -> Cell<'static> {
        Cell::When(self.draw.recorded(at, late, self.now))
    }

    fn opportunity(&mut self, shelf: &Shelf<'_>, table: &mut Table) {
        let opening = &self.deal.opening;
        let competitor = COMPETITORS[opening.crm.competitor].0;
        let source = (!self.draw.chance(0.03)).then_some(LEAD_SOURCES[opening.crm.lead_source].0);
        let row = [
            Cell::Text(&self.deal.id),
            Cell::When(opening.at),
            Cell::Text(&self.account.id),
            Cell::from(self.account.customer.as_ref().map(|customer| customer.id.as_str())),
            Cell::Text(&self.account.contacts[opening.contact].id),
            Cell::Text(&shelf.team[opening.owner].id),
            Cell::Text(KINDS[opening.crm.kind].0),
            Cell::from(source),
            Cell::Text(competitor),
            Cell::Text(&shelf.catalogue.products[opening.product].code),
            Cell::Int(opening.units),
            Cell::Money(opening.crm.amount),
            Cell::When(opening.expected_close),
            self.recorded(opening.at, 0.02),
        ];
        table.push(opening.at, &row);
    }

    /// Writes the changes, and gives the last amount back.
    fn history(&mut self, table: &mut Table) -> f64 {
        let opening = &self.deal.opening;
        let mut state = (0, opening.crm.amount, opening.expected_close);
        let opened = std::iter::once((opening.at, None));
        let changed = self.deal.events.iter().map(|(at, event)| (*at, Some(*event)));
        for (at, event) in opened.chain(changed) {
            let change = match event {
                None => "opened",
                Some(Event::Advance) => {
                    state.0 = (state.0 + 1).min(ADVANCES);
                    state.1 = (state.1 * self.draw.log_normal(1.0, 0.08) / 10.0).round().max(1.0) * 10.0;
                    "stage"
                }
                Some(Event::PutOff) => {
                    state.2 = state.2.plus_days(self.draw.whole(7, 30) as f64);
                    "put off"
                }
                Some(_) => continue,
            };
            let row = [
                Cell::Text(&self.deal.id),
                Cell::When(at),
                Cell::Text(change),
                Cell::Text(STAGES[state.0]),
                Cell::Money(state.1),
                Cell::When(state.2),
                self.recorded(at, 0.03),
            ];
            table.push(at, &row);
        }
        state.1
    }

    fn activities(&mut self, table: &mut Table) {
        let events = self.deal.events.iter().enumerate();
        for (number, (at, event)) in events {
            let (kind, direction, role) = match event {
                Event::Reply => (*self.draw.pick(&["email", "call"]), "inbound", None),
                Event::Touch => (*self.draw.pick(&["email", "call"]), "outbound", None),
                Event::Meeting => ("meeting", "both", Some(ROLES[crate::company::contact::DECISION_MAKER])),
                _ => continue,
            };
            let id = format!("{}-{}", self.deal.id.replace("OPP", "ACT"), number + 1);
            let minutes = if kind == "email" || self.draw.chance(0.1) {
                Cell::Nothing
            } else {
                Cell::Int(3 + self.draw.exponential(if kind == "meeting" { 45.0 } else { 9.0 }) as i64)
            };
            let row = [
                Cell::Text(&id),
                Cell::Text(&self.deal.id),
                Cell::Text(&self.account.id),
                Cell::When(*at),
                Cell::Text(kind),
                Cell::Text(direction),
                Cell::from(role),
                minutes,
                self.recorded(*at, 0.05),
            ];
            table.push(*at, &row);
        }
    }

    fn quotes(&mut self, table: &mut Table) {
        let events = self.deal.events.iter().enumerate();
        for (number, (at, event)) in events {
            let Event::Quote(discount) = event else { continue };
            let id = format!("{}-{}", self.deal.id.replace("OPP", "QUO"), number + 1);
            let row = [
                Cell::Text(&id),
                Cell::Text(&self.deal.id),
                Cell::When(*at),
                Cell::Money(self.deal.opening.crm.amount * (1.0 - discount.min(90.0) / 100.0)),
                Cell::Money(*discount),
                Cell::When(at.plus_days(30.0)),
                self.recorded(*at, 0.02),
            ];
            table.push(*at, &row);
        }
    }

    fn outcome(&mut self, amount: f64, shelf: &Shelf<'_>, table: &mut Table) {
        let Some(end) = self.deal.end else { return };
        let reason = (!end.won && !self.draw.chance(0.25)).then(|| *self.draw.pick(&REASONS));
        let row = [
            Cell::Text(&self.deal.id),
            Cell::Text(&self.account.id),
            Cell::Text(&shelf.team[self.deal.opening.owner].id),
            Cell::When(end.at),
            Cell::Text(if end.won { "won" } else { "lost" }),
            Cell::Money(amount),
            Cell::from(reason),
            self.recorded(end.at, 0.04),
        ];
        table.push(end.at, &row);
    }
}
