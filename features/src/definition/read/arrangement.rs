//! `diversity` and `margin` of a model that recommends.

use crate::definition::raw::{Entry, Finding, Section};
use crate::definition::read::derived::blame;
use crate::definition::read::learning::number;
use crate::definition::scope::RuleScope;
use crate::definition::{Arrangement, DiversitySpec, MarginSpec, OverProduct};
use crate::expression::Expression;
use crate::value::ValueType;

const DIVERSITY: &str = "a table: { by = \"product.view.category\", weight = 0.2 }";
const MARGIN: &str = "a table: { value = \"product.view.price - product.view.cost\", weight = 0.3 }";
const WEIGHT: &str = "a weight from 0 to 1";

/// Both keys of a model; `scope` gives what names mean, anew for every expression.
pub(super) fn arrangement<'c>(section: &Section<'_>, scope: &dyn Fn() -> RuleScope<'c>) -> Arrangement {
    let read = |key: &str, of: &str, known: &[&str], expected: &str| {
        let table = section.get(key)?.section(expected)?;
        table.only(key, known);
        let entry = table.need(of, expected);
        let weight = table.need("weight", WEIGHT);
        let weight = weight.and_then(|entry| number(&entry, WEIGHT, |w| (0.0..=1.0).contains(&w)));
        Some((entry?, weight?))
    };
    let diversity = read("diversity", "by", &["by", "weight"], DIVERSITY)
        .and_then(|(entry, weight)| Some(DiversitySpec { by: by(&entry, scope)?, weight }));
    let margin = read("margin", "value", &["value", "weight"], MARGIN).and_then(|(entry, weight)| {
        Some(MarginSpec { value: over_product(&entry, scope(), Some(ValueType::Float))?, weight })
    });
    Arrangement { diversity, margin }
}

/// One expression, or a list of them.
fn by<'c>(entry: &Entry<'_>, scope: &dyn Fn() -> RuleScope<'c>) -> Option<Vec<OverProduct>> {
    let entries = if entry.is_text() { vec![*entry] } else { entry.items(DIVERSITY) };
    if entry.is_list() && entries.is_empty() {
        entry.refuse(DIVERSITY);
    }
    let by: Option<Vec<OverProduct>> =
        entries.iter().map(|entry| over_product(entry, scope(), None)).collect();
    by.filter(|by| !by.is_empty())
}

/// An expression that says something of the product.
fn over_product(entry: &Entry<'_>, scope: RuleScope<'_>, kind: Option<ValueType>) -> Option<OverProduct> {
    let text = entry.words()?;
    let compiled = match kind {
        Some(kind) => Expression::compile_as(text, &scope, kind),
        None => Expression::compile(text, &scope),
    };
    let RuleScope { inputs, trouble, .. } = scope;
    let expression = compiled.inspect_err(|error| blame(entry, error, trouble.into_inner())).ok()?;
    let inputs: Vec<_> = inputs.into_inner().into_iter().collect();
    if !inputs.iter().any(|input| input.is_of_product()) {
        let finding = Finding::at(entry.at(), format!("`{text}` is the same for every product"));
        entry
            .findings()
            .report(finding.expected("something of the product, such as `product.view.category`"));
        return None;
    }
    Some(OverProduct { expression, inputs })
}
