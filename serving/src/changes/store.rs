//! What is marked, which band was told last, what changed and what is still to be delivered: one SQLite database.
//!
//! Writes are in the operating system's hands when a call returns (write-ahead log, `synchronous = NORMAL`): killing
//! the process loses nothing, a failing machine may lose the last moments. A change of band is told again from where
//! it stood then, with the entity's next push.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use scorehouse_features::ids::EntityName;
use scorehouse_features::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::Change;
use crate::error::ServeError;

/// Each entry brings the database from version i to i + 1; entries are never changed, only added.
const STEPS: &[&str] = &["
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
"];

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

/// A mark: something that a push touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The watched model.
    pub model: String,
    /// Empty for the entity scored; else the role of the entity that it refers to.
    pub role: String,
    /// The key.
    pub key: String,
    /// In which order it was made; a later mark of the same takes the place of an earlier one.
    pub turn: i64,
}

/// What was told last of an entity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told {
    /// The band.
    pub band: usize,
    /// The score, which may have moved within the band since it was told.
    pub output: f64,
    /// The version that gave it.
    pub version: u32,
    /// When.
    pub at: Timestamp,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// It will be tried, or tried again.
    Waiting,
    /// It was given up after its last attempt.
    Dead,
}

impl DeliveryState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Dead => "dead",
        }
    }
}

/// A change on its way to a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Delivery {
    /// Its number.
    pub id: u64,
    /// The webhook.
    pub webhook: String,
    /// The number of the change.
    pub change: u64,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// What the last attempt came to.
    pub error: Option<String>,
    /// When that was.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub tried: Option<Timestamp>,
    /// What is delivered.
    #[schema(value_type = Object)]
    #[serde(serialize_with = "as_json")]
    pub body: String,
}

fn as_json<S: serde::Serializer>(body: &str, to: S) -> Result<S::Ok, S::Error> {
    let parsed: serde_json::Value = serde_json::from_str(body).map_err(serde::ser::Error::custom)?;
    parsed.serialize(to)
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

    /// Makes marks; their turn.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`] when they cannot be written.
    pub fn mark(&self, marks: &[(&str, &str, &str)], register: impl FnOnce(i64)) -> Result<i64, ServeError> {
        self.write(|transaction| {
            let turn: i64 =
                transaction
                    .query_row("SELECT coalesce(max(turn), 0) + 1 FROM marks", [], |row| row.get(0))?;
            let mut insert = transaction.prepare_cached(
                "INSERT INTO marks (model, role, key, turn) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (model, role, key) DO UPDATE SET turn = excluded.turn",
            )?;
            for (model, role, key) in marks {
                insert.execute(params![model, role, key, turn])?;
            }
            // Registered while the lock is held, so that whoever reads the marks knows of it.
            register(turn);
            Ok(turn)
        })
    }

    /// The earliest marks before a turn, which is asked for while no mark can be made.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn marks(&self, before: impl FnOnce() -> i64, limit: usize) -> Result<Vec<Mark>, ServeError> {
        let connection = self.0.lock();
        let before = before();
        let read = |row: &Row<'_>| {
            Ok(Mark { model: row.get(0)?, role: row.get(1)?, key: row.get(2)?, turn: row.get(3)? })
        };
        let mut query = connection
            .prepare_cached("SELECT model, role, key, turn FROM marks WHERE turn < ?1 ORDER BY turn LIMIT ?2")
            .map_err(failed)?;
        let rows = query.query_map(params![before, limit as i64], read).map_err(failed)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    /// How many marks there are.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn marked(&self) -> Result<u64, ServeError> {
        let connection = self.0.lock();
        let count: i64 =
            connection.query_row("SELECT count(*) FROM marks", [], |row| row.get(0)).map_err(failed)?;
        Ok(count.unsigned_abs())
    }

    /// Removes a mark, unless it was made anew.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn unmark(&self, mark: &Mark) -> Result<(), ServeError> {
        self.write(|transaction| unmark(transaction, mark))
    }

    /// What was told last of an entity; none when it was never scored.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn told(&self, model: &str, key: &str) -> Result<Option<Told>, ServeError> {
        let connection = self.0.lock();
        let mut query = connection
            .prepare_cached("SELECT band, output, version, at FROM bands WHERE model = ?1 AND key = ?2")
            .map_err(failed)?;
        let read = |row: &Row<'_>| {
            Ok(Told {
                band: row.get::<_, i64>(0)?.unsigned_abs() as usize,
                output: row.get(1)?,
                version: row.get(2)?,
                at: Timestamp(row.get(3)?),
            })
        };
        query.query_row(params![model, key], read).optional().map_err(failed)
    }

    /// Writes down where entities stand before anything is told of them.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn begin(&self, model: &str, told: &[(String, Told)]) -> Result<(), ServeError> {
        self.write(|transaction| told.iter().try_for_each(|(key, told)| put(transaction, model, key, told)))
    }

    /// Settles a mark: where the entity stands now and, when that is another band, the change with a delivery for
    /// each webhook; `body` writes it under its number. All of it or nothing.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn settle(
        &self,
        mark: &Mark,
        told: &Told,
        change: Option<Draft<'_>>,
    ) -> Result<Option<Change>, ServeError> {
        self.write(|transaction| {
            put(transaction, &mark.model, &mark.key, told)?;
            unmark(transaction, mark)?;
            change.map(|draft| draft.insert(transaction, mark)).transpose()
        })
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
            let mut query = transaction
                .prepare("SELECT id, model, entity, key, body FROM changes ORDER BY id DESC LIMIT ?1")?;
            let mut latest = VecDeque::new();
            let mut rows = query.query(params![limit as i64])?;
            while let Some(row) = rows.next()? {
                let entity: String = row.get(2)?;
                // Written from an EntityName, so always one.
                let Ok(entity) = EntityName::new(&entity) else { continue };
                let id = row.get::<_, i64>(0)?.unsigned_abs();
                let (model, key, body) = (row.get(1)?, row.get(3)?, row.get(4)?);
                latest.push_front(Arc::new(Change { id, model, entity, key, body }));
            }
            Ok(latest)
        })
    }

    /// Deliveries, the oldest first.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn deliveries(
        &self,
        webhook: Option<&str>,
        state: Option<DeliveryState>,
        limit: usize,
    ) -> Result<Vec<Delivery>, ServeError> {
        let connection = self.0.lock();
        let mut query = connection
            .prepare_cached(
                "SELECT d.id, d.webhook, d.change, d.state, d.attempts, d.error, d.tried, c.body
                 FROM deliveries d JOIN changes c ON c.id = d.change
                 WHERE (?1 IS NULL OR d.webhook = ?1) AND (?2 IS NULL OR d.state = ?2) ORDER BY d.id LIMIT ?3",
            )
            .map_err(failed)?;
        let state = state.map(DeliveryState::as_str);
        let rows = query.query_map(params![webhook, state, limit as i64], delivery).map_err(failed)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    /// A delivery arrived.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`]: it may be delivered again then.
    pub fn delivered(&self, id: u64) -> Result<(), ServeError> {
        self.write(|transaction| {
            transaction.execute("DELETE FROM deliveries WHERE id = ?1", params![id as i64]).map(drop)
        })
    }

    /// An attempt failed; the delivery is tried again or, `dead`, given up.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn attempted(&self, id: u64, at: Timestamp, error: &str, dead: bool) -> Result<(), ServeError> {
        let state = if dead { DeliveryState::Dead } else { DeliveryState::Waiting };
        let sql =
            "UPDATE deliveries SET attempts = attempts + 1, tried = ?2, error = ?3, state = ?4 WHERE id = ?1";
        self.write(|transaction| {
            transaction.execute(sql, params![id as i64, at.0, error, state.as_str()]).map(drop)
        })
    }

    /// Brings what was given up back: the deliveries named, or all of a webhook's; how many.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn redeliver(&self, webhook: &str, ids: Option<&[u64]>) -> Result<usize, ServeError> {
        let sql =
            "UPDATE deliveries SET state = 'waiting', attempts = 0 WHERE webhook = ?1 AND state = 'dead'";
        self.write(|transaction| match ids {
            None => transaction.execute(sql, params![webhook]),
            Some(ids) => {
                let mut one = transaction.prepare(&format!("{sql} AND id = ?2"))?;
                let counts = ids.iter().map(|id| one.execute(params![webhook, *id as i64]));
                counts.sum::<rusqlite::Result<usize>>()
            }
        })
    }
}

