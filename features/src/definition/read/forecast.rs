//! `[model.X.forecast]`: what a deal is worth, and what was asked of and promised by those who sell.

use crate::definition::catalogue::{Catalogue, Meaning};
use crate::definition::raw::{Entry, Finding, Section};
use crate::definition::read::derived::blame;
use crate::definition::scope::{FeatureScope, Request};
use crate::definition::{DerivedFeature, FeatureSet, ForecastSpec, PlanSpec};
use crate::expression::Expression;
use crate::ids::{FeatureName, ReferenceName};
use crate::value::ValueType;

const KEYS: [&str; 4] = ["amount", "target", "commit", "period"];

/// The section of a model over this feature set; none when it is not there or wrong.
pub(super) fn forecast(
    section: &Section<'_>,
    set: Option<&FeatureSet>,
    catalogue: &Catalogue,
) -> Option<ForecastSpec> {
    let forecast = section.get("forecast")?.section("a table: [model.X.forecast]")?;
    forecast.only("forecast", &KEYS);
    let amount = forecast.need("amount", "what a deal is worth, such as \"deal.amount\"");
    let amount = amount.and_then(|entry| over_features(&entry, set?, catalogue));
    Some(ForecastSpec { amount: amount?, plan: plan(&forecast, set?, catalogue) })
}

/// A number computed from the features of the set's entity, as they are when it is asked for.
pub(super) fn over_features(
    entry: &Entry<'_>,
    set: &FeatureSet,
    catalogue: &Catalogue,
) -> Option<DerivedFeature> {
    let request = Request::new();
    let scope = FeatureScope::new(catalogue, &set.entity, &request);
    let compiled = Expression::compile_as(entry.words()?, &scope, ValueType::Float);
    let (inputs, trouble) = scope.finish();
    let expression = compiled.inspect_err(|error| blame(entry, error, trouble)).ok()?;
    Some(DerivedFeature { expression, inputs })
}

/// Target and commit are features of the same other entity, such as the rep.
fn plan(section: &Section<'_>, set: &FeatureSet, catalogue: &Catalogue) -> Option<PlanSpec> {
    let feature = |key: &str, kind| {
        section.get(key).and_then(|entry| through(&entry, set, catalogue, kind).map(|name| (entry, name)))
    };
    let number = ValueType::Float;
    let named = [feature("target", number), feature("commit", number), feature("period", ValueType::Text)];
    let role: ReferenceName = named.iter().flatten().find_map(|(_, name)| name.through.clone())?;
    for (entry, name) in named.iter().flatten() {
        if name.through.as_ref() != Some(&role) {
            let message = format!("`{name}` is not of `{role}` like the others");
            section.findings().report(Finding::at(entry.at(), message));
            return None;
        }
    }
    let [target, commit, period] = named.map(|found| found.map(|(_, name)| name));
    Some(PlanSpec { role, target, commit, period })
}

/// A feature read through a reference.
fn through(
    entry: &Entry<'_>,
    set: &FeatureSet,
    catalogue: &Catalogue,
    kind: ValueType,
) -> Option<FeatureName> {
    const EXPECTED: &str = "a feature through a reference, such as \"rep.commit.target\"";
    let name: FeatureName = entry.parsed()?;
    if name.through.is_none() {
        entry.refuse(EXPECTED);
        return None;
    }
    let fits = |found: ValueType| found == kind || (kind == ValueType::Float && found == ValueType::Int);
    match catalogue.meaning(&set.entity, &name) {
        Meaning::Feature(found) if fits(found) => Some(name),
        Meaning::Feature(found) => {
            let message = format!("`{name}` is {found}");
            entry.findings().report(Finding::at(entry.at(), message).expected(kind.to_string()));
            None
        }
        Meaning::Broken => None,
        Meaning::OutOfReach(why) => {
            entry.findings().report(Finding::at(entry.at(), why));
            None
        }
        Meaning::Unknown => {
            let known: Vec<String> =
                catalogue.features(&set.entity).iter().map(ToString::to_string).collect();
            let finding = Finding::at(entry.at(), format!("unknown feature `{name}` of `{}`", set.entity));
            entry.findings().report(finding.known(&name.to_string(), known.iter().map(String::as_str)));
            None
        }
    }
}
