//! `docs/project-file.md` shows projects that are right, and names every key there is.

use crate::definition::tests::parse;

const PAGE: &str = include_str!("../../../../docs/project-file.md");

/// What the page's examples refer to without showing it.
const REST: &str = r#"
[project]
name = "page"

[source.opportunity_state]
event_time = "changed"
columns = { opportunity_id = "text", customer_id = "text", partner_id = "text", owner_id = "text", stage = "text", amount = "float", created = "time", changed = "time" }
[source.opportunity_opened]
event_time = "at"
columns = { opportunity_id = "text", at = "time" }
[source.opportunity_closed]
event_time = "at"
columns = { opportunity_id = "text", at = "time", outcome = "text" }
[source.contract_started]
event_time = "at"
columns = { customer_id = "text", at = "time" }
[source.contract_ended]
event_time = "at"
columns = { customer_id = "text", at = "time", reason = "text" }
[source.plan]
event_time = "at"
columns = { customer_id = "text", at = "time", quarter = "text", target = "float", commit = "float" }
[source.stock]
event_time = "at"
columns = { stock_code = "text", at = "time", quantity = "int", country = "text", category = "text", price = "float", cost = "float" }
[source.profile]
event_time = "at"
columns = { customer_id = "text", at = "time", country = "text" }

[view.stock]
entity = "product"
kind = "latest"
source = "stock"
features = ["quantity", "country", "category", "price", "cost"]
[view.plan]
entity = "customer"
kind = "latest"
source = "plan"
features = ["quarter", "target", "commit"]
[view.profile]
entity = "customer"
kind = "latest"
source = "profile"
features = ["country"]

[features.customer_health]
entity = "customer"
features = ["orders.*"]
[features.subscriber_health]
entity = "customer"
features = ["orders.recency"]
"#;

fn examples() -> Vec<&'static str> {
    PAGE.split("```toml\n").skip(1).filter_map(|block| block.split("```").next()).collect()
}

#[test]
fn every_example_of_the_page_is_right() {
    let examples = examples();
    assert!(examples.len() > 7, "{}", examples.len());
    parse(examples[0]);
    let whole: String = std::iter::once(REST).chain(examples[1..].iter().copied()).collect();
    let project = parse(&whole);
    assert_eq!(project.models.len(), 4);
}

#[test]
fn every_function_is_on_the_page() {
    let missing: Vec<&str> = crate::expression::function_names()
        .filter(|name| !PAGE.contains(&format!("`{name}`")) && !PAGE.contains(&format!("`{name}(")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
