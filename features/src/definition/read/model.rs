//! `[model.X]`.

use indexmap::IndexMap;

use crate::definition::catalogue::Catalogue;
use crate::definition::raw::{Entry, Finding, Section};
use crate::definition::read::condition::{key_column, over_columns};
use crate::definition::read::forecast::{forecast, over_features};
use crate::definition::read::learning::{LEARNING, learning, of_features};
use crate::definition::read::score_log::score_log;
use crate::definition::read::serving::{OF_ITEMS, OF_TABLE, SERVING, serving};
use crate::definition::read::source::{Sources, declared, named};
use crate::definition::read::upsell;
use crate::definition::{
    ChurnDefinition, ChurnSpec, FeatureSet, InteractionsSpec, ModelSpec, Pipeline, Source, TableSpec, WinSpec,
};
use crate::ids::{FeatureSetName, ModelName};
use crate::time::{DAY, Span, Timestamp};
use crate::value::ValueType;

const PIPELINES: [&str; 6] = ["win", "churn", "upsell", "table", "interactions", "registered"];

const WIN: [&str; 6] = ["feature_set", "opened", "closed", "won", "at", "forecast"];
const CHURN: [&str; 10] = [
    "feature_set",
    "activity",
    "active_within",
    "started",
    "ended",
    "where",
    "every",
    "horizon",
    "from",
    "margin",
];
const TABLE: [&str; 7] = ["table", "label", "positive", "id", "time", "group", "ignore"];
const INTERACTIONS: [&str; 8] = ["table", "user", "item", "time", "weight", "half_life", "horizon", "repeat"];
const EVERY_MODEL: [&str; 2] = ["pipeline", "description"];

/// What models refer to.
pub(in crate::definition) struct Known<'k> {
    pub sources: &'k Sources<'k>,
    pub catalogue: &'k Catalogue,
    pub feature_sets: &'k IndexMap<FeatureSetName, FeatureSet>,
    pub declared_sets: Vec<String>,
    /// Answers are kept in the score log.
    pub logged: bool,
}

/// Reads all models.
pub(in crate::definition) fn models(
    file: Section<'_>,
    sources: &Sources<'_>,
    catalogue: &Catalogue,
    feature_sets: &IndexMap<FeatureSetName, FeatureSet>,
) -> IndexMap<ModelName, ModelSpec> {
    let logged = score_log(file).enabled;
    let declared_sets = declared(file, "features");
    let known = Known { sources, catalogue, feature_sets, declared_sets, logged };
    let mut models = IndexMap::new();
    for entry in file.section("model").map(|s| s.entries()).unwrap_or_default() {
        if let Some(model) = model(&entry, &known) {
            models.insert(model.name.clone(), model);
        }
    }
    models
}

fn model(entry: &Entry<'_>, known: &Known<'_>) -> Option<ModelSpec> {
    let section = entry.section("a table: [model.X]")?;
    let name = entry.name();
    let pipeline = section.need("pipeline", &crate::nearest::listed(PIPELINES))?;
    let keys = |own: &[&'static str], more: &[&'static str]| {
        let keys: Vec<&str> = EVERY_MODEL.iter().chain(own).chain(more).copied().collect();
        section.only(&format!("model.{}", entry.key()), &keys);
    };
    let description = section.get("description").and_then(|e| e.text()).map(str::to_owned);
    let pipeline = match pipeline.text()? {
        "win" => {
            keys(&[&WIN[..], &SERVING].concat(), &LEARNING);
            win(&section, known).map(Pipeline::Win)
        }
        "churn" => {
            keys(&[&CHURN[..], &SERVING].concat(), &LEARNING);
            churn(&section, known).map(Pipeline::Churn)
        }
        "upsell" => {
            keys(&upsell::KEYS, &OF_ITEMS);
            upsell::upsell(&section, known).map(Pipeline::Upsell)
        }
        "table" => {
            keys(&[&TABLE[..], &OF_TABLE].concat(), &LEARNING);
            table(&section).map(Pipeline::Table)
        }
        "interactions" => {
            keys(&INTERACTIONS, &OF_ITEMS);
            interactions(&section).map(Pipeline::Interactions)
        }
        "registered" => {
            keys(&["feature_set"], &SERVING);
            feature_set(&section, known).map(|set| Pipeline::Registered(set.name.clone()))
        }
        other => {
            let finding = Finding::at(pipeline.at(), format!("unknown pipeline `{other}`"));
            section.findings().report(finding.known(other, PIPELINES));
            None
        }
    };
    let pipeline = pipeline?;
    let serving = serving((entry.key(), &section), &pipeline, known);
    Some(ModelSpec { name: name?, pipeline, description, serving })
}

