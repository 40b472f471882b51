//! Reading and writing rows of the tables.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};
use serde::de::DeserializeOwned;

use scorehouse_features::ids::{FeatureSetName, ModelName};
use scorehouse_features::time::Timestamp;

use crate::artifact::Artifact;
use crate::error::ModelError;
use crate::ids::{AliasName, ArtifactDigest, ModelVersion};
use crate::registry::{
    AliasMove, AuditAction, AuditEntry, Parents, RegisterRequest, TrainingWindow, VersionRecord,
};
use crate::signature::FeatureSetRef;

fn corrupt<E: ToString>(what: &'static str) -> impl Fn(E) -> ModelError {
    move |why| ModelError::CorruptRegistry { what, why: why.to_string() }
}

fn json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, ModelError> {
    serde_json::from_str(text).map_err(corrupt(what))
}

pub(super) fn insert_version(
    connection: &Connection,
    request: &RegisterRequest,
    artifact: &Artifact,
    digest: &ArtifactDigest,
    version: u32,
) -> Result<(), ModelError> {
    let signature = serde_json::to_string(&artifact.signature).map_err(corrupt("signature"))?;
    let feature_set = request.parents.feature_set.as_ref();
    connection
        .prepare_cached(
            "INSERT INTO versions (model, version, digest, bytes, kind, signature, metrics, params, window_from, \
             window_to, feature_set, feature_set_hash, data_digest, report, registered_by, registered_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?
        .execute(params![
            request.model.as_str(),
            version,
            digest.as_str(),
            request.artifact.len() as i64,
            artifact.predictor.kind(),
            signature,
            request.metrics.to_string(),
            request.params.to_string(),
            request.window.map(|w| w.from.0),
            request.window.map(|w| w.to.0),
            feature_set.map(|f| f.name.as_str()),
            feature_set.map(|f| f.hash.as_str()),
            request.parents.data_digest,
            request.report,
            request.who,
            request.when.0,
        ])?;
    Ok(())
}

/// The versions of a model, or the one asked for.
pub(super) fn versions(
    connection: &Connection,
    model: &ModelName,
    only: Option<ModelVersion>,
) -> Result<Vec<VersionRecord>, ModelError> {
    let mut statement = connection.prepare_cached(
        "SELECT version, digest, bytes, kind, signature, metrics, params, window_from, window_to, feature_set, \
         feature_set_hash, data_digest, report, registered_by, registered_at FROM versions \
         WHERE model = ?1 AND (?2 IS NULL OR version = ?2) ORDER BY version",
    )?;
    let mut rows = statement.query(params![model.as_str(), only.map(|v| v.0)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(version_record(model, row)?);
    }
    Ok(found)
}

fn version_record(model: &ModelName, row: &Row<'_>) -> Result<VersionRecord, ModelError> {
    let text = |column: &'static str| row.get::<_, String>(column);
    let moment = |column: &'static str| row.get::<_, Option<i64>>(column);
    let window = moment("window_from")?.zip(moment("window_to")?);
    let window = window.map(|(from, to)| TrainingWindow { from: Timestamp(from), to: Timestamp(to) });
    let set: Option<String> = row.get("feature_set")?;
    let hash: Option<String> = row.get("feature_set_hash")?;
    let feature_set = match set.zip(hash) {
        Some((name, hash)) => {
            Some(FeatureSetRef { name: FeatureSetName::new(name).map_err(corrupt("feature set"))?, hash })
        }
        None => None,
    };
    Ok(VersionRecord {
        model: model.clone(),
        version: ModelVersion(row.get("version")?),
        digest: ArtifactDigest::new(&text("digest")?)?,
        bytes: row.get::<_, i64>("bytes")? as u64,
        kind: text("kind")?,
        signature: json("signature", &text("signature")?)?,
        metrics: json("metrics", &text("metrics")?)?,
        params: json("params", &text("params")?)?,
        window,
        parents: Parents { feature_set, data_digest: row.get("data_digest")? },
        report: row.get("report")?,
        who: text("registered_by")?,
        when: Timestamp(row.get("registered_at")?),
    })
}

/// Models by name, each with its newest version.
pub(super) fn models(connection: &Connection) -> Result<Vec<(ModelName, ModelVersion)>, ModelError> {
    let mut statement = connection
        .prepare_cached("SELECT model, max(version) FROM versions GROUP BY model ORDER BY model")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let name = ModelName::new(row.get::<_, String>(0)?).map_err(corrupt("model"))?;
        found.push((name, ModelVersion(row.get(1)?)));
    }
    Ok(found)
}

fn latest(connection: &Connection, model: &ModelName) -> Result<Option<ModelVersion>, ModelError> {
    let mut statement = connection.prepare_cached("SELECT max(version) FROM versions WHERE model = ?1")?;
    let latest: Option<u32> = statement.query_row([model.as_str()], |row| row.get(0))?;
    Ok(latest.map(ModelVersion))
}

pub(super) fn require_model(connection: &Connection, model: &ModelName) -> Result<ModelVersion, ModelError> {
    if let Some(latest) = latest(connection, model)? {
        return Ok(latest);
    }
    let known = models(connection)?.into_iter().map(|(name, _)| name.to_string()).collect();
    Err(ModelError::UnknownModel { name: model.to_string(), known })
}

/// Versions count up without gaps, so the newest number tells which there are.
pub(super) fn require_version(
    connection: &Connection,
    model: &ModelName,
    version: ModelVersion,
) -> Result<(), ModelError> {
    let latest = require_model(connection, model)?;
    if version.0 >= 1 && version <= latest {
        return Ok(());
    }
    Err(ModelError::UnknownVersion { model: model.to_string(), version, latest: Some(latest) })
}

pub(super) fn aliases(
    connection: &Connection,
    model: &ModelName,
) -> Result<BTreeMap<AliasName, ModelVersion>, ModelError> {
    let mut statement = connection.prepare_cached("SELECT alias, version FROM aliases WHERE model = ?1")?;
    let mut rows = statement.query([model.as_str()])?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let alias = AliasName::new(row.get::<_, String>(0)?).map_err(corrupt("alias"))?;
        found.insert(alias, ModelVersion(row.get(1)?));
    }
    Ok(found)
}

