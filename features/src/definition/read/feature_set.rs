//! `[features.X]`: the ordered features that a model reads.

use indexmap::{IndexMap, IndexSet};

use crate::definition::catalogue::{Catalogue, Meaning};
use crate::definition::fingerprint::fingerprint;
use crate::definition::raw::{Entry, Finding, Section};
use crate::definition::read::request::fields;
use crate::definition::read::source::Sources;
use crate::definition::read::view::entity;
use crate::definition::scope::{Request, meaning, names};
use crate::definition::{FeatureField, FeatureSet, ViewVersion};
use crate::ids::{EntityName, FeatureName, FeatureSetName, ViewName};

const KEYS: [&str; 4] = ["entity", "features", "request", "description"];
const FORM: &str = "a list such as [\"deal.*\", \"account.orders.*_90d\", \"!deal.note\"]";

/// Reads all feature sets.
pub(in crate::definition) fn feature_sets(
    file: Section<'_>,
    sources: &Sources<'_>,
    catalogue: &Catalogue,
) -> IndexMap<FeatureSetName, FeatureSet> {
    let mut sets = IndexMap::new();
    for entry in file.section("features").map(|s| s.entries()).unwrap_or_default() {
        let before = entry.findings().count();
        if let Some(set) = feature_set(&entry, sources, catalogue)
            && entry.findings().count() == before
        {
            sets.insert(set.name.clone(), set);
        }
    }
    sets
}

fn feature_set(entry: &Entry<'_>, sources: &Sources<'_>, catalogue: &Catalogue) -> Option<FeatureSet> {
    let section = entry.section("a table: [features.X]")?;
    section.only(&format!("features.{}", entry.key()), &KEYS);
    let name = entry.name();
    if let Some(description) = section.get("description") {
        description.text();
    }
    let of = section.need("entity", "the entity scored").and_then(|e| entity(&e, catalogue));
    let patterns = section.need("features", FORM).map(|e| e.items(FORM))?;
    let request: Request = fields(&section).into_iter().map(|(name, (kind, _))| (name, kind)).collect();
    let of = of?;
    let mut chosen: IndexSet<FeatureName> = IndexSet::new();
    for pattern in &patterns {
        expand(pattern, pattern.words()?.trim(), catalogue, (&of, &request), &mut chosen)?;
    }
    if chosen.is_empty() {
        section.findings().report(Finding::at(section.at(), "the feature set is empty").expected(FORM));
        return None;
    }
    let fields = chosen.iter().filter_map(|name| field(name, catalogue, &of, &request)).collect();
    Some(FeatureSet { features: fields, ..set_of(name?, &of, &chosen, catalogue, sources) })
}

/// The set of features of `of` that were `chosen`; those of a request are left out.
pub(super) fn set_of(
    name: FeatureSetName,
    of: &EntityName,
    chosen: &IndexSet<FeatureName>,
    catalogue: &Catalogue,
    sources: &Sources<'_>,
) -> FeatureSet {
    let request = Request::new();
    FeatureSet {
        name,
        entity: of.clone(),
        features: chosen.iter().filter_map(|name| field(name, catalogue, of, &request)).collect(),
        hash: fingerprint(chosen, of, catalogue, sources.checked),
        views: views(chosen, of, catalogue, sources),
    }
}

/// Characters of a view's hash: enough to tell versions of one view apart.
const SHORT: usize = 12;

fn views(
    chosen: &IndexSet<FeatureName>,
    of: &EntityName,
    catalogue: &Catalogue,
    sources: &Sources<'_>,
) -> Vec<ViewVersion> {
    let stored = || chosen.iter().filter(|name| !name.is_request());
    let views: IndexSet<&ViewName> = stored().map(|name| &name.view).collect();
    let version = |view: &ViewName| {
        let own: IndexSet<FeatureName> = stored().filter(|name| name.view == *view).cloned().collect();
        let mut hash = fingerprint(&own, of, catalogue, sources.checked);
        hash.truncate(SHORT);
        ViewVersion { view: view.clone(), hash }
    };
    views.into_iter().map(version).collect()
}

