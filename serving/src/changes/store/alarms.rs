//! Which limits of a model are crossed, and when it was trained again because of that.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use scorehouse_features::time::{Span, Timestamp};

use super::super::{Change, Kind};
use super::{ChangeStore, Telling, failed};
use crate::error::ServeError;

/// What one look at a model found.
pub struct Alarms<'a> {
    /// The model.
    pub model: &'a str,
    /// The version that was looked at.
    pub version: u32,
    /// The limits that are crossed.
    pub crossed: BTreeSet<String>,
    /// The limits that are kept. Of those in neither nothing could be said.
    pub kept: BTreeSet<String>,
    /// What the version had crossed, where that was told last in another store; none: what this store knows counts.
    pub elsewhere: Option<BTreeSet<String>>,
    /// When.
    pub at: Timestamp,
}

/// How what was raised is told.
pub struct Raised<'a> {
    /// Writes it under its number, for these limits.
    pub body: &'a dyn Fn(Kind, u64, &BTreeSet<String>) -> String,
    /// The webhooks that hear of it.
    pub webhooks: &'a [&'a str],
}

impl ChangeStore {
    /// Writes down which limits are crossed, and tells of those that were not before, and of those that are kept again.
    /// What an earlier version crossed is forgotten.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn raise(&self, alarms: &Alarms<'_>, raised: &Raised<'_>) -> Result<Vec<Change>, ServeError> {
        self.write(|transaction| {
            let known = match &alarms.elsewhere {
                None => known(transaction, alarms)?,
                Some(known) => taken_over(transaction, alarms, known)?,
            };
            let new: BTreeSet<String> = alarms.crossed.difference(&known).cloned().collect();
            let over: BTreeSet<String> = alarms.kept.intersection(&known).cloned().collect();
            insert(transaction, alarms, &new)?;
            for what in &over {
                transaction.execute(
                    "DELETE FROM alarms WHERE model = ?1 AND what = ?2",
                    params![alarms.model, what],
                )?;
            }
            let told = [(Kind::LimitCrossed, new), (Kind::LimitKept, over)];
            let told = told.iter().filter(|(_, limits)| !limits.is_empty());
            told.map(|(kind, limits)| {
                let body = |id| (raised.body)(*kind, id, limits);
                let (model, webhooks) = (alarms.model, raised.webhooks);
                Telling { kind: *kind, model, about: None, body: &body, webhooks }.insert(transaction)
            })
            .collect()
        })
    }

    /// The limits of a model that are crossed, as far as this store was told.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn crossed(&self, model: &str) -> Result<BTreeSet<String>, ServeError> {
        let connection = self.0.lock();
        let mut query =
            connection.prepare_cached("SELECT what FROM alarms WHERE model = ?1").map_err(failed)?;
        let rows = query.query_map(params![model], |row: &Row<'_>| row.get(0)).map_err(failed)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    /// True when a model was not trained again within `rest` before a moment.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn may_retrain(&self, model: &str, rest: Span, now: Timestamp) -> Result<bool, ServeError> {
        let connection = self.0.lock();
        let mut query =
            connection.prepare_cached("SELECT at FROM retrainings WHERE model = ?1").map_err(failed)?;
        let last: Option<i64> =
            query.query_row(params![model], |row| row.get(0)).optional().map_err(failed)?;
        Ok(last.is_none_or(|last| last <= now.0.saturating_sub(rest.0)))
    }

    /// Writes down that a model was trained again.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn retrained(&self, model: &str, at: Timestamp) -> Result<(), ServeError> {
        self.write(|transaction| {
            let sql = "INSERT INTO retrainings (model, at) VALUES (?1, ?2)
                       ON CONFLICT (model) DO UPDATE SET at = excluded.at";
            transaction.execute(sql, params![model, at.0]).map(drop)
        })
    }
}

fn insert(to: &Transaction<'_>, alarms: &Alarms<'_>, limits: &BTreeSet<String>) -> rusqlite::Result<()> {
    limits.iter().try_for_each(|what| {
        to.execute(
            "INSERT INTO alarms (model, version, what, since) VALUES (?1, ?2, ?3, ?4)",
            params![alarms.model, alarms.version, what, alarms.at.0],
        )
        .map(drop)
    })
}

/// Puts what another server found last in the place of what was known here.
fn taken_over(
    transaction: &Transaction<'_>,
    alarms: &Alarms<'_>,
    known: &BTreeSet<String>,
) -> rusqlite::Result<BTreeSet<String>> {
    transaction.execute("DELETE FROM alarms WHERE model = ?1", params![alarms.model])?;
    insert(transaction, alarms, known)?;
    Ok(known.clone())
}

/// The limits that the version had crossed at the last look.
fn known(transaction: &Transaction<'_>, alarms: &Alarms<'_>) -> rusqlite::Result<BTreeSet<String>> {
    transaction.execute(
        "DELETE FROM alarms WHERE model = ?1 AND version <> ?2",
        params![alarms.model, alarms.version],
    )?;
    let mut query = transaction.prepare_cached("SELECT what FROM alarms WHERE model = ?1")?;
    let rows = query.query_map(params![alarms.model], |row: &Row<'_>| row.get(0))?;
    rows.collect()
}
