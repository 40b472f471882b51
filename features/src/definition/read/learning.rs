//! What every learnt probability shares: candidates, holdout, prior, directions, what people can change.

use indexmap::IndexMap;

use crate::definition::raw::{Entry, Finding, Section};
use crate::definition::read::actionable::actionable;
use crate::definition::{ActionableSpec, Candidate, Direction, FeatureSet, FitSpec, Prior};

/// The keys read here.
pub(super) const LEARNING: [&str; 5] = ["candidates", "holdout", "prior", "monotone", "actionable"];

const CANDIDATES: [&str; 3] = ["logistic", "forest", "boosting"];
/// Rows that a rate weighs when nothing else is said.
const STATED: f64 = 10.0;

/// What every learnt probability shares.
pub(super) struct Learning {
    pub candidates: Vec<Candidate>,
    pub holdout: f64,
    pub prior: Prior,
    pub monotone: IndexMap<String, Direction>,
    pub actionable: IndexMap<String, ActionableSpec>,
}

pub(super) fn learning(section: &Section<'_>) -> Learning {
    Learning {
        candidates: candidates(section),
        holdout: holdout(section).unwrap_or(0.25),
        prior: prior(section).unwrap_or_default(),
        monotone: monotone(section),
        actionable: actionable(section),
    }
}

/// The same for a model over a feature set, whose features are known.
pub(super) fn of_features(section: &Section<'_>, set: Option<&FeatureSet>) -> Option<FitSpec> {
    let Learning { candidates, holdout, prior, monotone, actionable } = learning(section);
    let set = set?;
    let names: Vec<String> = set.features.iter().map(|feature| feature.name.to_string()).collect();
    let tables = ["monotone", "actionable"].into_iter().filter_map(|key| section.get(key));
    let stated = tables.filter(Entry::is_table).filter_map(|entry| entry.section(DIRECTIONS));
    let stated: Vec<Section<'_>> = stated.collect();
    for entry in stated.iter().flat_map(Section::entries) {
        if !names.iter().any(|name| name == entry.key()) {
            let message = format!("`{}` reads no feature `{}`", set.name, entry.key());
            let finding = Finding::at(entry.key_at(), message);
            section.findings().report(finding.known(entry.key(), names.iter().map(String::as_str)));
        }
    }
    Some(FitSpec { feature_set: set.name.clone(), candidates, holdout, prior, monotone, actionable })
}

fn candidates(section: &Section<'_>) -> Vec<Candidate> {
    let all = vec![Candidate::Logistic, Candidate::Forest, Candidate::Boosting];
    section.get("candidates").map_or(all, |entry| {
        let items = entry.items("a list of learners");
        if entry.is_list() && items.is_empty() {
            entry.refuse("at least one learner");
        }
        let mut candidates: Vec<Candidate> = items.iter().filter_map(candidate).collect();
        candidates.dedup();
        candidates
    })
}

fn candidate(item: &Entry<'_>) -> Option<Candidate> {
    match item.text()? {
        "logistic" => Some(Candidate::Logistic),
        "forest" => Some(Candidate::Forest),
        "boosting" => Some(Candidate::Boosting),
        other => {
            let finding = Finding::at(item.at(), format!("unknown learner `{other}`"));
            item.findings().report(finding.known(other, CANDIDATES));
            None
        }
    }
}

fn holdout(section: &Section<'_>) -> Option<f64> {
    let entry = section.get("holdout")?;
    number(&entry, "a share above 0, 0.5 at most", |share| share > 0.0 && share <= 0.5)
}

/// A rate, or `{ rate, rows }`.
fn prior(section: &Section<'_>) -> Option<Prior> {
    const RATE: &str = "a rate above 0 and below 1, such as 0.3, or { rate = 0.3, rows = 20 }";
    let entry = section.get("prior")?;
    let rate = |entry: &Entry<'_>| number(entry, RATE, |rate| rate > 0.0 && rate < 1.0);
    if !entry.is_table() {
        return Some(Prior { rate: rate(&entry)?, rows: STATED });
    }
    let table = entry.section(RATE)?;
    table.only("prior", &["rate", "rows"]);
    let rows =
        table.get("rows").and_then(|entry| number(&entry, "a number of rows above 0", |rows| rows > 0.0));
    Some(Prior { rate: rate(&table.need("rate", RATE)?)?, rows: rows.unwrap_or(STATED) })
}

/// A number that must be sound; else it is refused with what was expected.
pub(super) fn number(entry: &Entry<'_>, expected: &str, sound: fn(f64) -> bool) -> Option<f64> {
    let number = entry.number(expected)?;
    if !sound(number) {
        entry.refuse(expected);
        return None;
    }
    Some(number)
}

const DIRECTIONS: &str = "a table of features, such as { discount = \"down\" }";

/// Features and the way in which they may move the score.
fn monotone(section: &Section<'_>) -> IndexMap<String, Direction> {
    let mut directions = IndexMap::new();
    let Some(table) = section.get("monotone").and_then(|entry| entry.section(DIRECTIONS)) else {
        return directions;
    };
    for entry in table.entries() {
        let direction = match entry.text() {
            Some("up") => Direction::Up,
            Some("down") => Direction::Down,
            Some(_) => {
                entry.refuse("\"up\" or \"down\"");
                continue;
            }
            None => continue,
        };
        directions.insert(entry.key().to_owned(), direction);
    }
    directions
}
