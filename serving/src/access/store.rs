//! Where keys and the trail of changes are kept: one SQLite database in the project's state folder.
//!
//! Several processes hold it open: the command line makes and revokes keys while servers run. A server asks
//! [`KeyStore::revision`] a few times a second and never on the way of a request.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};
use scorehouse_features::definition::{Project, Role};
use scorehouse_features::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::key::ApiKey;
use scorehouse_models::registry::keep_side_files;

use crate::error::ServeError;

/// Each entry brings the database from version i to i + 1; entries are never changed, only added.
const STEPS: &[&str] = &["
CREATE TABLE keys (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    attributes TEXT    NOT NULL,
    hash       TEXT    NOT NULL,
    created    INTEGER NOT NULL,
    expires    INTEGER,
    revoked    INTEGER,
    last_used  INTEGER
) STRICT;
CREATE TABLE audit (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    who     TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    why     TEXT    NOT NULL
) STRICT;
"];

/// How long a writer waits for another.
const BUSY: Duration = Duration::from_secs(10);
/// Longest name and reason, in characters.
const LONGEST: usize = 200;

/// Where a project's keys are kept.
#[must_use]
pub fn folder(project: &Project) -> PathBuf {
    project.state.join("access")
}

/// A key as it is kept: everything but the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyRecord {
    /// Its id, the part of the key that is no secret.
    pub id: String,
    /// Who holds it; `caller.name` in conditions.
    pub name: String,
    /// What its holder is to the company.
    pub role: Role,
    /// What else is known of its holder, by name.
    pub attributes: Vec<(String, String)>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends; none for a key that does not.
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// When it was last used, give or take ten seconds.
    pub last_used: Option<Timestamp>,
    /// The hash of its secret.
    #[serde(skip)]
    pub(super) hash: String,
}

impl KeyRecord {
    /// True for a key that opens at `now`.
    #[must_use]
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|end| now < end)
    }
}

/// A key to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Who will hold it.
    pub name: String,
    /// What its holder is to the company.
    pub role: Role,
    /// What else is known of its holder, by name.
    pub attributes: Vec<(String, String)>,
    /// When it ends.
    pub expires: Option<Timestamp>,
}

/// Who changes something, when and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act<'a> {
    /// Who.
    pub who: &'a str,
    /// When.
    pub when: Timestamp,
    /// Why.
    pub why: &'a str,
}

/// One change to who may ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AccessChange {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub when: Timestamp,
    /// Who did it.
    pub who: String,
    /// What was done: `create_key` or `revoke_key`.
    pub action: String,
    /// To what.
    pub subject: String,
    /// Why.
    pub why: String,
}

/// The keys of a project.
#[derive(Debug)]
pub struct KeyStore(Mutex<Connection>);

fn failed(error: &rusqlite::Error) -> ServeError {
    ServeError::Unavailable { what: "the store of keys", reason: error.to_string() }
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> ServeError + '_ {
    move |source| ServeError::Io { what: path.display().to_string(), source }
}

impl KeyStore {
    /// Opens the store in `folder`, making it when there is none; only the owner may read it.
    ///
    /// # Errors
    /// [`ServeError::Io`] and [`ServeError::Unavailable`] when it cannot be opened.
    pub fn open(folder: &Path) -> Result<Self, ServeError> {
        std::fs::create_dir_all(folder).map_err(io(folder))?;
        restrict(folder).map_err(io(folder))?;
        let mut connection = Connection::open(folder.join("access.sqlite")).map_err(|e| failed(&e))?;
        keep_side_files(&connection).map_err(|e| failed(&e))?;
        prepare(&mut connection)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Makes a key; it is given once and cannot be read again.
    ///
    /// # Errors
    /// [`ServeError::InvalidField`] for a name that is empty, too long or not printable, and what the database
    /// reports.
    pub fn create(&self, new: &NewKey, act: &Act<'_>) -> Result<(ApiKey, KeyRecord), ServeError> {
        check_text("a key's name", &new.name)?;
        let key = ApiKey::generate()?;
        let record = KeyRecord {
            id: key.id().to_owned(),
            name: new.name.clone(),
            role: new.role,
            attributes: new.attributes.clone(),
            created: act.when,
            expires: new.expires,
            revoked: None,
            last_used: None,
            hash: key.hash().to_hex().to_string(),
        };
        self.change(|tx| {
            insert(tx, &record)?;
            note(tx, act, "create_key", &subject(&record))
        })?;
        Ok((key, record))
    }

    /// Revokes every valid key with this id or name, and gives them.
    ///
    /// # Errors
    /// What the database reports.
    pub fn revoke(&self, id_or_name: &str, act: &Act<'_>) -> Result<Vec<KeyRecord>, ServeError> {
        let meant: Vec<KeyRecord> = self
            .list()?
            .into_iter()
            .filter(|key| key.revoked.is_none() && (key.id == id_or_name || key.name == id_or_name))
            .collect();
        self.change(|tx| {
            for key in &meant {
                tx.execute(
                    "UPDATE keys SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL",
                    params![key.id, act.when.0],
                )?;
                note(tx, act, "revoke_key", &subject(key))?;
            }
            Ok(())
        })?;
        Ok(meant)
    }

    /// Every key there ever was, the oldest first.
    ///
    /// # Errors
    /// What the database reports.
    pub fn list(&self) -> Result<Vec<KeyRecord>, ServeError> {
        let connection = self.0.lock();
        let mut statement = connection
            .prepare_cached(
                "SELECT id, name, role, attributes, hash, created, expires, revoked, last_used FROM keys \
                 ORDER BY created, id",
            )
            .map_err(|e| failed(&e))?;
        let rows = statement.query_map([], record).map_err(|e| failed(&e))?;
        rows.collect::<Result<_, _>>().map_err(|e| failed(&e))
    }

    /// Writes down when keys were last used; a later moment stays.
    ///
    /// # Errors
    /// What the database reports.
    pub fn used(&self, moments: &[(String, Timestamp)]) -> Result<(), ServeError> {
        self.change(|tx| {
            for (id, moment) in moments {
                tx.prepare_cached(
                    "UPDATE keys SET last_used = max(coalesce(last_used, 0), ?2) WHERE id = ?1",
                )?
                .execute(params![id, moment.0])?;
            }
            Ok(())
        })
    }

    /// Every change, the newest first, `limit` at most.
    ///
    /// # Errors
    /// What the database reports.
    pub fn audit(&self, limit: usize) -> Result<Vec<AccessChange>, ServeError> {
        let connection = self.0.lock();
        let mut statement = connection
            .prepare_cached("SELECT at, who, action, subject, why FROM audit ORDER BY number DESC LIMIT ?1")
            .map_err(|e| failed(&e))?;
        let change = |row: &Row<'_>| {
            Ok(AccessChange {
                when: Timestamp(row.get(0)?),
                who: row.get(1)?,
                action: row.get(2)?,
                subject: row.get(3)?,
                why: row.get(4)?,
            })
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map([limit], change).map_err(|e| failed(&e))?;
        rows.collect::<Result<_, _>>().map_err(|e| failed(&e))
    }

    /// A number that changes when another process, or another connection of this one, changed something.
    ///
    /// # Errors
    /// What the database reports.
    pub fn revision(&self) -> Result<i64, ServeError> {
        let connection = self.0.lock();
        connection.pragma_query_value(None, "data_version", |row| row.get(0)).map_err(|e| failed(&e))
    }

    fn change(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<(), rusqlite::Error>,
    ) -> Result<(), ServeError> {
        let mut connection = self.0.lock();
        committed(&mut connection, work).map_err(|e| failed(&e))
    }
}

fn committed(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<(), rusqlite::Error>,
) -> Result<(), rusqlite::Error> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    work(&tx)?;
    tx.commit()
}

