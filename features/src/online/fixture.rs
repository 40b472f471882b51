//! A small shop, for the conformance suite and the tests of this crate.

use std::path::Path;

use crate::definition::Project;
use crate::ids::{ColumnName, EntityKey, EntityName, FeatureName, SourceName};
use crate::online::interface::PushedRow;
use crate::time::Timestamp;
use crate::value::{Missing, Value};

/// Customers, products, and events between the two.
pub const SHOP: &str = r#"
[project]
name = "shop"

[entity.customer]
key = "customer"
refers_to.favourite = { entity = "product", key = "profile.product" }

[entity.product]
key = "product"

[source.event]
event_time = "at"
available_time = "known"
columns = { at = "time", known = "time", customer = "text", product = "text", amount = "float", quantity = "int", gift = "bool", due = "time" }

[source.note]
event_time = "at"
columns = { at = "time", customer = "text", words = "text" }

[view.profile]
entity = "customer"
kind = "latest"
source = "event"
where = "quantity <> 3"
ttl = "8d"
features = ["product", "amount", "quantity", "gift", "due"]

[view.remark]
entity = "customer"
kind = "latest"
source = "note"
features = ["words"]

[view.activity]
entity = "customer"
kind = "window"
source = "event"
windows = ["2d", "6d", "all"]
[view.activity.features]
lines = "count()"
total = "sum(amount)"
items = "sum(quantity)"
mean = "mean(amount)"
mean_items = "mean(quantity)"
spread = "stddev(amount)"
least = "min(quantity)"
most = "max(amount)"
first_due = "min(due)"
products = "distinct(product)"
amounts = "distinct(amount)"
gifts = { aggregate = "count()", where = "gift" }
gift_total = { aggregate = "sum(amount)", where = "gift" }
recent = { aggregate = "last(product, 2)", windows = ["6d", "all"] }
quiet = { aggregate = "days_since_last()", windows = ["6d", "all"] }
known_for = "days_since_first()"

[view.sales]
entity = "product"
kind = "window"
source = "event"
where = "amount > 0"
windows = ["6d"]
features = { lines = "count()", total = "sum(amount)" }

[view.ratio]
entity = "customer"
kind = "derived"
request = { discount = "float" }
[view.ratio.features]
recent_share = "activity.total_2d / activity.total_6d"
favourite_lines = "favourite.sales.lines_6d"
net = "profile.amount * (1 - coalesce(request.discount, 0))"
"#;

/// The shop's project.
///
/// # Panics
/// When [`SHOP`] is not a valid project.
#[must_use]
#[expect(clippy::panic, reason = "a fixture; there is nothing to test without it")]
pub fn shop() -> Project {
    match Project::parse(SHOP, Path::new(".")) {
        Ok(project) => project,
        Err(mistakes) => panic!("{mistakes:?}"),
    }
}

/// A name that is known to be valid.
///
/// # Panics
/// When it is not.
#[must_use]
pub fn source(name: &str) -> SourceName {
    valid(SourceName::new(name))
}

/// See [`source`].
///
/// # Panics
/// When it is not valid.
#[must_use]
pub fn column(name: &str) -> ColumnName {
    valid(ColumnName::new(name))
}

/// See [`source`].
///
/// # Panics
/// When it is not valid.
#[must_use]
pub fn entity(name: &str) -> EntityName {
    valid(EntityName::new(name))
}

/// See [`source`].
///
/// # Panics
/// When it is not valid.
#[must_use]
pub fn key(text: &str) -> EntityKey {
    valid(EntityKey::new(text))
}

/// See [`source`].
///
/// # Panics
/// When it is not valid.
#[must_use]
pub fn feature(name: &str) -> FeatureName {
    valid(name.parse())
}

#[expect(clippy::panic, reason = "a fixture with names that are written in the tests")]
fn valid<T, E: std::fmt::Display>(outcome: Result<T, E>) -> T {
    outcome.unwrap_or_else(|error| panic!("{error}"))
}

/// One event of the shop; times in hours.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When it happened.
    pub at: i64,
    /// When it was known.
    pub known: i64,
    /// Who bought.
    pub customer: Option<&'static str>,
    /// What.
    pub product: Option<&'static str>,
    /// For how much.
    pub amount: Option<f64>,
    /// How many.
    pub quantity: Option<i64>,
    /// Whether as a gift.
    pub gift: Option<bool>,
}

/// A moment so many hours after 1970.
#[must_use]
pub const fn hour(hours: i64) -> Timestamp {
    Timestamp(hours * 3_600_000_000)
}

fn or_null<T>(value: Option<T>, wrap: impl Fn(T) -> Value) -> Value {
    value.map_or(Value::Missing(Missing::NullAtSource), wrap)
}

impl Event {
    /// A purchase known at once.
    #[must_use]
    pub const fn bought(at: i64, customer: &'static str, product: &'static str, amount: f64) -> Self {
        Self {
            at,
            known: at,
            customer: Some(customer),
            product: Some(product),
            amount: Some(amount),
            quantity: Some(1),
            gift: None,
        }
    }

    /// The row as it is pushed; it is due two days after it happened.
    #[must_use]
    pub fn row(&self) -> PushedRow {
        let text = |text: Option<&str>| or_null(text, |text| Value::Text(text.into()));
        PushedRow {
            event_time: hour(self.at),
            available: hour(self.known),
            arrival: 0,
            values: vec![
                Value::Time(hour(self.at)),
                Value::Time(hour(self.known)),
                text(self.customer),
                text(self.product),
                or_null(self.amount, Value::Float),
                or_null(self.quantity, Value::Int),
                or_null(self.gift, Value::Bool),
                Value::Time(hour(self.at + 48)),
            ],
            id: None,
        }
    }
}
