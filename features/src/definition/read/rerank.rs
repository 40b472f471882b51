//! `rerank` of a model that recommends: features of customers and products that its second look may read.

use indexmap::IndexSet;

use crate::definition::raw::{Entry, Finding, Section};
use crate::definition::read::feature_set::{expand, set_of};
use crate::definition::read::model::Known;
use crate::definition::scope::Request;
use crate::definition::{FeatureSet, RerankSpec};
use crate::ids::{EntityName, FeatureName, FeatureSetName};

const FORM: &str = "a list such as [\"product.price.*\", \"customer.orders.*_90d\", \"!product.price.list\"]";

/// The sides of a re-ranker: the word that features begin with, the key of its entity, the name of its set.
const SIDES: [(&str, &str, &str); 2] =
    [("customer", "user_entity", "rerank_customer"), ("product", "item_entity", "rerank_product")];

/// The key of a model; none when it is not there or wrong.
pub(super) fn rerank(
    section: &Section<'_>,
    known: &Known<'_>,
    (customer, product): (Option<&EntityName>, Option<&EntityName>),
) -> Option<RerankSpec> {
    let entry = section.get("rerank")?;
    let entries = entry.items(FORM);
    if entry.is_list() && entries.is_empty() {
        entry.refuse(FORM);
    }
    let before = entry.findings().count();
    let mut chosen: [IndexSet<FeatureName>; 2] = Default::default();
    for entry in &entries {
        let (side, pattern) = side_of(entry)?;
        let Some(entity) = [customer, product][side] else {
            let (word, key, _) = SIDES[side];
            let finding = Finding::at(entry.at(), format!("nothing says what a {word} is"));
            entry.findings().report(finding.expected(format!("the model's `{key}`")));
            return None;
        };
        gather(entry, &pattern, entity, known, &mut chosen[side])?;
    }
    let sets: Vec<Option<FeatureSet>> = SIDES
        .iter()
        .zip([customer, product])
        .zip(&chosen)
        .map(|(((_, _, name), entity), chosen)| {
            let of = entity.filter(|_| !chosen.is_empty())?;
            Some(set_of(FeatureSetName::new(*name).ok()?, of, chosen, known.catalogue, known.sources))
        })
        .collect();
    let [customer, product]: [Option<FeatureSet>; 2] = sets.try_into().ok()?;
    if entry.findings().count() > before {
        return None;
    }
    if customer.is_none() && product.is_none() {
        if !entries.is_empty() {
            entry.refuse(FORM);
        }
        return None;
    }
    Some(RerankSpec { customer, product })
}

/// Whose features an entry names, and which of them: `!product.price.list` is `!price.list` of the product.
fn side_of(entry: &Entry<'_>) -> Option<(usize, String)> {
    let written = entry.words()?.trim();
    let (not, bare) = written.strip_prefix('!').map_or(("", written), |bare| ("!", bare));
    let found = SIDES.iter().enumerate().find_map(|(side, (word, _, _))| {
        let rest = bare.strip_prefix(word)?.strip_prefix('.')?;
        (rest.contains('*') || rest.parse::<FeatureName>().is_ok()).then(|| (side, format!("{not}{rest}")))
    });
    if found.is_none() {
        entry.refuse(FORM);
    }
    found
}

/// Adds or takes away what a pattern names. Training knows no request, so nothing that reads one is taken.
fn gather(
    entry: &Entry<'_>,
    pattern: &str,
    entity: &EntityName,
    known: &Known<'_>,
    chosen: &mut IndexSet<FeatureName>,
) -> Option<()> {
    expand(entry, pattern, known.catalogue, (entity, &Request::new()), chosen)?;
    let reads_request = |name: &FeatureName| known.catalogue.reach_of(&name.view, &name.name).request;
    if let Some(name) = chosen.iter().find(|name| reads_request(name) && name.to_string() == pattern) {
        let message = format!("`{name}` reads request fields, which nobody knows in training");
        entry.findings().report(Finding::at(entry.at(), message));
        return None;
    }
    chosen.retain(|name| !reads_request(name));
    Some(())
}
