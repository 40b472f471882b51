//! `[view.X]`: what all views share, and latest views.

use crate::definition::raw::{Entry, Finding, Section};
use crate::definition::read::condition::{column, key_column, over_columns};
use crate::definition::read::source::{Sources, named};
use crate::definition::read::window;
use crate::definition::{Catalogue, Feature, LatestView, Source, View, ViewKind};
use crate::expression::Expression;
use crate::ids::{ColumnName, EntityName, LocalName, ViewName};
use crate::value::ValueType;

const KINDS: [&str; 3] = ["latest", "window", "derived"];
const LATEST_KEYS: [&str; 8] = ["entity", "kind", "source", "key", "where", "ttl", "features", "description"];
const WINDOW_KEYS: [&str; 8] =
    ["entity", "kind", "source", "key", "where", "windows", "features", "description"];
const DERIVED_KEYS: [&str; 5] = ["entity", "kind", "request", "features", "description"];

/// A name that features use for something else.
const TAKEN: &str = "request";

/// Reads latest and window views into `catalogue`.
pub(in crate::definition) fn stored(file: Section<'_>, sources: &Sources<'_>, catalogue: &mut Catalogue) {
    for entry in file.section("view").map(|s| s.entries()).unwrap_or_default() {
        let before = entry.findings().count();
        let Some((name, section)) = head(&entry) else { continue };
        let view = match kind(&section) {
            Some("latest") => latest(name, &section, sources, catalogue),
            Some("window") => window::window(name, &section, sources, catalogue),
            _ => None,
        };
        if let Some(view) = view.filter(|_| entry.findings().count() == before) {
            catalogue.views.insert(view.name.clone(), view);
        }
    }
}

fn head<'d>(entry: &Entry<'d>) -> Option<(ViewName, Section<'d>)> {
    let section = entry.section("a table: [view.X]")?;
    let name: Option<ViewName> = entry.name();
    if entry.key() == TAKEN {
        let finding = Finding::at(entry.key_at(), "a view cannot be called `request`");
        entry.findings().report(finding.expected("another name: `request.x` is a field of the request"));
        return None;
    }
    let title = format!("view.{}", entry.key());
    match section.need("kind", "\"latest\", \"window\" or \"derived\"")?.text()? {
        "latest" => section.only(&title, &LATEST_KEYS),
        "window" => section.only(&title, &WINDOW_KEYS),
        "derived" => section.only(&title, &DERIVED_KEYS),
        other => {
            let at = section.get("kind").map_or(section.at(), |e| e.at());
            section
                .findings()
                .report(Finding::at(at, format!("unknown kind of view `{other}`")).known(other, KINDS));
            return None;
        }
    }
    Some((name?, section))
}

/// The view's kind as written.
pub(in crate::definition) fn kind<'d>(section: &Section<'d>) -> Option<&'d str> {
    section.get("kind").filter(Entry::is_text).and_then(|e| e.text())
}

/// The entity that `entry` names.
pub(in crate::definition) fn entity(entry: &Entry<'_>, catalogue: &Catalogue) -> Option<EntityName> {
    let name = entry.words()?;
    let found = catalogue.entity_name(name);
    if found.is_none() && !catalogue.declares_entity(name) {
        let finding = Finding::at(entry.at(), format!("unknown entity `{name}`"));
        let known = catalogue.declared_entities.iter().map(String::as_str);
        entry.findings().report(finding.known(name, known));
    }
    found
}

/// What latest and window views share.
pub(in crate::definition) struct Stored<'s> {
    pub entity: EntityName,
    pub source: &'s Source,
    pub key: ColumnName,
    pub filter: Option<Expression>,
    pub description: Option<String>,
}

