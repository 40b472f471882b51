//! `[model.X.policy]`: ordered rules over scores and features.

use std::cell::RefCell;

use indexmap::IndexSet;

use crate::definition::catalogue::{Catalogue, Meaning};
use crate::definition::raw::{Entry, Section};
use crate::definition::read::derived::blame;
use crate::definition::scope::{meaning, names};
use crate::definition::{DecisionSpec, PolicyInput, PolicyRule, PolicySpec};
use crate::expression::{Expression, Scope};
use crate::ids::{EntityName, FeatureName};
use crate::value::ValueType;

const RULE: &str =
    "a table such as { when = \"probability >= 0.7\", track = \"fast\", action = \"send the contract\" }";

/// Reads the policy of a model over `entity`; without one, its rules read the score alone.
pub(super) fn policy(
    (model, table): (&str, &Section<'_>),
    entity: Option<&EntityName>,
    catalogue: &Catalogue,
) -> Option<PolicySpec> {
    table.only(&format!("model.{model}.policy"), &["rules", "otherwise"]);
    let scope = PolicyScope { catalogue, entity, inputs: RefCell::default(), trouble: RefCell::default() };
    let written = table.need("rules", "a table of rules: NAME = { when, track, action }")?;
    let entries = written.section("a table of rules: NAME = { when, track, action }")?.entries();
    if entries.is_empty() {
        written.refuse("at least one rule");
    }
    let title = |name: &str| format!("model.{model}.policy.rules.{name}");
    let rules = entries.iter().filter_map(|entry| rule(entry, &title(entry.key()), &scope)).collect();
    let otherwise = table.get("otherwise").and_then(|entry| {
        let section = entry.section("a table such as { track = \"standard\" }")?;
        section.only(&format!("model.{model}.policy.otherwise"), &["track", "action"]);
        decision(&section)
    });
    Some(PolicySpec { rules, otherwise, inputs: scope.inputs.into_inner().into_iter().collect() })
}

fn rule(entry: &Entry<'_>, title: &str, scope: &PolicyScope<'_>) -> Option<PolicyRule> {
    let name = entry.name();
    let section = entry.section(RULE)?;
    section.only(title, &["when", "track", "action"]);
    let when = section.need("when", "a condition, such as \"probability >= 0.7\"");
    let decision = decision(&section);
    let when = when.and_then(|when| {
        let compiled = Expression::compile_as(when.words()?, scope, ValueType::Bool);
        compiled.inspect_err(|error| blame(&when, error, scope.trouble.take())).ok()
    });
    Some(PolicyRule { name: name?, when: when?, decision: decision? })
}

fn decision(section: &Section<'_>) -> Option<DecisionSpec> {
    let track = section.need("track", "a word, such as \"fast\"").and_then(|entry| entry.words());
    let action = section.get("action").and_then(|entry| entry.words()).map(str::to_owned);
    Some(DecisionSpec { track: track?.to_owned(), action })
}

/// Figures of the score by name, and what the entity scored can read; gathers what is read.
struct PolicyScope<'c> {
    catalogue: &'c Catalogue,
    entity: Option<&'c EntityName>,
    inputs: RefCell<IndexSet<PolicyInput>>,
    trouble: RefCell<Option<Meaning>>,
}

impl PolicyScope<'_> {
    fn input(&self, path: &[String]) -> Option<(PolicyInput, ValueType)> {
        if let [name] = path {
            let of_score = PolicyInput::OF_SCORE.into_iter().find(|(known, _)| known == name);
            return of_score.map(|(_, input)| (input, ValueType::Float));
        }
        let name: FeatureName = path.join(".").parse().ok()?;
        let found = meaning(self.catalogue, self.entity?, &self.catalogue.request_fields, &name);
        let Meaning::Feature(kind) = found else {
            *self.trouble.borrow_mut() = Some(found);
            return None;
        };
        Some((PolicyInput::Feature(name), kind))
    }
}

impl Scope for PolicyScope<'_> {
    fn resolve(&self, path: &[String]) -> Option<(usize, ValueType)> {
        let (input, kind) = self.input(path)?;
        Some((self.inputs.borrow_mut().insert_full(input).0, kind))
    }

    fn names(&self) -> Vec<String> {
        let of_score = PolicyInput::OF_SCORE.iter().map(|(name, _)| (*name).to_owned());
        let of_entity =
            self.entity.map(|entity| names(self.catalogue, entity, &self.catalogue.request_fields));
        of_score.chain(of_entity.into_iter().flatten()).collect()
    }
}
