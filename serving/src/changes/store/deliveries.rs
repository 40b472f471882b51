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
        let connection = self.0.lock();
        let mut query = connection
            .prepare_cached(
                "SELECT d.id, d.webhook, d.change, d.state, d.attempts, d.error, d.tried, c.body, c.kind
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
        let sql =
            "UPDATE deliveries SET state = 'waiting', attempts = 0 WHERE webhook = ?1 AND state = 'dead'";
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