fn prepare(connection: &mut Connection) -> Result<(), ServeError> {
    let brought = migrate(connection).map_err(|e| failed(&e))?;
    if brought > STEPS.len() {
        return Err(ServeError::Unavailable {
            what: "the store of keys",
            reason: format!("it is version {brought}; this release knows versions up to {}", STEPS.len()),
        });
    }
    Ok(())
}

/// Brings the tables up to date and gives the version they have.
fn migrate(connection: &mut Connection) -> Result<usize, rusqlite::Error> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A revocation that was acknowledged must outlive a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // A full disk must not keep a server from starting: where nothing has to change, nothing is written.
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if usize::try_from(found) == Ok(STEPS.len()) {
        return Ok(STEPS.len());
    }
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let found = usize::try_from(found).unwrap_or(0);
    if found > STEPS.len() {
        return Ok(found);
    }
    for step in STEPS.iter().skip(found) {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "user_version", STEPS.len() as i64)?;
    tx.commit()?;
    Ok(STEPS.len())
}

fn insert(tx: &Transaction<'_>, key: &KeyRecord) -> Result<(), rusqlite::Error> {
    let attributes = serde_json::to_string(&key.attributes).unwrap_or_else(|_| "[]".to_owned());
    tx.execute(
        "INSERT INTO keys (id, name, role, attributes, hash, created, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            key.id,
            key.name,
            key.role.as_str(),
            attributes,
            key.hash,
            key.created.0,
            key.expires.map(|end| end.0)
        ],
    )?;
    Ok(())
}

fn note(tx: &Transaction<'_>, act: &Act<'_>, action: &str, subject: &str) -> Result<(), rusqlite::Error> {
    let cut = |text: &str| text.chars().take(LONGEST).collect::<String>();
    tx.execute(
        "INSERT INTO audit (at, who, action, subject, why) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![act.when.0, cut(act.who), action, subject, cut(act.why)],
    )?;
    Ok(())
}

fn subject(key: &KeyRecord) -> String {
    format!("key {} of {}, {}", key.id, key.name, key.role)
}

fn record(row: &Row<'_>) -> Result<KeyRecord, rusqlite::Error> {
    let unreadable = |column| {
        move |error: Box<dyn std::error::Error + Send + Sync>| {
            rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error)
        }
    };
    let role: String = row.get(2)?;
    let attributes: String = row.get(3)?;
    let moment = |at: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.map(Timestamp));
    Ok(KeyRecord {
        id: row.get(0)?,
        name: row.get(1)?,
        role: Role::from_str(&role).map_err(|e| unreadable(2)(e.into()))?,
        attributes: serde_json::from_str(&attributes).map_err(|e| unreadable(3)(e.into()))?,
        hash: row.get(4)?,
        created: Timestamp(row.get(5)?),
        expires: moment(6)?,
        revoked: moment(7)?,
        last_used: moment(8)?,
    })
}

fn check_text(what: &str, text: &str) -> Result<(), ServeError> {
    let long = text.chars().count() > LONGEST;
    if text.trim().is_empty() || long || text.chars().any(char::is_control) {
        let message = format!("{what} is 1 to {LONGEST} printable characters");
        return Err(ServeError::InvalidField { message, nearest: None });
    }
    Ok(())
}

/// Takes the folder away from everyone but its owner.
#[cfg(unix)]
fn restrict(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn restrict(_: &Path) -> std::io::Result<()> {
    Ok(())
}
