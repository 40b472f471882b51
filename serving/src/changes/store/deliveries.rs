//! What is still to be delivered, what was given up, and who brought it back.

use rusqlite::{Row, params};
use scorehouse_features::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ChangeStore, failed};
use crate::error::ServeError;

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
    pub(super) const fn as_str(self) -> &'static str {
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
    /// What happened: `score_changed`, `limit_crossed`, `limit_kept`, `retrained` or `retraining_failed`.
    pub kind: String,
    /// What is delivered.
    #[schema(value_type = Object)]
    #[serde(serialize_with = "as_json")]
    pub body: String,
}

fn as_json<S: serde::Serializer>(body: &str, to: S) -> Result<S::Ok, S::Error> {
    let parsed: serde_json::Value = serde_json::from_str(body).map_err(serde::ser::Error::custom)?;
    parsed.serialize(to)
}

/// Who brought deliveries back that were given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redelivery {
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub who: String,
    /// The webhook.
    pub webhook: String,
    /// How many.
    pub count: u64,
}

impl ChangeStore {
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
        // A statement for each question, so that an index answers it.
        let which = match (webhook, state) {
            (Some(_), Some(_)) => "WHERE d.webhook = ?1 AND d.state = ?2",
            (Some(_), None) => "WHERE d.webhook = ?1",
            (None, Some(_)) => "WHERE d.state = ?2",
            (None, None) => "",
        };
        let state = state.map(DeliveryState::as_str);
        self.found(&format!("{which} ORDER BY d.id LIMIT ?3"), params![webhook, state, limit as i64])
    }

    /// Deliveries of a webhook whose turn has come by `now`, a count of the caller's own: those never tried first.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn due(&self, webhook: &str, now: i64, limit: usize) -> Result<Vec<Delivery>, ServeError> {
        let which =
            "WHERE d.webhook = ?1 AND d.state = 'waiting' AND d.due <= ?2 ORDER BY d.due, d.id LIMIT ?3";
        self.found(which, params![webhook, now, limit as i64])
    }

    fn found(&self, which: &str, by: impl rusqlite::Params) -> Result<Vec<Delivery>, ServeError> {
        let sql = format!(
            "SELECT d.id, d.webhook, d.change, d.state, d.attempts, d.error, d.tried, c.body, c.kind
             FROM deliveries d JOIN changes c ON c.id = d.change {which}"
        );
        let connection = self.0.lock();
        let mut query = connection.prepare_cached(&sql).map_err(failed)?;
        let rows = query.query_map(by, delivery).map_err(failed)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    /// When the next delivery of a webhook is due; none when nothing waits.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn next_due(&self, webhook: &str) -> Result<Option<i64>, ServeError> {
        let sql = "SELECT min(due) FROM deliveries WHERE webhook = ?1 AND state = 'waiting'";
        let connection = self.0.lock();
        let mut query = connection.prepare_cached(sql).map_err(failed)?;
        query.query_row(params![webhook], |row| row.get(0)).map_err(failed)
    }

    /// All that waits for a webhook is due: the count by which it was put off has ended with its process.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn all_due(&self, webhook: &str) -> Result<(), ServeError> {
        let sql = "UPDATE deliveries SET due = 0 WHERE webhook = ?1 AND state = 'waiting' AND due > 0";
        self.write(|transaction| transaction.execute(sql, params![webhook]).map(drop))
    }

    /// Gives up what waits for webhooks that are not declared any more.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn disown(&self, declared: &[&str], at: Timestamp) -> Result<(), ServeError> {
        self.write(|transaction| {
            let mut query =
                transaction.prepare("SELECT DISTINCT webhook FROM deliveries WHERE state = 'waiting'")?;
            let known: Vec<String> =
                query.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            let mut gone = known.iter().filter(|webhook| !declared.contains(&webhook.as_str()));
            let sql = "UPDATE deliveries SET state = 'dead', tried = ?2, error = 'the webhook is not declared any more'
                       WHERE webhook = ?1 AND state = 'waiting'";
            gone.try_for_each(|webhook| transaction.execute(sql, params![webhook, at.0]).map(drop))
        })
    }

    /// Forgets what was given up before a moment.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn forget_dead(&self, before: Timestamp) -> Result<(), ServeError> {
        let sql = "DELETE FROM deliveries WHERE state = 'dead' AND tried < ?1";
        self.write(|transaction| transaction.execute(sql, params![before.0]).map(drop))
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

    /// An attempt failed; the delivery is tried again when it is `due`, by the count of the caller, or given up.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn attempted(&self, id: u64, at: Timestamp, error: &str, due: Option<i64>) -> Result<(), ServeError> {
        let state = if due.is_none() { DeliveryState::Dead } else { DeliveryState::Waiting };
        let due = due.unwrap_or_default();
        let sql =
            "UPDATE deliveries SET attempts = attempts + 1, tried = ?2, error = ?3, state = ?4, due = ?5
                   WHERE id = ?1";
        self.write(|transaction| {
            transaction.execute(sql, params![id as i64, at.0, error, state.as_str(), due]).map(drop)
        })
    }

    /// Brings what was given up back: the deliveries named, or all of a webhook's; how many. Who did it stands in the
    /// trail.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn redeliver(
        &self,
        webhook: &str,
        ids: Option<&[u64]>,
        (who, at): (&str, Timestamp),
    ) -> Result<usize, ServeError> {
        let sql = "UPDATE deliveries SET state = 'waiting', attempts = 0, due = 0 WHERE webhook = ?1 AND state = 'dead'";
        self.write(|transaction| {
            let count = match ids {
                None => transaction.execute(sql, params![webhook])?,
                Some(ids) => {
                    let mut one = transaction.prepare(&format!("{sql} AND id = ?2"))?;
                    let counts = ids.iter().map(|id| one.execute(params![webhook, *id as i64]));
                    counts.sum::<rusqlite::Result<usize>>()?
                }
            };
            if count > 0 {
                transaction.execute(
                    "INSERT INTO redeliveries (at, who, webhook, count) VALUES (?1, ?2, ?3, ?4)",
                    params![at.0, who, webhook, count as i64],
                )?;
            }
            Ok(count)
        })
    }

    /// Who brought deliveries back, the latest first.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`].
    pub fn redeliveries(&self) -> Result<Vec<Redelivery>, ServeError> {
        let connection = self.0.lock();
        let mut query = connection
            .prepare_cached("SELECT at, who, webhook, count FROM redeliveries ORDER BY number DESC")
            .map_err(failed)?;
        let read = |row: &Row<'_>| {
            let count = row.get::<_, i64>(3)?.unsigned_abs();
            Ok(Redelivery { at: Timestamp(row.get(0)?), who: row.get(1)?, webhook: row.get(2)?, count })
        };
        let rows = query.query_map([], read).map_err(failed)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed)
    }
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
        kind: row.get(8)?,
    })
}
