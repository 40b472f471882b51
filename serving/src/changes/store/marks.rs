//! What pushes have touched, and where entities stand.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use scorehouse_features::ids::EntityName;
use scorehouse_features::time::Timestamp;

use super::super::{Change, Kind};
use super::{ChangeStore, Telling, failed};
use crate::error::ServeError;

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
    /// How often what it marks could not be scored.
    pub attempts: u32,
}

/// Attempts to score what is marked before the mark is given up; the entity's next push marks it anew.
pub(super) const MOST_ATTEMPTS: u32 = 10;

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

impl ChangeStore {
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
                 ON CONFLICT (model, role, key) DO UPDATE SET turn = excluded.turn, attempts = 0",
            )?;
            for (model, role, key) in marks {
                insert.execute(params![model, role, key, turn])?;
            }
            // Registered while the lock is held, so that whoever reads the marks knows of it.
            register(turn);
            Ok(turn)
        })
    }

    /// The earliest marks before a turn, which is asked for while no mark can be made; those that have `failed`
    /// before, or those that have not.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn marks(
        &self,
        before: impl FnOnce() -> i64,
        failed_before: bool,
        limit: usize,
    ) -> Result<Vec<Mark>, ServeError> {
        let connection = self.0.lock();
        let before = before();
        let read = |row: &Row<'_>| {
            let (model, role, key) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Mark { model, role, key, turn: row.get(3)?, attempts: row.get(4)? })
        };
        let sql = match failed_before {
            false => {
                "SELECT model, role, key, turn, attempts FROM marks
                 WHERE attempts = 0 AND turn < ?1 ORDER BY turn LIMIT ?2"
            }
            true => {
                "SELECT model, role, key, turn, attempts FROM marks
                 WHERE attempts > 0 AND turn < ?1 ORDER BY attempts, turn LIMIT ?2"
            }
        };
        let mut query = connection.prepare_cached(sql).map_err(failed)?;
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

    /// Puts a mark behind those that have not failed, or gives it up when it has failed too often: true then.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn postpone(&self, mark: &Mark) -> Result<bool, ServeError> {
        let attempts = mark.attempts + 1;
        if attempts >= MOST_ATTEMPTS {
            return self.unmark(mark).map(|()| true);
        }
        let sql = "UPDATE marks SET attempts = ?5 WHERE model = ?1 AND role = ?2 AND key = ?3 AND turn = ?4";
        self.write(|transaction| {
            transaction
                .execute(sql, params![mark.model, mark.role, mark.key, mark.turn, attempts])
                .map(|_| false)
        })
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

    /// Writes down where entities stand before anything is told of them; what was told meanwhile stays.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn begin(&self, model: &str, told: &[(String, Told)]) -> Result<(), ServeError> {
        let sql = "INSERT INTO bands (model, key, band, output, version, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                   ON CONFLICT (model, key) DO NOTHING";
        self.write(|transaction| {
            let mut insert = transaction.prepare_cached(sql)?;
            told.iter().try_for_each(|(key, told)| {
                let Told { band, output, version, at } = *told;
                insert.execute(params![model, key, band as i64, output, version, at.0]).map(drop)
            })
        })
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
}

/// A change of a score before it has a number.
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
        let Draft { entity, body, webhooks } = *self;
        let about = Some((entity, mark.key.as_str()));
        Telling { kind: Kind::ScoreChanged, model: &mark.model, about, body, webhooks }.insert(to)
    }
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
