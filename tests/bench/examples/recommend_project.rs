//! Writes a shop to ask for recommendations under load: 40,000 products, 128 factors, six rules, 1,000 customers with forty
//! orders each.
//!
//! `cargo run -p scorehouse-bench --example recommend_project -- FOLDER`, then `tests/bench/recommend.py`.

#[path = "project/mod.rs"]
mod project;

use std::path::PathBuf;

use project::number;
use scorehouse_features::definition::Project;
use scorehouse_features::time::{DAY, Span, Timestamp};
use scorehouse_features::value::Value;
use scorehouse_models::predictor::Recommender;
use scorehouse_models::predictor::recommender::{
    Component, Factors, Fold, Histories, Learnt, Names, Parts, Reads, Repeat, Strength, WeightScale,
};
use scorehouse_models::{Artifact, Calibration, Encoder, Output, Predictor, Signature};

const ITEMS: usize = 40_000;
const WIDTH: usize = 128;
const CUSTOMERS: usize = 1_000;
const ORDERS: usize = 40;
const LISTS: [&str; 2] = ["retail", "trade"];
const SEGMENTS: [&str; 4] = ["craft", "gift", "home", "office"];

const TEXT: &str = r#"
[project]
name = "shop"
[entity.customer]
key = "customer_id"
[entity.product]
key = "product_id"
[source.orders]
event_time = "at"
columns = { customer_id = "text", product_id = "text", quantity = "int", at = "time" }
[source.catalogue]
event_time = "at"
columns = { product_id = "text", stock = "int", price = "float", list = "text", segments = "text", least = "int", most = "int", at = "time" }
[source.master]
event_time = "at"
columns = { customer_id = "text", list = "text", segment = "text", credit = "float", consent = "bool", at = "time" }
[view.catalogue]
entity = "product"
kind = "latest"
source = "catalogue"
features = ["stock", "price", "list", "segments", "least", "most"]
[view.master]
entity = "customer"
kind = "latest"
source = "master"
features = ["list", "segment", "credit", "consent"]
[model.shop]
pipeline = "upsell"
source = "orders"
where = "quantity > 0"
user_entity = "customer"
item_entity = "product"
not_bought_within = "30d"
request = { quantity = "int" }
[model.shop.rules]
in_stock = "product.catalogue.stock > 0"
on_price_list = "product.catalogue.list = customer.master.list"
entitled = "contains(product.catalogue.segments, customer.master.segment)"
quantity = "coalesce(request.quantity, 1) >= product.catalogue.least AND coalesce(request.quantity, 1) <= product.catalogue.most"
within_credit = "product.catalogue.price <= customer.master.credit"
consents = "customer.master.consent"
"#;

fn main() -> anyhow::Result<()> {
    let folder: PathBuf = std::env::args().nth(1).ok_or_else(|| anyhow::anyhow!("which folder?"))?.into();
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("scorehouse.toml"), TEXT)?;
    let project = Project::load(&folder).map_err(|found| {
        anyhow::anyhow!("{}", found.first().map_or_else(String::new, ToString::to_string))
    })?;
    fill(&project)?;
    project::register(&project, "shop", &artifact()?)?;
    let each = (0..CUSTOMERS).map(|n| format!("{{\"customer\":\"C-{}\",\"n\":20}}\n", n * 7 % CUSTOMERS));
    std::fs::write(folder.join("recommend_each.jsonl"), each.collect::<String>())?;
    Ok(())
}

fn text(text: impl AsRef<str>) -> Value {
    Value::Text(text.as_ref().into())
}

/// One of the choices, which only the seed decides.
fn choice<'a>(choices: &[&'a str], seed: usize) -> &'a str {
    choices[(number(seed) * choices.len() as f64) as usize]
}

fn fill(project: &Project) -> anyhow::Result<()> {
    let (store, at) = (project::store(project)?, Timestamp::parse("2024-01-01")?);
    let product = |n: usize| {
        let sold_to: Vec<&str> = SEGMENTS
            .into_iter()
            .enumerate()
            .filter(|(s, _)| number(n * 8 + s) < 0.6)
            .map(|(_, name)| name)
            .collect();
        vec![
            text(format!("P-{n}")),
            Value::Int((number(n + 1) * 50.0) as i64 - 5),
            Value::Float(number(n + 2) * 500.0),
            text(choice(&LISTS, n + 3)),
            text(sold_to.join(" ")),
            Value::Int(1 + i64::from(number(n + 4) < 0.1)),
            Value::Int(100),
            Value::Time(at),
        ]
    };
    project::push(&store, "catalogue", at, (0..ITEMS).map(product))?;
    let customer = |n: usize| {
        vec![
            text(format!("C-{n}")),
            text(choice(&LISTS, n + 5)),
            text(choice(&SEGMENTS, n + 6)),
            Value::Float(400.0),
            Value::Bool(true),
            Value::Time(at),
        ]
    };
    project::push(&store, "master", at, (0..CUSTOMERS).map(customer))?;
    let order = |n: usize| {
        let item = (number(n * 3 + 7) * ITEMS as f64) as usize;
        vec![text(format!("C-{}", n % CUSTOMERS)), text(format!("P-{item}")), Value::Int(2), Value::Time(at)]
    };
    project::push(&store, "orders", at, (0..CUSTOMERS * ORDERS).map(order))
}

fn artifact() -> anyhow::Result<Artifact> {
    let vectors: Vec<f32> = (0..ITEMS * WIDTH).map(|n| number(n * 5 + 1) as f32 / 5.0 - 0.1).collect();
    let ridge = Fold::Ridge { unobserved: 0.01, regularisation: 0.003, exponent: 1.0 };
    let learnt = Learnt::Factors(Factors::new(ITEMS, WIDTH, ridge, &[], &vectors)?);
    let names: Vec<String> = (0..ITEMS).map(|n| format!("P-{n}")).collect();
    let recommender = Recommender::new(Parts {
        items: Names::new(names.iter().map(String::as_str))?,
        users: Names::new([])?,
        histories: Histories::new([])?,
        strength: Strength { half_life: Some(Span(30 * DAY)), scale: WeightScale::Presence },
        repeat: Repeat::Never,
        components: vec![Component { name: "factors".into(), weight: 1.0, reads: Reads::Profile, learnt }],
        reranker: None,
        popularity: (0..ITEMS).map(|n| number(n + 9) as f32).collect(),
        popularity_weight: 0.1,
        lift: vec![1.0; ITEMS],
        until: Timestamp::parse("2024-01-02")?,
    })?;
    let signature = Signature { entity: None, feature_set: None, inputs: Vec::new(), output: Output::Items };
    let encoder = Encoder::new(Vec::new(), &signature)?;
    Ok(Artifact::new(
        signature,
        encoder,
        Predictor::Recommender(Box::new(recommender)),
        Calibration::Identity,
    )?)
}