/// Adds what the pattern `written` in `entry` names, or takes away what `!pattern` names; none when a broken view
/// stands in the way of knowing.
pub(super) fn expand(
    entry: &Entry<'_>,
    written: &str,
    catalogue: &Catalogue,
    (entity, request): (&EntityName, &Request),
    chosen: &mut IndexSet<FeatureName>,
) -> Option<()> {
    if let Some(pattern) = written.strip_prefix('!') {
        let before = chosen.len();
        chosen.retain(|name| !fits(pattern, name));
        if chosen.len() == before {
            let message = format!("`{written}` leaves nothing out");
            let finding = Finding::at(entry.at(), message);
            let known: Vec<String> = chosen.iter().map(ToString::to_string).collect();
            entry.findings().report(finding.known(pattern, known.iter().map(String::as_str)));
        }
        return Some(());
    }
    if !written.contains('*') {
        return one(entry, written, catalogue, (entity, request), chosen);
    }
    let fields = request.keys().map(|name| format!("request.{name}").parse());
    let all = catalogue.features(entity).into_iter().chain(fields.filter_map(Result::ok));
    let found: Vec<FeatureName> = all.filter(|name| fits(written, name)).collect();
    if found.is_empty() {
        if !written.split('.').any(|part| catalogue.is_broken(part)) {
            let views: Vec<&str> =
                catalogue.views.values().filter(|v| &v.entity == entity).map(|v| v.name.as_str()).collect();
            let view = written.split('.').rev().nth(1).unwrap_or(written);
            let finding = Finding::at(entry.at(), format!("no feature of `{entity}` fits `{written}`"));
            entry.findings().report(finding.known(view, views));
        }
        return None;
    }
    chosen.extend(found.into_iter().filter(|name| !catalogue.holds_key(entity, name)));
    Some(())
}

/// Adds the one feature called `written`.
fn one(
    entry: &Entry<'_>,
    written: &str,
    catalogue: &Catalogue,
    (entity, request): (&EntityName, &Request),
    chosen: &mut IndexSet<FeatureName>,
) -> Option<()> {
    let Ok(name) = written.parse::<FeatureName>() else {
        entry.parsed::<FeatureName>();
        return None;
    };
    match meaning(catalogue, entity, request, &name) {
        Meaning::Feature(_) => {
            chosen.insert(name);
            return Some(());
        }
        Meaning::Broken => {}
        Meaning::OutOfReach(why) => entry.findings().report(Finding::at(entry.at(), why)),
        Meaning::Unknown if name.is_request() => {
            let finding = Finding::at(entry.at(), format!("request field `{}` is not declared", name.name));
            entry.findings().report(finding.expected(format!("`request = {{ {} = \"type\" }}`", name.name)));
        }
        Meaning::Unknown => {
            let known = names(catalogue, entity, request);
            let finding = Finding::at(entry.at(), format!("unknown feature `{written}` of `{entity}`"));
            entry.findings().report(finding.known(written, known.iter().map(String::as_str)));
        }
    }
    None
}

fn field(
    name: &FeatureName,
    catalogue: &Catalogue,
    entity: &EntityName,
    request: &Request,
) -> Option<FeatureField> {
    let Meaning::Feature(value_type) = meaning(catalogue, entity, request, name) else { return None };
    let feature = catalogue.feature(&name.view, &name.name).map(|(_, feature)| feature);
    let words = feature.and_then(|feature| feature.words.clone());
    // What is told of another entity says nothing of this one, nor of a third.
    let group = feature.and_then(|feature| feature.group.as_ref()).map(|group| match &name.through {
        Some(through) => format!("{through}.{group}"),
        None => group.clone(),
    });
    Some(FeatureField { name: name.clone(), value_type, words, group })
}

/// True when a pattern names a feature: part by part, `*` standing for any text of one part.
fn fits(pattern: &str, name: &FeatureName) -> bool {
    let name = name.to_string();
    let (patterns, parts) = (pattern.split('.'), name.split('.'));
    patterns.clone().count() == parts.clone().count() && patterns.zip(parts).all(|(p, n)| part_fits(p, n))
}

fn part_fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => name.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).any(|skip| rest.get(skip..).is_some_and(|rest| part_fits(tail, rest)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> FeatureName {
        text.parse().unwrap()
    }

    #[test]
    fn a_star_stands_for_any_part_of_one_name() {
        assert!(fits("orders.*", &named("orders.lines_90d")));
        assert!(fits("orders.*_90d", &named("orders.lines_90d")));
        assert!(fits("*.lines_*d", &named("orders.lines_90d")));
        assert!(!fits("orders.*", &named("account.orders.lines_90d")));
        assert!(!fits("orders.*_30d", &named("orders.lines_90d")));
    }
}
