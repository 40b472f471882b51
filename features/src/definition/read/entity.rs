//! `[entity.X]`.

use indexmap::IndexMap;

use crate::definition::raw::{Entry, Finding, Section};
use crate::definition::{Catalogue, Entity, Reference, ViewKind};
use crate::ids::{EntityName, FeatureName, ReferenceName};
use crate::value::ValueType;

/// A name that stands for something else in features.
const TAKEN: &str = "request";

/// Reads all entities, without their references.
pub(in crate::definition) fn entities(file: Section<'_>) -> IndexMap<EntityName, Entity> {
    let mut entities = IndexMap::new();
    for entry in file.section("entity").map(|s| s.entries()).unwrap_or_default() {
        if let Some(entity) = entity(&entry) {
            entities.insert(entity.name.clone(), entity);
        }
    }
    entities
}

fn entity(entry: &Entry<'_>) -> Option<Entity> {
    let section = entry.section("a table: [entity.X]")?;
    section.only(&format!("entity.{}", entry.key()), &["key", "description", "refers_to"]);
    let name = entry.name();
    let key = section.need("key", "the column that holds its key in sources").and_then(|e| e.parsed());
    let description = section.get("description").and_then(|e| e.text()).map(str::to_owned);
    Some(Entity { name: name?, key: key?, references: IndexMap::new(), description })
}

/// Reads and checks the references of all entities; their keys are features, so views come first.
pub(in crate::definition) fn references(file: Section<'_>, catalogue: &mut Catalogue) {
    for entry in file.section("entity").map(|s| s.entries()).unwrap_or_default() {
        let Some(references) = entry.section("a table").and_then(|s| s.section("refers_to")) else {
            continue;
        };
        let Some(name) = catalogue.entity_name(entry.key()) else { continue };
        for written in references.entries() {
            if let Some((role, reference)) = reference(&written, &name, catalogue)
                && let Some(entity) = catalogue.entities.get_mut(&name)
            {
                entity.references.insert(role, reference);
            }
        }
    }
}

fn reference(
    written: &Entry<'_>,
    owner: &EntityName,
    catalogue: &Catalogue,
) -> Option<(ReferenceName, Reference)> {
    let role: ReferenceName = written.name()?;
    let findings = written.findings();
    if role.as_str() == TAKEN {
        let finding = Finding::at(written.key_at(), "a reference cannot be called `request`");
        findings.report(finding.expected("another name: `request.x` is a field of the request"));
        return None;
    }
    let (key, target, target_at) = if written.is_text() {
        (Some(*written), role.to_string(), written.key_at())
    } else {
        let section = written.section("a feature (\"view.feature\") or { entity, key }")?;
        section.only(&format!("entity.{owner}.refers_to.{role}"), &["entity", "key"]);
        let key = section.need("key", "the feature that holds the key: \"view.feature\"");
        match section.get("entity") {
            Some(entity) => (key, entity.words()?.to_owned(), entity.at()),
            None => (key, role.to_string(), written.key_at()),
        }
    };
    let Some(target) = catalogue.entity_name(&target) else {
        if !catalogue.declares_entity(&target) {
            let finding = Finding::at(target_at, format!("unknown entity `{target}`"));
            findings.report(finding.known(&target, catalogue.entities.keys().map(EntityName::as_str)));
        }
        return None;
    };
    let key = key_feature(&key?, owner, catalogue)?;
    Some((role, Reference { target, key }))
}

/// The feature that holds the other's key: text, of a latest view of `owner`.
fn key_feature(entry: &Entry<'_>, owner: &EntityName, catalogue: &Catalogue) -> Option<FeatureName> {
    let name: FeatureName = entry.parsed()?;
    if catalogue.is_broken(name.view.as_str()) {
        return None;
    }
    let view = catalogue.views.get(&name.view);
    let feature = view.and_then(|view| view.features.iter().find(|f| f.name == name.name));
    let (Some(view), Some(feature), None) = (view, feature, &name.through) else {
        let known = catalogue.latest_texts(owner);
        let finding = Finding::at(entry.at(), format!("unknown feature `{name}`"));
        entry.findings().report(finding.known(&name.to_string(), known.iter().map(String::as_str)));
        return None;
    };
    let latest = matches!(view.kind, ViewKind::Latest(_));
    if &view.entity != owner || !latest || feature.value_type != ValueType::Text {
        let message = format!("`{name}` cannot hold a key");
        let expected = format!("a text feature of a latest view of `{owner}`");
        entry.findings().report(Finding::at(entry.at(), message).expected(expected));
        return None;
    }
    Some(name)
}
