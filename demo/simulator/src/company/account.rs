//! Accounts: every customer with a number in the orders, and prospects who have not bought yet.

use super::contact::{self, Contact};
use super::credit::CreditHistory;
use super::names::firm;
use super::place::{Region, SEGMENTS};
use super::rep::{self, Rep};
use super::ticket::{self, Ticket};
use super::{catalogue, visit};
use crate::draw::Draw;
use crate::moment::Moment;
use crate::orders::PurchaseHistory;
use crate::table::{Cell, Dirt, Table};

/// Countries of prospects, with weights.
const PROSPECTS: [(&str, f64); 6] = [
    ("United Kingdom", 80.0),
    ("Germany", 5.0),
    ("France", 5.0),
    ("EIRE", 4.0),
    ("Netherlands", 3.0),
    ("USA", 3.0),
];
/// Prospects for every customer.
pub const PROSPECT_SHARE: f64 = 0.08;

/// The seed, and the first and last moment that can be told of.
#[derive(Debug, Clone, Copy)]
pub struct Period {
    /// Decides every draw.
    pub seed: u64,
    /// The first order's time.
    pub start: Moment,
    /// The simulated present.
    pub now: Moment,
}

/// What the ERP, the service desk and the shop know of a customer.
#[derive(Debug)]
pub struct Customer {
    /// The number, as text.
    pub id: String,
    /// What was bought.
    pub history: PurchaseHistory,
    /// Credit statuses.
    pub credit: CreditHistory,
    /// Tickets.
    pub tickets: Vec<Ticket>,
    /// Visits to the shop that have nothing to do with a deal.
    pub visits: Vec<Moment>,
}

/// An account of the CRM.
#[derive(Debug)]
pub struct Account {
    /// Id in the CRM.
    pub id: String,
    /// What draws for this account start from: the customer's number, or a number of the prospect's own.
    pub key: u64,
    /// Position in [`SEGMENTS`].
    pub segment: usize,
    /// Country as the orders write it.
    pub country: String,
    /// Region.
    pub region: Region,
    /// Position of its rep in the team.
    pub owner: usize,
    /// When the CRM first knew it.
    pub created: Moment,
    /// People.
    pub contacts: Vec<Contact>,
    /// The customer, if it is one.
    pub customer: Option<Customer>,
    name: String,
    employees: i64,
}

impl Account {
    /// The account `number` of a customer.
    pub fn of(number: u64, history: PurchaseHistory, country: &str, team: &[Rep], period: Period) -> Self {
        let key = u64::from(history.customer);
        let segment = catalogue::segment(period.seed, &history);
        let first = history.first_order().map_or(period.start, |invoice| invoice.at);
        let topic = |topic| Draw::new(period.seed, topic, key);
        let customer = Customer {
            id: history.customer.to_string(),
            credit: CreditHistory::simulate(&mut topic("credit"), first, period.now),
            tickets: ticket::simulate(&mut topic("tickets"), &history, period.now),
            visits: visit::simulate(&mut topic("visits"), &history, period.now),
            history,
        };
        let account = Self::new(number, key, segment, country, first, team, period);
        Self { customer: Some(customer), ..account }
    }

    /// The account `number` of a prospect, the `place`-th of copy `copy`.
    pub fn prospect(number: u64, place: u64, copy: u32, team: &[Rep], period: Period) -> Self {
        let key = 1_000_000_000 * (1 + u64::from(copy)) + place;
        let mut draw = Draw::new(period.seed, "prospect", key);
        let country = PROSPECTS[draw.weighted(&PROSPECTS.map(|(_, weight)| weight))].0;
        let segment = draw.weighted(&super::place::segment_weights(20));
        let days = period.now.days_since(period.start) - 30.0;
        let met = period.start.plus_days(draw.unit() * days).in_office_hours();
        Self::new(number, key, segment, country, met, team, period)
    }

    fn new(
        number: u64,
        key: u64,
        segment: usize,
        country: &str,
        first: Moment,
        team: &[Rep],
        period: Period,
    ) -> Self {
        let mut draw = Draw::new(period.seed, "account", key);
        let id = format!("ACC-{number:06}");
        let region = Region::of(country);
        let created = first.plus_days(-draw.exponential(12.0)).in_office_hours().min(first);
        let contacts =
            contact::simulate(&mut Draw::new(period.seed, "contacts", key), &id, created, period.now);
        Self {
            key,
            segment,
            country: country.to_owned(),
            region,
            owner: rep::of_region(team, region, &mut draw),
            created,
            contacts,
            customer: None,
            name: firm(&mut draw, segment),
            employees: draw.log_normal([4.0, 6.0, 80.0, 25.0, 15.0][segment], 0.7).ceil() as i64,
            id,
        }
    }

    /// Adds the account to the CRM's export. One customer in a hundred lacks the link to its number.
    pub fn export(&self, team: &[Rep], period: Period, table: &mut Table) {
        let mut draw = Draw::new(period.seed, "account export", self.key);
        let linked = self.customer.as_ref().map(|c| c.id.as_str()).filter(|_| !draw.chance(0.01));
        let site = format!("{}.example.com", self.id.to_lowercase());
        let row = [
            Cell::Text(&self.id),
            Cell::When(self.created),
            Cell::from(linked),
            Cell::Text(&self.name),
            if draw.chance(0.05) { Cell::Nothing } else { Cell::Text(SEGMENTS[self.segment]) },
            Cell::Text(&self.country),
            Cell::Text(self.region.name()),
            if draw.chance(0.15) { Cell::Nothing } else { Cell::Int(self.employees) },
            if draw.chance(0.2) { Cell::Nothing } else { Cell::Text(&site) },
            Cell::Text(&team[self.owner].id),
            Cell::When(draw.recorded(self.created, 0.02, period.now)),
        ];
        table.push(self.created, &row);
    }

    /// Adds the customer's master record to the ERP's export.
    pub fn export_customer(&self, period: Period, table: &mut Table) {
        let Some(customer) = &self.customer else { return };
        let mut draw = Draw::new(period.seed, "erp customer", self.key);
        let at = customer.history.first_order().map_or(period.start, |invoice| invoice.at);
        let list = match (self.region, self.segment) {
            (Region::Uk, 2 | 3) => "UK trade",
            (Region::Uk, _) => "UK retail",
            (Region::Europe, _) => "Europe",
            (Region::World, _) => "Export",
        };
        let row = [
            Cell::Text(&customer.id),
            Cell::When(at),
            Cell::Text(&self.country),
            Cell::Text(self.region.name()),
            Cell::Text(SEGMENTS[self.segment]),
            Cell::Text(list),
            if draw.chance(0.03) { Cell::Nothing } else { Cell::Int(*draw.pick(&[14, 30, 30, 30, 60])) },
        ];
        table.push(at, &row);
    }
}

/// An empty export of accounts.
pub fn table() -> Table {
    let header = &[
        "account_id",
        "created_at",
        "customer_id",
        "name",
        "segment",
        "country",
        "region",
        "employees",
        "website",
        "owner_id",
        "recorded_at",
    ];
    Table::new("accounts", header, Dirt { repeated: 0.01, malformed: 2 })
}

/// An empty export of the ERP's customers.
pub fn customer_table() -> Table {
    let header = &["customer_id", "created_at", "country", "region", "segment", "price_list", "payment_days"];
    Table::new("erp_customers", header, Dirt { repeated: 0.002, malformed: 1 })
}