/// Points an alias, or takes it away.
pub(super) fn point(connection: &Connection, request: &AliasMove) -> Result<(), ModelError> {
    let (model, alias) = (request.model.as_str(), request.alias.as_str());
    match request.to {
        Some(version) => connection
            .prepare_cached(
                "INSERT INTO aliases (model, alias, version) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (model, alias) DO UPDATE SET version = excluded.version",
            )?
            .execute(params![model, alias, version.0])?,
        None => connection
            .prepare_cached("DELETE FROM aliases WHERE model = ?1 AND alias = ?2")?
            .execute(params![model, alias])?,
    };
    Ok(())
}

/// Adds a line to the trail; its number is given by the database.
pub(super) fn record(connection: &Connection, entry: &AuditEntry) -> Result<(), ModelError> {
    connection
        .prepare_cached(
            "INSERT INTO audit (model, action, alias, from_version, to_version, who, at, why) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            entry.model.as_str(),
            entry.action.as_str(),
            entry.alias.as_ref().map(AliasName::as_str),
            entry.from.map(|v| v.0),
            entry.to.map(|v| v.0),
            entry.who,
            entry.when.0,
            entry.why,
        ])?;
    Ok(())
}

pub(super) fn audit(connection: &Connection, model: &ModelName) -> Result<Vec<AuditEntry>, ModelError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, action, alias, from_version, to_version, who, at, why FROM audit WHERE model = ?1 \
         ORDER BY number",
    )?;
    let mut rows = statement.query([model.as_str()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let alias: Option<String> = row.get("alias")?;
        found.push(AuditEntry {
            number: row.get::<_, i64>("number")? as u64,
            model: model.clone(),
            action: AuditAction::parse(&row.get::<_, String>("action")?)?,
            alias: alias.map(AliasName::new).transpose()?,
            from: row.get::<_, Option<u32>>("from_version")?.map(ModelVersion),
            to: row.get::<_, Option<u32>>("to_version")?.map(ModelVersion),
            who: row.get("who")?,
            when: Timestamp(row.get("at")?),
            why: row.get("why")?,
        });
    }
    Ok(found)
}
