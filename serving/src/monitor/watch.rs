//! Which of several servers looks at a model, and what was found: a small database beside the registry that they share.
//!
//! One server at a time holds the watch over a model. It says every so often that it still does; when it has been silent for
//! [`SILENCE`], another takes over. So a finding is told, and a retraining started, once; and a server that dies holds
//! nobody up.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use scorehouse_features::time::{Clock, Span, Timestamp};
use scorehouse_models::registry::keep_side_files;

use crate::error::ServeError;

/// How long a server that is not heard of holds the watch. Clocks of servers may differ by a fraction of it.
pub const SILENCE: Span = Span(60_000_000);
/// What is left of it when a server says that it is still there.
const RENEWED_AT: i64 = SILENCE.0 * 2 / 3;
/// Time between two looks at that during a long look at a model.
const RENEW: Duration = Duration::from_secs(10);
/// A watch that is said to last longer was taken by a clock that is wrong.
const BELIEVED: i64 = 10 * SILENCE.0;

/// How long a writer waits for another.
const BUSY: Duration = Duration::from_secs(10);

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS watches (
    model  TEXT    PRIMARY KEY,
    holder TEXT    NOT NULL,
    until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lookers (
    model TEXT PRIMARY KEY,
    store TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS findings (
    model   TEXT    NOT NULL,
    version INTEGER NOT NULL,
    what    TEXT    NOT NULL,
    PRIMARY KEY (model, version, what)
) STRICT, WITHOUT ROWID;
";

/// The database.
#[derive(Debug)]
pub struct Watches(Mutex<Connection>);

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it over")]
fn failed(error: rusqlite::Error) -> ServeError {
    ServeError::Unavailable { what: "the watch over models", reason: error.to_string() }
}

impl Watches {
    /// Opens the watches of all servers on the registry in `folder`.
    ///
    /// # Errors
    /// [`ServeError::Io`] and [`ServeError::Unavailable`] when they cannot be opened.
    pub fn open(folder: &Path) -> Result<Self, ServeError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| ServeError::Io { what: folder.display().to_string(), source })?;
        let open = || {
            let connection = Connection::open(folder.join("watch.sqlite"))?;
            connection.busy_timeout(BUSY)?;
            keep_side_files(&connection)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, "synchronous", "normal")?;
            connection.execute_batch(TABLES)?;
            Ok(connection)
        };
        open().map(|connection| Self(Mutex::new(connection))).map_err(failed)
    }

    /// Takes the watch over a model, or keeps it; false while another server holds it.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn take(&self, model: &str, holder: &str, now: Timestamp) -> Result<bool, ServeError> {
        let mut connection = self.0.lock();
        let known = held(&connection, model).map_err(failed)?;
        if let Some((other, until)) = known {
            let left = until.saturating_sub(now.0);
            if other != holder && left > 0 && left <= BELIEVED {
                return Ok(false);
            }
            if other == holder && left > RENEWED_AT && left <= SILENCE.0 {
                return Ok(true);
            }
        }
        let mut take = || {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Whoever was first has it.
            let sql = "INSERT INTO watches (model, holder, until) VALUES (?1, ?2, ?3)
                       ON CONFLICT (model) DO UPDATE SET holder = excluded.holder, until = excluded.until
                       WHERE holder = excluded.holder OR until <= ?4 OR until > ?5";
            let until = now.after(SILENCE).0;
            let taken = transaction
                .execute(sql, params![model, holder, until, now.0, now.0.saturating_add(BELIEVED)])?;
            transaction.commit()?;
            Ok(taken > 0)
        };
        take().map_err(failed)
    }

    /// Leaves every watch that a server holds, so that another may take over at once.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`]: another takes over once this one has been silent.
    pub fn leave(&self, holder: &str) -> Result<(), ServeError> {
        let connection = self.0.lock();
        connection.execute("DELETE FROM watches WHERE holder = ?1", params![holder]).map(drop).map_err(failed)
    }

    /// The limits that a version had crossed when somebody looked last who tells of it elsewhere than in `store`; none
    /// where that was one who tells of it there, or nobody.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn found_elsewhere(
        &self,
        (model, version): (&str, u32),
        store: &str,
    ) -> Result<Option<BTreeSet<String>>, ServeError> {
        let connection = self.0.lock();
        let read = || {
            let last: Option<String> = connection
                .query_row("SELECT store FROM lookers WHERE model = ?1", params![model], |row| row.get(0))
                .optional()?;
            if last.is_none_or(|last| last == store) {
                return Ok(None);
            }
            let mut query =
                connection.prepare_cached("SELECT what FROM findings WHERE model = ?1 AND version = ?2")?;
            let rows = query.query_map(params![model, version], |row: &Row<'_>| row.get(0))?;
            rows.collect::<rusqlite::Result<_>>().map(Some)
        };
        read().map_err(failed)
    }

    /// Writes down which limits a version has crossed now, and in which store that is told; what an earlier version
    /// crossed is forgotten.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn write(
        &self,
        (model, version): (&str, u32),
        crossed: &BTreeSet<String>,
        store: &str,
    ) -> Result<(), ServeError> {
        let mut connection = self.0.lock();
        let mut write = || {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute("DELETE FROM findings WHERE model = ?1", params![model])?;
            for what in crossed {
                let sql = "INSERT INTO findings (model, version, what) VALUES (?1, ?2, ?3)";
                transaction.execute(sql, params![model, version, what])?;
            }
            let sql = "INSERT INTO lookers (model, store) VALUES (?1, ?2)
                       ON CONFLICT (model) DO UPDATE SET store = excluded.store";
            transaction.execute(sql, params![model, store])?;
            transaction.commit()
        };
        write().map_err(failed)
    }
}

