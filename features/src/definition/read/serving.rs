//! What `[model.X]` says about serving: `challenger`, `policy`, `watch`, `monitor`.

use crate::definition::raw::{Entry, Finding, Section};
use crate::definition::read::learning::number;
use crate::definition::read::model::Known;
use crate::definition::read::monitor::{Of, monitor};
use crate::definition::read::policy::policy;
use crate::definition::read::webhook::watch;
use crate::definition::{ChallengerMode, ChallengerSpec, Pipeline, ServingSpec, SplitBy, TableSpec};
use crate::ids::EntityName;

/// The keys of a model over the feature store that are about serving.
pub(super) const SERVING: [&str; 4] = ["challenger", "policy", "watch", "monitor"];
/// Those of a model over a plain table.
pub(super) const OF_TABLE: [&str; 3] = ["challenger", "policy", "monitor"];
/// Those of a model that recommends.
pub(super) const OF_ITEMS: [&str; 1] = ["challenger"];

pub(super) fn serving(
    (model, section): (&str, &Section<'_>),
    pipeline: &Pipeline,
    known: &Known<'_>,
) -> ServingSpec {
    let table = |key: &str| section.get(key).and_then(|entry| entry.section("a table"));
    let set = pipeline.feature_set().and_then(|set| known.feature_sets.get(set));
    let trained = !matches!(pipeline, Pipeline::Registered(_));
    let of = Of { logged: known.logged, trained };
    ServingSpec {
        challenger: table("challenger")
            .and_then(|table| challenger((model, &table), (pipeline, set.map(|set| &set.entity)), known)),
        policy: table("policy")
            .and_then(|table| policy((model, &table), set.map(|set| &set.entity), known.catalogue)),
        watch: table("watch").and_then(|table| watch((model, &table))),
        monitor: table("monitor").and_then(|table| monitor((model, &table), of)),
    }
}

fn challenger(
    (model, table): (&str, &Section<'_>),
    (pipeline, entity): (&Pipeline, Option<&EntityName>),
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
    let by = match (pipeline, entity) {
        (_, Some(entity)) => {
            table.get("by").map_or(Some(SplitBy::Own), |entry| split_by(&entry, entity, known))
        }
        (Pipeline::Table(spec), None) => by_column(table, spec, mode),
        (_, None) => by_customer(table),
    };
    Some(ChallengerSpec { mode, share: share?, by: by? })
}

/// The `id` of the table's rows, or a column that the requests give.
fn by_column(table: &Section<'_>, spec: &TableSpec, mode: ChallengerMode) -> Option<SplitBy> {
    let Some(entry) = table.get("by") else {
        if spec.id.is_none() && mode == ChallengerMode::Split {
            let finding = Finding::at(table.at(), "nothing says which rows are the challenger's");
            table.findings().report(finding.expected("`by`, a column of the table, or `id` of the model"));
            return None;
        }
        return Some(SplitBy::Own);
    };
    let column = entry.words()?;
    if column == spec.label || spec.ignore.iter().any(|ignored| ignored == column) {
        let finding = Finding::at(entry.at(), format!("no request gives the column `{column}`"));
        entry.findings().report(finding.expected("a column that the model reads, or its `id`"));
        return None;
    }
    Some(if spec.id.as_deref() == Some(column) { SplitBy::Own } else { SplitBy::Column(column.to_owned()) })
}

/// Recommendations are split by the customer.
fn by_customer(table: &Section<'_>) -> Option<SplitBy> {
    let Some(entry) = table.get("by") else { return Some(SplitBy::Own) };
    let finding = Finding::at(entry.key_at(), "recommendations are always split by the customer");
    table.findings().report(finding.expected("no `by`"));
    None
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
