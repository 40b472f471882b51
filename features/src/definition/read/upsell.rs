//! `pipeline = "upsell"`, its rules, its second look and how its answers are arranged.

use std::cell::RefCell;

use indexmap::{IndexMap, IndexSet};

use crate::definition::raw::{Entry, Finding, Section};
use crate::definition::read::arrangement::arrangement;
use crate::definition::read::condition::{column, key_column, over_columns};
use crate::definition::read::derived::blame;
use crate::definition::read::model::Known;
use crate::definition::read::request::fields;
use crate::definition::read::rerank::rerank;
use crate::definition::read::source::named;
use crate::definition::read::view::entity;
use crate::definition::scope::{Request, RuleScope, text_columns};
use crate::definition::{Arrangement, RuleSpec, Source, UpsellSpec};
use crate::expression::Expression;
use crate::ids::{ColumnName, EntityName, LocalName};
use crate::time::{DAY, Span};
use crate::value::ValueType;

/// Days after an answer within which what is bought counts, unless the project says otherwise.
const HORIZON_DAYS: i64 = 30;

pub(super) const KEYS: [&str; 16] = [
    "source",
    "where",
    "user_entity",
    "item_entity",
    "user",
    "item",
    "weight",
    "half_life",
    "horizon",
    "basket",
    "not_bought_within",
    "rules",
    "request",
    "rerank",
    "diversity",
    "margin",
];

pub(super) fn upsell(section: &Section<'_>, known: &Known<'_>) -> Option<UpsellSpec> {
    let source = section.need("source", "the source of interactions").and_then(|e| named(&e, known.sources));
    let of = |key: &str| section.get(key).map(|e| entity(&e, known.catalogue));
    let (user_entity, item_entity) = (of("user_entity"), of("item_entity"));
    // An entity that is named but wrong has been blamed; rules over it are not blamed again.
    let (rules, rerank, arrangement) = match (&user_entity, &item_entity) {
        (Some(None), _) | (_, Some(None)) => (IndexMap::new(), None, Arrangement::default()),
        _ => {
            let (customer, product) = (user_entity.clone().flatten(), item_entity.clone().flatten());
            let request: Request =
                fields(section).into_iter().map(|(name, (kind, _))| (name, kind)).collect();
            let scope = || scope(known, (customer.as_ref(), product.as_ref()), &request);
            let rerank = rerank(section, known, (customer.as_ref(), product.as_ref()));
            (rules(section, &scope), rerank, arrangement(section, &scope))
        }
    };
    let (source, user_entity, item_entity) = (source?, user_entity.flatten(), item_entity.flatten());
    let user = key(section, "user", user_entity.as_ref(), source, known);
    let item = key(section, "item", item_entity.as_ref(), source, known);
    let over = |key: &str, kind| section.get(key).and_then(|e| over_columns(&e, &source.columns, Some(kind)));
    let span = |key: &str| section.get(key).and_then(|e| e.parsed());
    Some(UpsellSpec {
        source: source.name.clone(),
        filter: over("where", ValueType::Bool),
        weight: over("weight", ValueType::Float),
        basket: section.get("basket").and_then(|e| column(&e, source)).map(|c| c.name.clone()),
        half_life: span("half_life"),
        horizon: horizon(section),
        not_bought_within: span("not_bought_within"),
        user: user?,
        item: item?,
        user_entity,
        item_entity,
        rules,
        rerank,
        arrangement,
    })
}

/// Time after an answer within which what is bought counts as its outcome.
pub(super) fn horizon(section: &Section<'_>) -> Span {
    section.get("horizon").and_then(|entry| entry.parsed()).unwrap_or(Span(HORIZON_DAYS * DAY))
}

/// The text column that `key` names; by default the key of the entity.
fn key(
    section: &Section<'_>,
    key: &str,
    entity: Option<&EntityName>,
    source: &Source,
    known: &Known<'_>,
) -> Option<ColumnName> {
    if let Some(entry) = section.get(key) {
        return key_column(&entry, source, entry.words()?, entry.at());
    }
    let Some(entity) = entity.and_then(|name| known.catalogue.entities.get(name)) else {
        let finding = Finding::at(section.at(), format!("`{key}` is missing"));
        let columns = text_columns(source);
        let columns = crate::nearest::listed(columns.iter().map(String::as_str));
        section.findings().report(finding.expected(format!("a text column of `{}`: {columns}", source.name)));
        return None;
    };
    let entry = section.get("source")?;
    key_column(&entry, source, entity.key.as_str(), entry.at())
}

/// What names mean for one expression.
fn scope<'k>(
    known: &Known<'k>,
    (customer, product): (Option<&'k EntityName>, Option<&'k EntityName>),
    request: &'k Request,
) -> RuleScope<'k> {
    RuleScope {
        catalogue: known.catalogue,
        customer,
        product,
        request,
        inputs: RefCell::new(IndexSet::new()),
        trouble: RefCell::new(None),
    }
}

fn rules<'c>(section: &Section<'_>, scope: &dyn Fn() -> RuleScope<'c>) -> IndexMap<String, RuleSpec> {
    let entries = section.section("rules").map(|s| s.entries()).unwrap_or_default();
    let read = entries.iter().filter_map(|entry| rule(entry, scope()));
    read.map(|(name, rule)| (name.to_string(), rule)).collect()
}

fn rule(entry: &Entry<'_>, scope: RuleScope<'_>) -> Option<(LocalName, RuleSpec)> {
    let name: LocalName = entry.name()?;
    let (text, words) = if entry.is_text() {
        (*entry, None)
    } else {
        let section = entry.section("a condition or { expr, words }")?;
        section.only(&format!("rule {name}"), &["expr", "words"]);
        let words = section.get("words").and_then(|e| e.words()).map(str::to_owned);
        (section.need("expr", "a condition, such as \"product.stock.quantity > 0\"")?, words)
    };
    let compiled = Expression::compile_as(text.words()?, &scope, ValueType::Bool);
    let RuleScope { inputs, trouble, .. } = scope;
    let expression = compiled.inspect_err(|error| blame(&text, error, trouble.into_inner())).ok()?;
    Some((name, RuleSpec { expression, inputs: inputs.into_inner().into_iter().collect(), words }))
}