/// Who holds the watch over a model, and until when.
fn held(connection: &Connection, model: &str) -> rusqlite::Result<Option<(String, i64)>> {
    let mut query = connection.prepare_cached("SELECT holder, until FROM watches WHERE model = ?1")?;
    query.query_row(params![model], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

/// A server that may hold watches. What it holds it leaves when it is dropped.
#[derive(Debug)]
pub struct Holder {
    watches: Watches,
    id: String,
}

impl Holder {
    /// A server of its own, told apart from all others.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`] when the system has no randomness.
    pub fn new(watches: Watches) -> Result<Self, ServeError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| ServeError::Unavailable {
            what: "the system's randomness",
            reason: error.to_string(),
        })?;
        Ok(Self { watches, id: format!("{:032x}", u128::from_le_bytes(bytes)) })
    }

    /// Takes the watch over a model, or keeps it; false while another server holds it.
    ///
    /// # Errors
    /// As for [`Watches::take`].
    pub fn take(&self, model: &str, now: Timestamp) -> Result<bool, ServeError> {
        self.watches.take(model, &self.id, now)
    }

    /// Does something while the watch over a model is kept, however long it takes. `work` is given whether the watch was
    /// lost meanwhile, as after a machine that slept: then another server is at it.
    pub fn holding<T>(
        &self,
        model: &str,
        clock: &dyn Clock,
        work: impl FnOnce(&(dyn Fn() -> bool + Sync)) -> T,
    ) -> T {
        let (lost, done, bell) = (AtomicBool::new(false), Mutex::new(false), Condvar::new());
        let renew = || {
            let mut done = done.lock();
            while !*done {
                if !bell.wait_for(&mut done, RENEW).timed_out() {
                    continue;
                }
                match self.take(model, clock.now()) {
                    Ok(kept) => lost.store(!kept, Ordering::Relaxed),
                    Err(error) => tracing::warn!(model, %error, "the watch could not be kept"),
                }
            }
        };
        std::thread::scope(|threads| {
            let keeper = std::thread::Builder::new().name("watch".into()).spawn_scoped(threads, renew);
            if let Err(error) = keeper {
                tracing::warn!(model, %error, "the watch is not kept during a look");
            }
            let result = work(&|| lost.load(Ordering::Relaxed));
            *done.lock() = true;
            bell.notify_all();
            result
        })
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        if let Err(error) = self.watches.leave(&self.id) {
            tracing::debug!(%error, "watches are left by silence");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(1_000_000_000_000_000 + seconds * 1_000_000)
    }

    fn two() -> (tempfile::TempDir, Watches, Watches) {
        let folder = tempfile::tempdir().unwrap();
        let open = || Watches::open(&folder.path().join("registry")).unwrap();
        let (one, other) = (open(), open());
        (folder, one, other)
    }

    #[test]
    fn one_server_watches_and_another_takes_over_once_it_is_silent() {
        let (_folder, one, other) = two();
        assert!(one.take("win", "a", at(0)).unwrap());
        assert!(!other.take("win", "b", at(59)).unwrap());
        assert!(other.take("churn", "b", at(0)).unwrap(), "each model has a watch of its own");
        assert!(one.take("win", "a", at(50)).unwrap(), "it is still there");
        assert!(!other.take("win", "b", at(100)).unwrap());
        assert!(other.take("win", "b", at(110)).unwrap(), "a dead server holds nobody up");
        assert!(!one.take("win", "a", at(111)).unwrap(), "who comes back finds it taken");
    }

    #[test]
    fn a_server_that_stops_leaves_its_watches_and_only_these() {
        let (_folder, one, other) = two();
        let holder = Holder::new(one).unwrap();
        assert!(holder.take("win", at(0)).unwrap() && other.take("churn", "b", at(0)).unwrap());
        drop(holder);
        assert!(other.take("win", "c", at(1)).unwrap());
        assert!(!other.take("churn", "c", at(1)).unwrap());
    }

    #[test]
    fn a_clock_that_was_years_ahead_does_not_hold_a_watch_for_years() {
        let (_folder, one, other) = two();
        assert!(one.take("win", "a", at(100_000_000)).unwrap());
        assert!(other.take("win", "b", at(0)).unwrap());
        assert!(!one.take("win", "c", at(1)).unwrap());
    }

    #[test]
    fn of_many_servers_that_ask_at_once_one_gets_the_watch() {
        let (folder, _, _) = two();
        let path = folder.path().join("registry");
        let ask = |name: usize| Watches::open(&path).unwrap().take("win", &name.to_string(), at(0)).unwrap();
        let taken: usize = std::thread::scope(|threads| {
            let all: Vec<_> = (0..8).map(|name| threads.spawn(move || ask(name))).collect();
            all.into_iter().map(|one| usize::from(one.join().unwrap())).sum()
        });
        assert_eq!(taken, 1);
    }

    #[test]
    fn a_look_knows_when_its_watch_is_lost_and_ends_its_keeper() {
        let (_folder, one, other) = two();
        let holder = Holder::new(one).unwrap();
        let clock = scorehouse_features::time::FixedClock(at(0));
        assert!(holder.take("win", at(0)).unwrap());
        let lost = holder.holding("win", &clock, |lost| lost());
        assert!(!lost && !other.take("win", "b", at(1)).unwrap());
    }

    #[test]
    fn what_was_found_is_told_to_whoever_tells_of_it_elsewhere() {
        let (_folder, one, other) = two();
        let crossed: BTreeSet<String> = ["auc".to_owned()].into();
        let none = BTreeSet::new();
        assert_eq!(one.found_elsewhere(("win", 3), "here").unwrap(), None, "nobody has looked");
        one.write(("win", 3), &crossed, "here").unwrap();
        assert_eq!(one.found_elsewhere(("win", 3), "here").unwrap(), None);
        assert_eq!(other.found_elsewhere(("win", 3), "there").unwrap(), Some(crossed));
        assert_eq!(other.found_elsewhere(("win", 4), "there").unwrap(), Some(none.clone()));
        other.write(("win", 4), &none, "there").unwrap();
        assert_eq!(one.found_elsewhere(("win", 3), "here").unwrap(), Some(none));
    }
}
