//! Projects to begin with: what `scorehouse init` writes.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::definition::{PROJECT_FILE, Project};
use crate::ids::ModelName;

/// A kind of project to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Template {
    /// A small shop: one source, one entity, windows, a churn model, and a few months of made-up orders.
    Shop {
        /// The project's name.
        name: String,
    },
    /// A plain CSV file with a label column.
    Table {
        /// The project's name.
        name: String,
        /// The training file, relative to the project's folder.
        table: String,
        /// The column to predict.
        label: String,
        /// The column that names the row, if there is one.
        id: Option<String>,
    },
}

impl Project {
    /// The files of a project to begin with, by path inside its folder: `scorehouse.toml` first.
    ///
    /// A template passes [`Project::parse`] as it is; a table's project is ten lines.
    #[must_use]
    pub fn template(template: &Template) -> Vec<(PathBuf, String)> {
        match template {
            Template::Shop { name } => vec![
                (PathBuf::from(PROJECT_FILE), SHOP.replace("NAME", &quoted(name))),
                (PathBuf::from("orders.csv"), shop_orders()),
            ],
            Template::Table { name, table, label, id } => {
                let mut text = format!("[project]\nname = {}\n\n", quoted(name));
                let model = ModelName::new(name).map_or_else(|_| "score".to_owned(), |name| name.to_string());
                text.push_str(&format!("[model.{model}]\npipeline = \"table\"\n"));
                let id = id.iter().map(|id| ("id", id));
                for (key, value) in [("table", table), ("label", label)].into_iter().chain(id) {
                    // Writing to a String cannot fail.
                    let _ = writeln!(text, "{key} = {}", quoted(value));
                }
                vec![(PathBuf::from(PROJECT_FILE), text)]
            }
        }
    }
}

/// `text` as a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

const SHOP: &str = r#"# A project to begin with; every key is described in docs/project-file.md.
[project]
name = NAME

[entity.customer]
key = "customer_id"

[source.orders]
path = "orders.csv"
event_time = "ordered"
columns = { customer_id = { type = "text", required = true }, ordered = "time", quantity = "int", unit_price = "float", country = "text" }
compute = { amount = "quantity * unit_price" }

[view.profile]
entity = "customer"
kind = "latest"
source = "orders"
features = ["country"]

[view.purchases]
entity = "customer"
kind = "window"
source = "orders"
windows = ["30d", "90d", "all"]
[view.purchases.features]
count = { aggregate = "count()", words = "bought {value} times in {window}" }
revenue = { aggregate = "sum(amount)", words = "bought for {value} in {window}" }
recency = { aggregate = "days_since_last()", words = "last bought {value} days ago" }

[view.habit]
entity = "customer"
kind = "derived"
[view.habit.features]
basket = { expr = "purchases.revenue / purchases.count", words = "spends {value} at a time" }
slowing = "purchases.count_30d * 3 < purchases.count_90d"

[features.health]
entity = "customer"
features = ["profile.*", "purchases.*", "habit.*"]

[model.churn]
pipeline = "churn"
feature_set = "health"
activity = "orders"
active_within = "90d"
horizon = "60d"
"#;

/// Made-up orders of 120 customers over a year, the same each time: each buys at a pace of its own until a
/// day of its own on which it stops, if it does; before it stops, its orders grow smaller.
fn shop_orders() -> String {
    let mut text = String::from("customer_id,ordered,quantity,unit_price,country\n");
    let mut rows: Vec<(u64, u64, u64, u64)> = Vec::new();
    for customer in 0..120_u64 {
        let pace = 5 + mixed(customer, 1) % 30;
        let stops = if mixed(customer, 2) % 100 < 45 { 60 + mixed(customer, 3) % 300 } else { 400 };
        let mut day = mixed(customer, 4) % 60;
        let mut order = 0;
        while day < 365 {
            let leaving = stops.saturating_sub(day) < 45;
            if day >= stops {
                break;
            }
            let quantity = if leaving { 1 } else { 2 + mixed(customer, 100 + order) % 8 };
            rows.push((day, customer, quantity, mixed(customer, 200 + order) % 5));
            order += 1;
            day += 1 + pace / 2 + mixed(customer, 300 + order) % pace * if leaving { 2 } else { 1 };
        }
    }
    rows.sort_unstable();
    let first = jiff::civil::date(2025, 1, 1);
    for (day, customer, quantity, price) in rows {
        let days = i64::try_from(day).unwrap_or_default();
        let ordered = first.saturating_add(jiff::Span::new().days(days));
        let country = ["DE", "FR", "UK", "ES"][usize::try_from(customer % 4).unwrap_or_default()];
        let price = [2.5, 4.0, 7.95, 12.0, 19.9][usize::try_from(price).unwrap_or_default()];
        // Writing to a String cannot fail.
        let _ = writeln!(text, "C{customer:03},{ordered},{quantity},{price},{country}");
    }
    text
}

/// A number that looks random, the same each time: splitmix64 (Steele, Lea and Flood 2014) of both.
const fn mixed(a: u64, b: u64) -> u64 {
    let mut z = a.wrapping_mul(1_000_003).wrapping_add(b).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::definition::Pipeline;

    fn parsed(template: &Template) -> (Project, Vec<(PathBuf, String)>) {
        let files = Project::template(template);
        let project = Project::parse(&files[0].1, Path::new(".")).unwrap();
        (project, files)
    }

    #[test]
    fn a_tables_project_is_short_and_right() {
        let (project, files) = parsed(&Template::Table {
            name: "it's \"ours\"".to_owned(),
            table: "data/train.csv".to_owned(),
            label: "Churn?".to_owned(),
            id: Some("id".to_owned()),
        });
        assert_eq!(project.name, "it's \"ours\"");
        assert!(files[0].1.lines().count() <= 25, "{}", files[0].1);
        let Pipeline::Table(table) = &project.models["score"].pipeline else { panic!("not a table") };
        assert_eq!((table.label.as_str(), table.id.as_deref()), ("Churn?", Some("id")));
    }

    #[test]
    fn a_shop_is_right_and_has_enough_orders_to_learn_from() {
        let (project, files) = parsed(&Template::Shop { name: "shop".to_owned() });
        assert_eq!(project.feature_sets["health"].features.len(), 10);
        let rows = files[1].1.lines().count();
        assert!((1000..4000).contains(&rows), "{rows} orders");
        assert_eq!(files, Project::template(&Template::Shop { name: "shop".to_owned() }));
    }
}
