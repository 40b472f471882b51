//! The tables, and how an older database is brought up to date.

use rusqlite::{Connection, TransactionBehavior};

use crate::error::ModelError;

/// Each entry brings the database from version i to i + 1; entries are never changed, only added.
const STEPS: &[&str] = &["
CREATE TABLE versions (
    model               TEXT    NOT NULL,
    version             INTEGER NOT NULL,
    digest              TEXT    NOT NULL,
    bytes               INTEGER NOT NULL,
    kind                TEXT    NOT NULL,
    signature           TEXT    NOT NULL,
    metrics             TEXT    NOT NULL,
    params              TEXT    NOT NULL,
    window_from         INTEGER,
    window_to           INTEGER,
    feature_set         TEXT,
    feature_set_hash    TEXT,
    data_digest         TEXT,
    report              TEXT,
    registered_by       TEXT    NOT NULL,
    registered_at       INTEGER NOT NULL,
    PRIMARY KEY (model, version)
) STRICT;
CREATE UNIQUE INDEX versions_by_digest ON versions (model, digest);
CREATE TABLE aliases (
    model   TEXT    NOT NULL,
    alias   TEXT    NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (model, alias),
    FOREIGN KEY (model, version) REFERENCES versions (model, version)
) STRICT;
CREATE TABLE audit (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    model        TEXT    NOT NULL,
    action       TEXT    NOT NULL,
    alias        TEXT,
    from_version INTEGER,
    to_version   INTEGER,
    who          TEXT    NOT NULL,
    at           INTEGER NOT NULL,
    why          TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_by_model ON audit (model, number);
"];

/// Sets up the connection and brings the tables up to date.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), ModelError> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // WAL's default waits for the disk at checkpoints only; an acknowledged move must outlive a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let known = STEPS.len() as i64;
    // A full disk must not keep a server from starting: where nothing has to change, nothing is written.
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found == known {
        return Ok(());
    }
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        let why = format!("it is version {found}; this release knows versions up to {known}");
        return Err(ModelError::CorruptRegistry { what: "database", why });
    }
    for step in &STEPS[found.max(0) as usize..] {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "user_version", known)?;
    tx.commit()?;
    Ok(())
}