/// A change before it has a number.
pub struct Draft<'a> {
    /// The kind of entity.
    pub entity: &'a EntityName,
    /// Writes it under its number.
    pub body: &'a dyn Fn(u64) -> String,
    /// The webhooks that hear of it.
    pub webhooks: &'a [&'a str],
}

impl Draft<'_> {
    fn insert(&self, to: &Transaction<'_>, mark: &Mark) -> rusqlite::Result<Change> {
        to.execute(
            "INSERT INTO changes (model, entity, key, body) VALUES (?1, ?2, ?3, '')",
            params![mark.model, self.entity.as_str(), mark.key],
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
        let (model, key) = (mark.model.clone(), mark.key.clone());
        Ok(Change { id, model, entity: self.entity.clone(), key, body })
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

fn put(to: &Transaction<'_>, model: &str, key: &str, told: &Told) -> rusqlite::Result<()> {
    let mut insert = to.prepare_cached(
        "INSERT INTO bands (model, key, band, output, version, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (model, key) DO UPDATE SET
         band = excluded.band, output = excluded.output, version = excluded.version, at = excluded.at",
    )?;
    insert.execute(params![model, key, told.band as i64, told.output, told.version, told.at.0]).map(drop)
}

fn unmark(to: &Transaction<'_>, mark: &Mark) -> rusqlite::Result<()> {
    let mut delete =
        to.prepare_cached("DELETE FROM marks WHERE model = ?1 AND role = ?2 AND key = ?3 AND turn = ?4")?;
    delete.execute(params![mark.model, mark.role, mark.key, mark.turn]).map(drop)
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let number = |at: usize| row.get::<_, i64>(at).map(i64::unsigned_abs);
    let state: String = row.get(3)?;
    Ok(Delivery {
        id: number(0)?,
        webhook: row.get(1)?,
        change: number(2)?,
        state: if state == "dead" { DeliveryState::Dead } else { DeliveryState::Waiting },
        attempts: row.get(4)?,
        error: row.get(5)?,
        tried: row.get::<_, Option<i64>>(6)?.map(Timestamp),
        body: row.get(7)?,
    })
}
