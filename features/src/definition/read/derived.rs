//! Derived views: expressions over other features, each view after those it reads.

use std::collections::HashMap;

use crate::definition::catalogue::{Catalogue, Meaning};
use crate::definition::raw::{Entry, Finding, Section};
use crate::definition::read::condition::report;
use crate::definition::read::request::fields;
use crate::definition::read::view::{description, entity, group, kind, words};
use crate::definition::scope::{FeatureScope, Request};
use crate::definition::{DerivedFeature, Feature, View, ViewKind};
use crate::expression::{Expression, ExpressionError, Problem, names_in};
use crate::ids::{EntityName, FeatureName, LocalName, ViewName};

/// Reads derived views into `catalogue`, in the order of what they read; circles are mistakes.
pub(in crate::definition) fn derived(file: Section<'_>, catalogue: &mut Catalogue) {
    let entries = file.section("view").map(|s| s.entries()).unwrap_or_default();
    let written: HashMap<&str, Entry<'_>> = entries
        .iter()
        .filter(|entry| entry.is_table())
        .filter(|entry| entry.section("a table").is_some_and(|s| kind(&s) == Some("derived")))
        .map(|entry| (entry.key(), *entry))
        .collect();
    let mut order = Order { written: &written, state: HashMap::new(), path: Vec::new(), sorted: Vec::new() };
    for entry in entries.iter().filter(|entry| written.contains_key(entry.key())) {
        order.visit(entry);
    }
    for entry in order.sorted {
        let before = entry.findings().count();
        let Some((view, reaches)) = view(&entry, catalogue) else { continue };
        if entry.findings().count() == before {
            catalogue.reach.extend(reaches);
            catalogue.views.insert(view.name.clone(), view);
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Open,
    Done,
}

/// Depth-first order of derived views.
struct Order<'w, 'd> {
    written: &'w HashMap<&'d str, Entry<'d>>,
    state: HashMap<&'d str, State>,
    path: Vec<&'d str>,
    sorted: Vec<Entry<'d>>,
}

impl<'d> Order<'_, 'd> {
    fn visit(&mut self, entry: &Entry<'d>) {
        match self.state.get(entry.key()) {
            Some(State::Done) => {}
            Some(State::Open) => self.circle(entry),
            None => {
                self.state.insert(entry.key(), State::Open);
                self.path.push(entry.key());
                for next in reads(entry) {
                    if let Some(next) = self.written.get(next.as_str()).copied() {
                        self.visit(&next);
                    }
                }
                self.path.pop();
                self.state.insert(entry.key(), State::Done);
                self.sorted.push(*entry);
            }
        }
    }

    fn circle(&self, entry: &Entry<'d>) {
        let start = self.path.iter().position(|view| *view == entry.key()).unwrap_or(0);
        let mut names: Vec<&str> = self.path.iter().skip(start).copied().collect();
        names.push(entry.key());
        let message = format!("derived views read each other in a circle: {}", names.join(" -> "));
        let finding = Finding::at(entry.key_at(), message);
        entry.findings().report(finding.expected("views that can be computed one after the other"));
    }
}

/// The views that a derived view names, in the order of its text.
fn reads(entry: &Entry<'_>) -> Vec<String> {
    let features = entry.section("a table").and_then(|s| s.get("features")).filter(Entry::is_table);
    let features = features.and_then(|e| e.section("a table")).map(|s| s.entries()).unwrap_or_default();
    let texts = features.iter().filter_map(|feature| {
        if feature.is_text() {
            return feature.text();
        }
        let table = feature.is_table().then(|| feature.section("a table")).flatten()?;
        table.get("expr").filter(Entry::is_text).and_then(|e| e.text())
    });
    texts
        .flat_map(names_in)
        .filter_map(|path| match path.as_slice() {
            [view, _] | [_, view, _] => Some(view.clone()),
            _ => None,
        })
        .collect()
}

type Reaches = Vec<(FeatureName, crate::definition::catalogue::Reach)>;

fn view(entry: &Entry<'_>, catalogue: &Catalogue) -> Option<(View, Reaches)> {
    let section = entry.section("a table")?;
    let name: ViewName = ViewName::new(entry.key()).ok()?;
    let entity = section.need("entity", "the entity described").and_then(|e| entity(&e, catalogue))?;
    let request: Request = fields(&section).into_iter().map(|(name, (kind, _))| (name, kind)).collect();
    let table = section
        .need("features", "a table name = \"expression\"")?
        .section("a table name = \"expression\"")?;
    let (mut features, mut derived, mut reaches) = (Vec::new(), Vec::new(), Vec::new());
    let read: Vec<_> = table.entries().iter().map(|e| feature(e, catalogue, &entity, &request)).collect();
    // One wrong feature spoils the view, so that what reads it is not blamed for its absence.
    for (feature, one) in read.into_iter().collect::<Option<Vec<_>>>()? {
        let full = FeatureName { through: None, view: name.clone(), name: feature.name.clone() };
        reaches.push((full, catalogue.reach_through(&one.inputs)));
        features.push(feature);
        derived.push(one);
    }
    let description = description(&section);
    Some((View { name, entity, kind: ViewKind::Derived(derived), features, description }, reaches))
}

fn feature(
    entry: &Entry<'_>,
    catalogue: &Catalogue,
    entity: &EntityName,
    request: &Request,
) -> Option<(Feature, DerivedFeature)> {
    let name: LocalName = entry.name()?;
    let (text, template, group) = if entry.is_text() {
        (*entry, None, None)
    } else {
        let section = entry.section("an expression or { expr, words, group }")?;
        section.only(&format!("feature {name}"), &["expr", "words", "group"]);
        let template = section.get("words").and_then(|e| words(&e, &["{value}"]));
        (section.need("expr", "an expression over other features")?, template, group(&section))
    };
    let scope = FeatureScope::new(catalogue, entity, request);
    let compiled = Expression::compile(text.words()?, &scope);
    let (inputs, trouble) = scope.finish();
    let expression = compiled.inspect_err(|error| blame(&text, error, trouble)).ok()?;
    let value_type = expression.value_type();
    Some((Feature { name, value_type, words: template, group }, DerivedFeature { expression, inputs }))
}

/// Reports why an expression over features does not compile, unless the blame lies with a view that has
/// been blamed already.
pub(in crate::definition) fn blame(entry: &Entry<'_>, error: &ExpressionError, trouble: Option<Meaning>) {
    match (&error.problem, trouble) {
        (Problem::UnknownName { .. }, Some(Meaning::Broken)) => {}
        (Problem::UnknownName { .. }, Some(Meaning::OutOfReach(why))) => {
            let at = error.at.map_or(entry.at(), |character| entry.inside(character));
            entry.findings().report(Finding::at(at, why));
        }
        _ => report(entry, error),
    }
}