fn feature_set<'k>(section: &Section<'_>, known: &Known<'k>) -> Option<&'k FeatureSet> {
    let entry = section.need("feature_set", "the feature set that the model reads")?;
    let name = entry.words()?;
    let found = known.feature_sets.get(name);
    if found.is_none() && !known.declared_sets.iter().any(|declared| declared == name) {
        let finding = Finding::at(entry.at(), format!("unknown feature set `{name}`"));
        entry.findings().report(finding.known(name, known.declared_sets.iter().map(String::as_str)));
    }
    found
}

/// A source that holds the key of the feature set's entity.
fn source<'k>(
    section: &Section<'_>,
    key: &str,
    set: Option<&FeatureSet>,
    known: &Known<'k>,
) -> Option<&'k Source> {
    let entry = section.need(key, "a source")?;
    let source = named(&entry, known.sources)?;
    let entity = known.catalogue.entities.get(&set?.entity)?;
    key_column(&entry, source, entity.key.as_str(), entry.at())?;
    Some(source)
}

fn win(section: &Section<'_>, known: &Known<'_>) -> Option<WinSpec> {
    const AT: &str = "a list of spans such as [\"1d\", \"30d\"]";
    let set = feature_set(section, known);
    let fit = of_features(section, set);
    let opened = source(section, "opened", set, known);
    let closed = source(section, "closed", set, known);
    let won = section.need("won", "a condition over `closed`, such as \"outcome = 'won'\"");
    let won = won.and_then(|e| over_columns(&e, &closed?.columns, Some(ValueType::Bool)));
    let at = section.get("at").map_or_else(
        || [1, 7, 14, 30, 60, 90].map(|days| Span(days * DAY)).to_vec(),
        |entry| {
            let items = entry.items(AT);
            if entry.is_list() && items.is_empty() {
                entry.refuse(AT);
            }
            let mut at: Vec<Span> = items.iter().filter_map(Entry::parsed).collect();
            at.sort_unstable();
            at.dedup();
            at
        },
    );
    let forecast = forecast(section, set, known.catalogue);
    let (opened, closed) = (opened?.name.clone(), closed?.name.clone());
    Some(WinSpec { fit: fit?, opened, closed, won: won?, at, forecast })
}

fn churn(section: &Section<'_>, known: &Known<'_>) -> Option<ChurnSpec> {
    let set = feature_set(section, known);
    let fit = of_features(section, set);
    let definition = churn_definition(section, set, known);
    let span = |key: &str, days: i64| section.get(key).and_then(|e| e.parsed()).unwrap_or(Span(days * DAY));
    let from = section.get("from").and_then(|e| moment(&e));
    let (every, horizon) = (span("every", 30), span("horizon", 90));
    let margin = section.get("margin").and_then(|entry| over_features(&entry, set?, known.catalogue));
    Some(ChurnSpec { fit: fit?, definition: definition?, every, horizon, from, margin })
}

