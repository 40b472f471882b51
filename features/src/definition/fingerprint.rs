//! The hash of a feature set: same hash, same values.

use std::collections::BTreeSet;

use indexmap::{IndexMap, IndexSet};
use serde_json::{Value as Json, json};

use crate::definition::catalogue::Catalogue;
use crate::definition::{Origin, Source, View, ViewKind};
use crate::expression::Expression;
use crate::ids::{ColumnName, EntityName, FeatureName, SourceName};
use crate::time::Span;

/// BLAKE3, as hex, of a canonical JSON of all that decides the values of `features`: their order, names,
/// types, views, filters, expressions, references, and of their sources the columns read, the times and the
/// way files are written. Not where files lie, nor words, nor what else a source or view offers.
pub(super) fn fingerprint(
    features: &IndexSet<FeatureName>,
    entity: &EntityName,
    catalogue: &Catalogue,
    sources: &IndexMap<SourceName, Source>,
) -> String {
    let writer = Writer { catalogue, sources };
    let features: Vec<Json> = features.iter().map(|name| writer.feature(entity, name)).collect();
    let key = catalogue.entities.get(entity).map(|e| e.key.as_str());
    let whole = json!({ "form": 1, "entity": entity, "key": key, "features": features });
    blake3::hash(whole.to_string().as_bytes()).to_hex().to_string()
}

struct Writer<'w> {
    catalogue: &'w Catalogue,
    sources: &'w IndexMap<SourceName, Source>,
}

impl Writer<'_> {
    fn feature(&self, entity: &EntityName, name: &FeatureName) -> Json {
        if name.is_request() {
            return json!({ "name": name, "type": self.catalogue.request_fields.get(&name.name) });
        }
        let reference = name.through.as_ref().map(|role| self.reference(entity, role.as_str()));
        let found = self.catalogue.feature(&name.view, &name.name);
        let definition = found.map(|(view, feature)| {
            let position = view.features.iter().position(|f| f.name == feature.name).unwrap_or_default();
            json!({ "type": feature.value_type, "is": self.definition(view, position) })
        });
        json!({ "name": name, "through": reference, "definition": definition })
    }

    fn reference(&self, entity: &EntityName, role: &str) -> Json {
        let reference = self.catalogue.entities.get(entity).and_then(|e| e.references.get(role));
        reference.map_or(
            Json::Null,
            |reference| json!({ "target": reference.target, "key": self.feature(entity, &reference.key) }),
        )
    }

    /// What decides the values of the feature at `position` of `view`.
    fn definition(&self, view: &View, position: usize) -> Json {
        match &view.kind {
            ViewKind::Latest(latest) => {
                let column = latest.columns.get(position);
                let used = column.into_iter().chain([&latest.key]);
                json!({
                    "latest": column,
                    "key": latest.key,
                    "where": text(latest.filter.as_ref()),
                    "ttl": latest.ttl.map(|Span(us)| us),
                    "source": self.source(&latest.source, used, &[latest.filter.as_ref()]),
                })
            }
            ViewKind::Window(window) => {
                let feature = window.features.get(position);
                let aggregate = feature.map(|f| &f.aggregate);
                let own = feature.and_then(|f| f.filter.as_ref());
                let used = aggregate.and_then(|a| a.column()).into_iter().chain([&window.key]);
                json!({
                    "window": feature.and_then(|f| f.window).map(|Span(us)| us),
                    "aggregate": aggregate,
                    "key": window.key,
                    "where": [text(window.filter.as_ref()), text(own)],
                    "source": self.source(&window.source, used, &[window.filter.as_ref(), own]),
                })
            }
            ViewKind::Derived(derived) => derived.get(position).map_or(Json::Null, |one| {
                let inputs: Vec<Json> = one.inputs.iter().map(|i| self.feature(&view.entity, i)).collect();
                json!({ "derived": one.expression.text(), "inputs": inputs })
            }),
        }
    }

    fn source<'c>(
        &self,
        name: &SourceName,
        used: impl Iterator<Item = &'c ColumnName>,
        filters: &[Option<&Expression>],
    ) -> Json {
        let Some(source) = self.sources.get(name) else { return Json::Null };
        let place = |name: &ColumnName| source.columns.iter().position(|c| &c.name == name);
        let mut needed: BTreeSet<usize> = used.filter_map(place).collect();
        needed.extend(place(&source.event_time));
        if let crate::definition::Availability::Column(column) = &source.available {
            needed.extend(place(column));
        }
        let filters = filters.iter().copied().flatten().chain(source.keep.as_ref());
        needed.extend(filters.flat_map(|filter| filter.slots().iter().copied()));
        let columns: Vec<Json> = with_inputs(source, needed).into_iter().map(|i| column(source, i)).collect();
        json!({
            "name": name,
            "format": source.format,
            "event_time": source.event_time,
            "available": source.available,
            "keep": text(source.keep.as_ref()),
            "columns": columns,
        })
    }
}

/// `needed`, and the columns that computed ones among them are computed from.
fn with_inputs(source: &Source, mut needed: BTreeSet<usize>) -> BTreeSet<usize> {
    // A computed column reads only columns before it: one pass from the end finds everything.
    for (position, column) in source.columns.iter().enumerate().rev() {
        if let (true, Origin::Computed(expression)) = (needed.contains(&position), &column.origin) {
            needed.extend(expression.slots());
        }
    }
    needed
}

fn column(source: &Source, position: usize) -> Json {
    source.columns.get(position).map_or(Json::Null, |column| match &column.origin {
        Origin::Read { header, format, required } => json!({
            "name": column.name, "type": column.value_type, "header": header, "format": format,
            "required": required,
        }),
        Origin::Computed(expression) => json!({
            "name": column.name, "type": column.value_type, "computed": expression.text(),
        }),
    })
}

fn text(expression: Option<&Expression>) -> Option<&str> {
    expression.map(Expression::text)
}
