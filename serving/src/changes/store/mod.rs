//! What is marked, which band was told last, what changed and what is still to be delivered: one SQLite database.
//!
//! Writes are in the operating system's hands when a call returns (write-ahead log, `synchronous = NORMAL`): killing
//! the process loses nothing, a failing machine may lose the last moments. A change of band is told again from where
//! it stood then, with the entity's next push.

mod alarms;
mod deliveries;
mod marks;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use scorehouse_features::ids::EntityName;

pub use alarms::{Alarms, Raised};
pub use deliveries::{Delivery, DeliveryState, Redelivery};
pub use marks::{Draft, Mark, Told};

use super::{Change, Kind};
use crate::error::ServeError;

/// Each entry brings the database from version i to i + 1; entries are never changed, only added.
const STEPS: &[&str] = &[
    "
CREATE TABLE marks (
    model TEXT    NOT NULL,
    role  TEXT    NOT NULL,
    key   TEXT    NOT NULL,
    turn  INTEGER NOT NULL,
    PRIMARY KEY (model, role, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX marks_turn ON marks (turn);
CREATE TABLE bands (
    model   TEXT    NOT NULL,
    key     TEXT    NOT NULL,
    band    INTEGER NOT NULL,
    output  REAL    NOT NULL,
    version INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (model, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE changes (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    model  TEXT    NOT NULL,
    entity TEXT    NOT NULL,
    key    TEXT    NOT NULL,
    body   TEXT    NOT NULL
) STRICT;
CREATE TABLE deliveries (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook  TEXT    NOT NULL,
    change   INTEGER NOT NULL,
    state    TEXT    NOT NULL,
    attempts INTEGER NOT NULL,
    error    TEXT,
    tried    INTEGER
) STRICT;
CREATE INDEX deliveries_state ON deliveries (webhook, state, id);
",
    "
ALTER TABLE changes ADD COLUMN kind TEXT NOT NULL DEFAULT 'score_changed';
CREATE TABLE alarms (
    model   TEXT    NOT NULL,
    version INTEGER NOT NULL,
    what    TEXT    NOT NULL,
    since   INTEGER NOT NULL,
    PRIMARY KEY (model, version, what)
) STRICT, WITHOUT ROWID;
CREATE TABLE retrainings (
    model TEXT PRIMARY KEY,
    at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE redeliveries (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    who     TEXT    NOT NULL,
    webhook TEXT    NOT NULL,
    count   INTEGER NOT NULL
) STRICT;
",
];

/// How long a writer waits for another.
const BUSY: Duration = Duration::from_secs(10);

/// Where a project's changes are kept.
#[must_use]
pub fn folder(state: &Path) -> PathBuf {
    state.join("changes")
}

/// The database.
#[derive(Debug)]
pub struct ChangeStore(Mutex<Connection>);

/// What is told, before it has a number.
struct Telling<'a> {
    kind: Kind,
    model: &'a str,
    /// The entity that it is about; none when it is about the model.
    about: Option<(&'a EntityName, &'a str)>,
    /// Writes it under its number.
    body: &'a dyn Fn(u64) -> String,
    /// The webhooks that hear of it.
    webhooks: &'a [&'a str],
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it over")]
fn failed(error: rusqlite::Error) -> ServeError {
    ServeError::Unavailable { what: "the store of changes", reason: error.to_string() }
}

impl ChangeStore {
    /// Opens the store under `state`, making it when there is none.
    ///
    /// # Errors
    /// [`ServeError::Io`] and [`ServeError::Unavailable`] when it cannot be opened.
    pub fn open(state: &Path) -> Result<Self, ServeError> {
        let folder = folder(state);
        std::fs::create_dir_all(&folder)
            .map_err(|source| ServeError::Io { what: folder.display().to_string(), source })?;
        let mut connection = Connection::open(folder.join("changes.sqlite")).map_err(failed)?;
        prepare(&mut connection).map_err(failed)?;
        Ok(Self(Mutex::new(connection)))
    }

    fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, ServeError> {
        let mut connection = self.0.lock();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let done = work(&transaction).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(done)
    }

    /// Writes down what is told of a model; `body` writes it under its number.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn tell_of_model(
        &self,
        kind: Kind,
        model: &str,
        body: &dyn Fn(u64) -> String,
        webhooks: &[&str],
    ) -> Result<Change, ServeError> {
        self.write(|transaction| Telling { kind, model, about: None, body, webhooks }.insert(transaction))
    }

    /// The latest changes, the newest last; older ones that wait for no delivery are forgotten.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn latest(&self, limit: usize) -> Result<VecDeque<Arc<Change>>, ServeError> {
        self.write(|transaction| {
            transaction.execute(
                "DELETE FROM changes WHERE id <= (SELECT max(id) FROM changes) - ?1
                 AND id NOT IN (SELECT change FROM deliveries)",
                params![limit as i64],
            )?;
            let mut query = transaction.prepare(
                "SELECT id, model, entity, key, body, kind FROM changes ORDER BY id DESC LIMIT ?1",
            )?;
            let mut latest = VecDeque::new();
            let mut rows = query.query(params![limit as i64])?;
            while let Some(row) = rows.next()? {
                let (entity, kind): (String, String) = (row.get(2)?, row.get(5)?);
                // Kinds of a later version are not known here.
                let Some(kind) = Kind::parse(&kind) else { continue };
                let id = row.get::<_, i64>(0)?.unsigned_abs();
                let (model, key, body) = (row.get(1)?, row.get(3)?, row.get(4)?);
                let about = EntityName::new(&entity).ok().map(|entity| (entity, key));
                latest.push_front(Arc::new(Change { id, kind, model, about, body }));
            }
            Ok(latest)
        })
    }
}

impl Telling<'_> {
    fn insert(&self, to: &Transaction<'_>) -> rusqlite::Result<Change> {
        let (entity, key) = self.about.map_or(("", ""), |(entity, key)| (entity.as_str(), key));
        to.execute(
            "INSERT INTO changes (kind, model, entity, key, body) VALUES (?1, ?2, ?3, ?4, '')",
            params![self.kind.as_str(), self.model, entity, key],
        )?;
        let row = to.last_insert_rowid();
        let id = row.unsigned_abs();
        let body = (self.body)(id);
        to.execute("UPDATE changes SET body = ?2 WHERE id = ?1", params![row, body])?;
        let mut delivery = to.prepare_cached(
            "INSERT INTO deliveries (webhook, change, state, attempts) VALUES (?1, ?2, 'waiting', 0)",
        )?;
        for webhook in self.webhooks {
            delivery.execute(params![webhook, row])?;
        }
        let about = self.about.map(|(entity, key)| (entity.clone(), key.to_owned()));
        Ok(Change { id, kind: self.kind, model: self.model.to_owned(), about, body })
    }
}

fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: usize =
        transaction.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))?.unsigned_abs() as usize;
    for step in STEPS.iter().skip(version) {
        transaction.execute_batch(step)?;
    }
    if version < STEPS.len() {
        transaction.pragma_update(None, "user_version", STEPS.len() as i64)?;
    }
    transaction.commit()
}
