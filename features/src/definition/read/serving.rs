//! What `[model.X]` says about serving: `challenger`, `policy`, `watch`.

use crate::definition::raw::{Entry, Finding, Section};
use crate::definition::read::learning::number;
use crate::definition::read::model::Known;
use crate::definition::read::policy::policy;
use crate::definition::read::webhook::watch;
use crate::definition::{ChallengerMode, ChallengerSpec, FeatureSet, ServingSpec, SplitBy};
use crate::ids::EntityName;

/// The keys of a model over the feature store that are about serving.
pub(super) const SERVING: [&str; 3] = ["challenger", "policy", "watch"];

pub(super) fn serving(
    (model, section): (&str, &Section<'_>),
    set: Option<&FeatureSet>,
    known: &Known<'_>,
) -> ServingSpec {
    let table = |key: &str| section.get(key).and_then(|entry| entry.section("a table"));
    let policy = table("policy")
        .and_then(|table| policy((model, &table), set.map(|set| &set.entity), known.catalogue));
    // A model over a plain file knows no entity that could be tried out or watched.
    let Some(set) = set else { return ServingSpec { policy, ..ServingSpec::default() } };
    ServingSpec {
        challenger: table("challenger").and_then(|table| challenger((model, &table), &set.entity, known)),
        policy,
        watch: table("watch").and_then(|table| watch((model, &table))),
    }
}

fn challenger(
    (model, table): (&str, &Section<'_>),
    entity: &EntityName,
    known: &Known<'_>,
) -> Option<ChallengerSpec> {
    const SHARE: &str = "a share above 0, 1 at most";
    table.only(&format!("model.{model}.challenger"), &["mode", "share", "by"]);
    if !known.logged {
        let finding =
            Finding::at(table.at(), "a challenger is compared by the score log, which is not enabled");
        table.findings().report(finding.expected("`[score_log] enabled = true`"));
    }
    let mode = mode(&table.need("mode", "\"shadow\" or \"split\"")?)?;
    let share = |entry: Entry<'_>| number(&entry, SHARE, |share| share > 0.0 && share <= 1.0);
    let share = match mode {
        ChallengerMode::Shadow => table.get("share").map_or(Some(1.0), share),
        ChallengerMode::Split => table.need("share", SHARE).and_then(share),
    };
    let by = table.get("by").map_or(Some(SplitBy::Own), |entry| split_by(&entry, entity, known));
    Some(ChallengerSpec { mode, share: share?, by: by? })
}

fn mode(entry: &Entry<'_>) -> Option<ChallengerMode> {
    match entry.text()? {
        "shadow" => Some(ChallengerMode::Shadow),
        "split" => Some(ChallengerMode::Split),
        other => {
            let finding = Finding::at(entry.at(), format!("unknown mode `{other}`"));
            entry.findings().report(finding.known(other, ["shadow", "split"]));
            None
        }
    }
}

/// The entity scored by its name, or another by its role.
fn split_by(entry: &Entry<'_>, entity: &EntityName, known: &Known<'_>) -> Option<SplitBy> {
    let name = entry.text()?;
    if name == entity.as_str() {
        return Some(SplitBy::Own);
    }
    let references = &known.catalogue.entities.get(entity)?.references;
    if let Some((role, reference)) = references.get_key_value(name) {
        return Some(SplitBy::Reference { role: role.clone(), key: reference.key.clone() });
    }
    let finding = Finding::at(entry.at(), format!("`{entity}` refers to no `{name}`"));
    let names = std::iter::once(entity.as_str()).chain(references.keys().map(|role| role.as_str()));
    entry.findings().report(finding.known(name, names));
    None
}