fn churn_definition(
    section: &Section<'_>,
    set: Option<&FeatureSet>,
    known: &Known<'_>,
) -> Option<ChurnDefinition> {
    let contract = section.get("started").or_else(|| section.get("ended"));
    if let (Some(contract), Some(_)) = (contract, section.get("activity")) {
        let message = format!("`activity` and `{}` exclude each other", contract.key());
        section.findings().report(Finding::at(contract.key_at(), message));
        return None;
    }
    let condition = |source: &Source| {
        section.get("where").map(|e| over_columns(&e, &source.columns, Some(ValueType::Bool)))
    };
    if contract.is_none() {
        let activity = source(section, "activity", set, known)?;
        let within = section.get("active_within").map(|e| e.parsed());
        return Some(ChurnDefinition::NonContractual {
            activity: activity.name.clone(),
            filter: condition(activity).flatten(),
            active_within: within.flatten().unwrap_or(Span(180 * DAY)),
        });
    }
    if let Some(within) = section.get("active_within") {
        let message = "`active_within` has no meaning for contracts";
        section
            .findings()
            .report(Finding::at(within.key_at(), message).expected("`activity`, or leave it out"));
    }
    let started = source(section, "started", set, known);
    let ended = source(section, "ended", set, known);
    let (started, ended) = (started?, ended?);
    let filter = condition(ended).flatten();
    Some(ChurnDefinition::Contractual { started: started.name.clone(), ended: ended.name.clone(), filter })
}

fn moment(entry: &Entry<'_>) -> Option<Timestamp> {
    let moment = Timestamp::parse(&entry.plain()?).ok();
    if moment.is_none() {
        entry.refuse("a date, such as \"2011-01-31\"");
    }
    moment
}

fn text(section: &Section<'_>, key: &str) -> Option<String> {
    section.get(key).and_then(|e| e.words()).map(str::to_owned)
}

fn table(section: &Section<'_>) -> Option<TableSpec> {
    let table = section.need("table", "the training file, such as \"train.csv\"").and_then(|e| e.words());
    let label = section.need("label", "the column to predict").and_then(|e| e.words());
    let ignore = section.get("ignore").map(|e| e.items("a list of columns")).unwrap_or_default();
    let learning = learning(section);
    let spec = TableSpec {
        table: table?.to_owned(),
        label: label?.to_owned(),
        positive: section.get("positive").and_then(|e| e.plain()),
        id: text(section, "id"),
        time: text(section, "time"),
        group: text(section, "group"),
        ignore: ignore.iter().filter_map(|e| e.words()).map(str::to_owned).collect(),
        candidates: learning.candidates,
        holdout: learning.holdout,
        prior: learning.prior,
        monotone: learning.monotone,
        actionable: learning.actionable,
    };
    for (key, other) in [("id", &spec.id), ("time", &spec.time), ("group", &spec.group)] {
        if other.as_deref() == Some(spec.label.as_str()) {
            let at = section.get(key).map_or(section.at(), |e| e.at());
            section.findings().report(Finding::at(at, format!("`{key}` and `label` are the same column")));
        }
    }
    Some(spec)
}

fn interactions(section: &Section<'_>) -> Option<InteractionsSpec> {
    let table = section.need("table", "the training file, such as \"train.csv\"").and_then(|e| e.words());
    let half_life = section.get("half_life");
    if let (Some(half_life), None) = (&half_life, section.get("time")) {
        let finding = Finding::at(half_life.key_at(), "`half_life` needs `time`");
        section.findings().report(finding.expected("the column that says when"));
    }
    Some(InteractionsSpec {
        table: table?.to_owned(),
        user: text(section, "user").unwrap_or_else(|| "user".to_owned()),
        item: text(section, "item").unwrap_or_else(|| "item".to_owned()),
        time: text(section, "time"),
        weight: text(section, "weight"),
        half_life: half_life.and_then(|e| e.parsed()),
        horizon: upsell::horizon(section),
        repeat: section.get("repeat").and_then(|e| e.flag()).unwrap_or(false),
    })
}
