//! How a deal opens.

use super::law::{
    COMPETITORS, CrmFacts, INTERCEPT, KINDS, LEAD_SOURCES, SharedFacts, crm_log_odds, shared_log_odds,
};
use super::pipeline::Shelf;
use crate::company::account::{Account, Customer};
use crate::company::contact::DECISION_MAKER;
use crate::company::rep::{self, Rep};
use crate::company::visit;
use crate::draw::Draw;
use crate::moment::Moment;

/// A deal as it was when it opened.
#[derive(Debug, Clone)]
pub struct Opening {
    /// When.
    pub at: Moment,
    /// Position of its rep in the team.
    pub owner: usize,
    /// What the CRM knew.
    pub crm: CrmFacts,
    /// Position of the product asked for in the catalogue.
    pub product: usize,
    /// Units asked for.
    pub units: i64,
    /// When the rep expected it to end.
    pub expected_close: Moment,
    /// Position of the contact.
    pub contact: usize,
    /// Log-odds of winning, in the parts that the CRM and that others know. The intercept is in the CRM's.
    pub prior: (f64, f64),
}

impl Opening {
    /// Draws a deal that opens at `at`, after `past` deals won and lost.
    pub fn draw(draw: &mut Draw, account: &Account, shelf: &Shelf<'_>, at: Moment, past: (u32, u32)) -> Self {
        let owner =
            if draw.chance(0.9) { account.owner } else { rep::of_region(shelf.team, account.region, draw) };
        let product = shelf.talked_about(draw, at);
        let amount = amount(draw, account.customer.as_ref(), at);
        let price = shelf.catalogue.products[product].price.max(0.1);
        let known = account.contacts.partition_point(|contact| contact.known <= at).max(1);
        let crm = CrmFacts {
            lead_source: draw.weighted(&LEAD_SOURCES.map(|(_, _, common)| common)),
            kind: draw.weighted(&KINDS.map(|(_, _, common)| common)),
            competitor: draw.weighted(&COMPETITORS.map(|(_, _, common)| common)),
            decision_maker: account.contacts[..known].iter().any(|contact| contact.role == DECISION_MAKER),
            rep_skill: skill(shelf.team, owner),
            past,
            amount,
        };
        let shared = account.customer.as_ref().map_or(0.0, |customer| {
            let in_stock = shelf.stock[product].units(at).is_none_or(|units| units > 0);
            shared_log_odds(&shared_facts(customer, at, amount, in_stock))
        });
        Self {
            at,
            owner,
            product,
            units: (amount / price).ceil() as i64,
            expected_close: at.plus_days(draw.normal(38.0, 10.0).clamp(10.0, 90.0)).start_of_day(),
            contact: draw.whole(0, known as i64 - 1) as usize,
            prior: (INTERCEPT + crm_log_odds(&crm), shared),
            crm,
        }
    }
}

fn skill(team: &[Rep], owner: usize) -> f64 {
    team[owner].skill
}

/// Pounds asked for: around one and a half usual orders, and around 600 from who never ordered.
fn amount(draw: &mut Draw, customer: Option<&Customer>, at: Moment) -> f64 {
    let usual = customer.map_or(400.0, |customer| {
        let orders = customer.history.orders_within(at, 730.0).count().max(1);
        customer.history.revenue_within(at, 730.0) / orders as f64
    });
    let amount = draw.log_normal(1.5 * usual.clamp(80.0, 20_000.0), 0.6);
    (amount / 10.0).ceil() * 10.0
}

fn shared_facts(customer: &Customer, at: Moment, amount: f64, in_stock: bool) -> SharedFacts {
    let history = &customer.history;
    let tickets = customer.tickets.iter().filter(|ticket| ticket.opened <= at);
    let severe = |days: f64| {
        tickets.clone().filter(|t| t.is_severe() && t.opened > at.plus_days(-days)).count() as f64
    };
    SharedFacts {
        days_since_order: history.days_since_order(at).unwrap_or(365.0),
        orders_365: history.orders_within(at, 365.0).count() as f64,
        revenue: (history.revenue_within(at, 90.0), history.revenue_within(at, 365.0)),
        returned_share: history.returned_share(at, 365.0),
        amount,
        open_tickets: tickets.clone().filter(|ticket| ticket.resolved > at).count() as f64,
        severe_tickets: severe(90.0),
        credit: customer.credit.status(at),
        in_stock,
        visits: visit::count_within(&customer.visits, at, 30.0) as f64,
    }
}