pub(in crate::definition) fn base<'s>(
    section: &Section<'_>,
    sources: &'s Sources<'_>,
    catalogue: &Catalogue,
) -> Option<Stored<'s>> {
    let of = section.need("entity", "the entity described").and_then(|e| entity(&e, catalogue));
    let source_entry = section.need("source", "the source read");
    let source = source_entry.and_then(|e| named(&e, sources));
    let (entity, source, source_entry) = (of?, source?, source_entry?);
    let key = match section.get("key") {
        Some(entry) => key_column(&entry, source, entry.words()?, entry.at()),
        None => {
            let key = catalogue.entities.get(&entity).map(|e| e.key.clone())?;
            key_column(&source_entry, source, key.as_str(), source_entry.at())
        }
    };
    let filter = section.get("where").and_then(|e| over_columns(&e, &source.columns, Some(ValueType::Bool)));
    let description = description(section);
    Some(Stored { entity, source, key: key?, filter, description })
}

pub(in crate::definition) fn description(section: &Section<'_>) -> Option<String> {
    section.get("description").and_then(|e| e.text()).map(str::to_owned)
}

fn latest(
    name: ViewName,
    section: &Section<'_>,
    sources: &Sources<'_>,
    catalogue: &Catalogue,
) -> Option<View> {
    let ttl = section.get("ttl").and_then(|e| e.parsed());
    let written = section.need("features", "a list of columns or a table name = \"column\"");
    let Stored { entity, source, key, filter, description } = base(section, sources, catalogue)?;
    let pairs = latest_features(&written?, source);
    let (features, columns) = pairs.into_iter().unzip();
    let latest = LatestView { source: source.name.clone(), key, filter, ttl, columns };
    Some(View { name, entity, kind: ViewKind::Latest(latest), features, description })
}

fn latest_features(written: &Entry<'_>, source: &Source) -> Vec<(Feature, ColumnName)> {
    if written.is_list() {
        let items = written.items("a list of columns");
        return items.iter().filter_map(|item| plain_feature(item, item.text()?, source)).collect();
    }
    let Some(table) = written.section("a list of columns or a table name = \"column\"") else {
        return Vec::new();
    };
    table.entries().iter().filter_map(|entry| latest_feature(entry, source)).collect()
}

fn plain_feature(entry: &Entry<'_>, name: &str, source: &Source) -> Option<(Feature, ColumnName)> {
    let column = column(entry, source)?;
    let name = LocalName::new(name).ok()?;
    let feature = Feature { name, value_type: column.value_type, words: None, group: None };
    Some((feature, column.name.clone()))
}

fn latest_feature(entry: &Entry<'_>, source: &Source) -> Option<(Feature, ColumnName)> {
    let name: LocalName = entry.name()?;
    if entry.is_text() {
        return plain_feature(entry, name.as_str(), source);
    }
    let section = entry.section("a column or { column, words, group }")?;
    section.only(&format!("feature {name}"), &["column", "words", "group"]);
    let words = section.get("words").and_then(|e| words(&e, &["{value}"]));
    let group = group(&section);
    let column = section.need("column", "a column of the source").and_then(|e| column(&e, source))?;
    Some((Feature { name, value_type: column.value_type, words, group }, column.name.clone()))
}

/// The group that a feature is declared to belong to.
pub(in crate::definition) fn group(section: &Section<'_>) -> Option<String> {
    section.get("group").and_then(|entry| entry.words()).map(|name| name.trim().to_owned())
}

/// A template in words, whose placeholders are among `known`.
pub(in crate::definition) fn words(entry: &Entry<'_>, known: &[&str]) -> Option<String> {
    let text = entry.words()?;
    let mut rest = text;
    while let Some((_, tail)) = rest.split_once('{') {
        let Some((inside, after)) = tail.split_once('}') else { break };
        let placeholder = format!("{{{inside}}}");
        if !known.contains(&placeholder.as_str()) {
            let finding = Finding::at(entry.at(), format!("unknown placeholder `{placeholder}` in `words`"));
            entry.findings().report(finding.known(&placeholder, known.iter().copied()));
            return None;
        }
        rest = after;
    }
    Some(text.to_owned())
}
