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
use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};
use scorehouse_features::ids::EntityName;

pub use alarms::{Alarms, Raised};
pub use deliveries::{Delivery, DeliveryState, Redelivery};
pub use marks::{Draft, Mark, Told};

use super::{Change, Kind, REMEMBERED};
use scorehouse_models::registry::keep_side_files;

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
    "
ALTER TABLE marks ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
CREATE INDEX marks_attempts ON marks (attempts, turn);
ALTER TABLE deliveries ADD COLUMN due INTEGER NOT NULL DEFAULT 0;
CREATE INDEX deliveries_due ON deliveries (webhook, due, id) WHERE state = 'waiting';
CREATE INDEX deliveries_dead ON deliveries (tried) WHERE state = 'dead';
CREATE INDEX deliveries_change ON deliveries (change);
",
    "
CREATE TABLE identity (id TEXT NOT NULL) STRICT;
INSERT INTO identity (id) VALUES (lower(hex(randomblob(16))));
",
];

/// Changes after which those are looked for that nobody asks for any more.
const FORGET_EVERY: i64 = 1_000;

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
        keep_side_files(&connection).map_err(failed)?;
        prepare(&mut connection).map_err(failed)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// What tells this store from those of other servers.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn id(&self) -> Result<String, ServeError> {
        self.0.lock().query_row("SELECT id FROM identity", [], |row| row.get(0)).map_err(failed)
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

    /// The latest [`REMEMBERED`] changes, the newest last.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn latest(&self) -> Result<VecDeque<Arc<Change>>, ServeError> {
        let connection = self.0.lock();
        let newest: i64 = connection
            .query_row("SELECT coalesce(max(id), 0) FROM changes", [], |row| row.get(0))
            .map_err(failed)?;
        drop(connection);
        let after = newest.saturating_sub(REMEMBERED as i64).max(0).unsigned_abs();
        Ok(self.since(after, REMEMBERED)?.0.into_iter().map(Arc::new).collect())
    }

    /// Up to `limit` changes after a number, whoever wrote them, in order; and the number of the last one looked at.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn since(&self, after: u64, limit: usize) -> Result<(Vec<Change>, u64), ServeError> {
        let connection = self.0.lock();
        let mut query = connection
            .prepare_cached(
                "SELECT id, model, entity, key, body, kind FROM changes WHERE id > ?1 ORDER BY id LIMIT ?2",
            )
            .map_err(failed)?;
        let (mut changes, mut last) = (Vec::new(), after);
        let rows = query.query_map(params![after as i64, limit as i64], change).map_err(failed)?;
        for row in rows {
            let (id, change) = row.map_err(failed)?;
            last = id;
            changes.extend(change);
        }
        Ok((changes, last))
    }
}

/// A change and its number; only the number of one whose kind a later version brought.
fn change(row: &Row<'_>) -> rusqlite::Result<(u64, Option<Change>)> {
    let (entity, kind): (String, String) = (row.get(2)?, row.get(5)?);
    let id = row.get::<_, i64>(0)?.unsigned_abs();
    let (model, key, body) = (row.get(1)?, row.get(3)?, row.get(4)?);
    let about = EntityName::new(&entity).ok().map(|entity| (entity, key));
    Ok((id, Kind::parse(&kind).map(|kind| Change { id, kind, model, about, body })))
}

/// Forgets changes that nobody can ask for any more and that wait for no delivery.
fn forget(from: &Transaction<'_>, newest: i64) -> rusqlite::Result<()> {
    let mut delete = from.prepare_cached(
        "DELETE FROM changes WHERE id <= ?1
         AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.change = changes.id)",
    )?;
    delete.execute(params![newest - REMEMBERED as i64]).map(drop)
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
        if row % FORGET_EVERY == 0 {
            forget(to, row)?;
        }
        let about = self.about.map(|(entity, key)| (entity.clone(), key.to_owned()));
        Ok(Change { id, kind: self.kind, model: self.model.to_owned(), about, body })
    }
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    connection.query_row("PRAGMA user_version", [], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs() as usize))
}

fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    // A full disk must not keep a server from starting: where nothing has to change, nothing is written.
    if version(connection)? >= STEPS.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = version(&transaction)?;
    for step in STEPS.iter().skip(version) {
        transaction.execute_batch(step)?;
    }
    if version < STEPS.len() {
        transaction.pragma_update(None, "user_version", STEPS.len() as i64)?;
    }
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use scorehouse_features::time::Timestamp;

    use super::*;

    fn opened() -> (tempfile::TempDir, ChangeStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = ChangeStore::open(folder.path()).unwrap();
        (folder, store)
    }

    fn tell(store: &ChangeStore, count: usize, webhooks: &[&str]) {
        let body = |id: u64| format!("{{\"id\":{id}}}");
        let telling = Telling { kind: Kind::ScoreChanged, model: "win", about: None, body: &body, webhooks };
        let all = |to: &Transaction<'_>| (0..count).try_for_each(|_| telling.insert(to).map(drop));
        store.write(all).unwrap();
    }

    fn count(store: &ChangeStore, what: &str) -> i64 {
        store.0.lock().query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn what_nobody_can_ask_for_any_more_is_forgotten_while_the_server_runs_but_not_what_waits() {
        let (_folder, store) = opened();
        tell(&store, 3, &["crm"]);
        tell(&store, REMEMBERED + 2_500, &[]);
        assert!(count(&store, "changes") <= REMEMBERED as i64 + FORGET_EVERY + 3);
        let waiting = store.due("crm", 0, 9).unwrap();
        assert_eq!(waiting.iter().map(|delivery| delivery.change).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(store.latest().unwrap().len(), REMEMBERED);
    }

    #[test]
    fn deliveries_that_are_not_due_do_not_stand_before_those_that_are() {
        let (_folder, store) = opened();
        tell(&store, 300, &["crm"]);
        for delivery in store.due("crm", 0, 300).unwrap() {
            store.attempted(delivery.id, Timestamp(0), "answered 503", Some(5_000)).unwrap();
        }
        tell(&store, 1, &["crm", "erp"]);
        let due = store.due("crm", 10, 256).unwrap();
        assert_eq!(due.iter().map(|delivery| delivery.change).collect::<Vec<_>>(), [301]);
        assert_eq!(store.due("crm", 5_000, 999).unwrap().len(), 301);
        store.delivered(due[0].id).unwrap();
        assert_eq!(store.next_due("crm").unwrap(), Some(5_000));
        store.all_due("crm").unwrap();
        assert_eq!(store.next_due("crm").unwrap(), Some(0));
    }

    #[test]
    fn what_was_given_up_goes_with_age_and_webhooks_that_are_gone_have_nothing_waiting() {
        let (_folder, store) = opened();
        tell(&store, 2, &["crm", "old"]);
        store.disown(&["crm"], Timestamp(70)).unwrap();
        let dead = store.deliveries(None, Some(DeliveryState::Dead), 9).unwrap();
        assert_eq!(dead.iter().map(|dead| dead.webhook.as_str()).collect::<Vec<_>>(), ["old", "old"]);
        assert_eq!(store.deliveries(Some("crm"), Some(DeliveryState::Waiting), 9).unwrap().len(), 2);
        store.attempted(1, Timestamp(50), "answered 503", None).unwrap();
        store.forget_dead(Timestamp(60)).unwrap();
        assert_eq!(
            (count(&store, "deliveries"), store.deliveries(Some("crm"), None, 9).unwrap().len()),
            (3, 1)
        );
        store.forget_dead(Timestamp(71)).unwrap();
        assert_eq!(count(&store, "deliveries"), 1);
    }

    #[test]
    fn where_an_entity_stood_at_first_does_not_take_the_place_of_what_was_told() {
        let (_folder, store) = opened();
        let stands = |band: usize| Told { band, output: 0.5, version: 1, at: Timestamp(0) };
        store.begin("win", &[("D-1".into(), stands(0))]).unwrap();
        store.mark(&[("win", "", "D-1")], |_| {}).unwrap();
        let mark = store.marks(|| i64::MAX, false, 9).unwrap().remove(0);
        store.settle(&mark, &stands(2), None).unwrap();
        store.begin("win", &[("D-1".into(), stands(0))]).unwrap();
        assert_eq!(store.told("win", "D-1").unwrap().unwrap().band, 2);
    }

    #[test]
    fn a_mark_that_fails_stands_before_no_other_and_is_given_up_in_the_end() {
        let (_folder, store) = opened();
        store.mark(&[("win", "", "D-1")], |_| {}).unwrap();
        let marks = |failed: bool| store.marks(|| i64::MAX, failed, 9).unwrap();
        assert!(!store.postpone(&marks(false)[0]).unwrap());
        assert_eq!((marks(false).len(), marks(true)[0].attempts), (0, 1));
        store.mark(&[("win", "", "D-1")], |_| {}).unwrap();
        assert_eq!((marks(false)[0].attempts, marks(true).len()), (0, 0), "a new push is a new mark");
        let mut tries = 1;
        store.postpone(&marks(false)[0]).unwrap();
        while let Some(mark) = marks(true).first() {
            tries += 1;
            assert_eq!(store.postpone(mark).unwrap(), store.marked().unwrap() == 0);
        }
        assert_eq!(tries, marks::MOST_ATTEMPTS);
    }

    #[test]
    fn a_store_of_an_earlier_version_is_brought_up_with_all_that_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(super::folder(folder.path())).unwrap();
        let connection = Connection::open(super::folder(folder.path()).join("changes.sqlite")).unwrap();
        STEPS[..2].iter().for_each(|step| connection.execute_batch(step).unwrap());
        connection
            .execute_batch(
                "PRAGMA user_version = 2;
                 INSERT INTO marks (model, role, key, turn) VALUES ('win', '', 'D-1', 4);
                 INSERT INTO changes (kind, model, entity, key, body) VALUES ('score_changed', 'win', 'deal', 'D-2', '{}');
                 INSERT INTO deliveries (webhook, change, state, attempts) VALUES ('crm', 1, 'waiting', 2);",
            )
            .unwrap();
        drop(connection);
        let store = ChangeStore::open(folder.path()).unwrap();
        let marks = store.marks(|| i64::MAX, false, 9).unwrap();
        assert_eq!((marks[0].key.as_str(), marks[0].turn, marks[0].attempts), ("D-1", 4, 0));
        assert_eq!((store.due("crm", 0, 9).unwrap()[0].attempts, store.latest().unwrap().len()), (2, 1));
    }
}
