//! Requests to try, with keys that are really there.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use rustc_hash::{FxHashMap, FxHashSet};
use scorehouse_features::definition::Pipeline;
use scorehouse_features::ids::{ColumnName, EntityName, FeatureSetName, SourceName};
use scorehouse_features::time::Timestamp;
use scorehouse_training::History as _;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::history::StoreHistory;
use crate::cli::session::Session;

/// One curl line for each kind of model the project declares; `{url}` stands for the server's
/// address, `{proof}` for the header that carries a key.
///
/// # Errors
/// A failure with its fault.
pub fn curl_lines(session: &Session, now: Timestamp) -> Outcome<Vec<String>> {
    let history = StoreHistory::open(session, now)?;
    let mut lines = Vec::new();
    let mut seen = FxHashSet::default();
    for spec in session.project.models.values() {
        let body = match &spec.pipeline {
            Pipeline::Win(win) => {
                let key = key_column(session, &win.fit.feature_set)?;
                let closed: FxHashSet<String> = texts(&history, &win.closed, &key)?.into_iter().collect();
                let opened = texts(&history, &win.opened, &key)?;
                let open = opened.into_iter().rev().find(|key| !closed.contains(key));
                open.map(|key| ("win", "score", format!(r#"{{"entities": ["{key}"], "reasons": 5}}"#)))
            }
            Pipeline::Upsell(upsell) => busiest(&history, &upsell.source, &upsell.user)?
                .map(|key| ("upsell", "recommend", format!(r#"{{"customer": "{key}", "n": 5}}"#))),
            Pipeline::Churn(churn) => match &churn.definition {
                scorehouse_features::definition::ChurnDefinition::NonContractual { activity, .. } => {
                    let key = key_column(session, &churn.fit.feature_set)?;
                    busiest(&history, activity, &key)?
                        .map(|key| ("churn", "score", format!(r#"{{"entities": ["{key}"], "reasons": 3}}"#)))
                }
                scorehouse_features::definition::ChurnDefinition::Contractual { .. } => None,
            },
            _ => None,
        };
        if let Some((kind, verb, body)) = body
            && seen.insert(kind)
        {
            lines.push(format!(
                "curl -s {{url}}/v1/models/{}/{verb}{{proof}} -H 'content-type: application/json' -d '{body}'",
                spec.name
            ));
        }
    }
    Ok(lines)
}

fn key_column(session: &Session, set: &FeatureSetName) -> Outcome<ColumnName> {
    let entity: Option<&EntityName> = session.project.feature_sets.get(set).map(|set| &set.entity);
    let entity = entity.and_then(|name| session.project.entities.get(name));
    entity.map(|entity| entity.key.clone()).ok_or_else(|| Failure::data(format!("no feature set `{set}`")))
}

fn texts(history: &StoreHistory<'_>, source: &SourceName, column: &ColumnName) -> Outcome<Vec<String>> {
    let rows: RecordBatch = history.rows(source, std::slice::from_ref(column))?;
    let Some(texts) = rows.column(0).as_string_opt::<i32>() else { return Ok(Vec::new()) };
    Ok(texts.iter().flatten().map(str::to_owned).collect())
}

/// The value that a column of a source holds most often; none when the project has no such source or column.
///
/// # Errors
/// A failure with its fault.
pub fn busiest_of(
    session: &Session,
    now: Timestamp,
    source: &SourceName,
    column: &ColumnName,
) -> Outcome<Option<String>> {
    let declared = session.project.sources.get(source);
    if !declared.is_some_and(|source| source.columns.iter().any(|known| known.name == *column)) {
        return Ok(None);
    }
    busiest(&StoreHistory::open(session, now)?, source, column)
}

/// The key with the most rows, the smallest of those that tie.
fn busiest(history: &StoreHistory<'_>, source: &SourceName, column: &ColumnName) -> Outcome<Option<String>> {
    let mut counts: FxHashMap<String, u32> = FxHashMap::default();
    for key in texts(history, source, column)? {
        *counts.entry(key).or_default() += 1;
    }
    let mut keys: Vec<(u32, String)> = counts.into_iter().map(|(key, count)| (count, key)).collect();
    keys.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    Ok(keys.into_iter().next().map(|(_, key)| key))
}
