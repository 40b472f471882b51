//! What the examples that write a project share.

use std::sync::Arc;

use scorehouse_features::definition::Project;
use scorehouse_features::ids::{ModelName, SourceName};
use scorehouse_features::online::{Base, EmbeddedStore, OnlineStore, PushedRow, StoreOptions};
use scorehouse_features::time::{SystemClock, Timestamp};
use scorehouse_features::value::Value;
use scorehouse_features::view::Layout;
use scorehouse_models::registry::{AliasMove, Parents, RegisterRequest};
use scorehouse_models::{AliasName, Artifact, Registry, SqliteRegistry};

/// A number from 0 to 1 that only its seed decides.
pub fn number(seed: usize) -> f64 {
    let mut mixed = (seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^= mixed >> 31;
    mixed = mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

/// The project's online store, empty at first.
pub fn store(project: &Project) -> anyhow::Result<EmbeddedStore> {
    let base = Base::empty(&Layout::of(project)?);
    let log = project.state.join("online").join("log");
    Ok(EmbeddedStore::open(project, base, &log, StoreOptions::default(), Arc::new(SystemClock))?)
}

/// Pushes rows that all happened at one moment.
pub fn push(
    store: &EmbeddedStore,
    source: &str,
    at: Timestamp,
    rows: impl Iterator<Item = Vec<Value>>,
) -> anyhow::Result<()> {
    let row = |values| PushedRow { event_time: at, available: at, arrival: 0, values, id: None };
    store.append(&SourceName::new(source)?, rows.map(row).collect())?;
    Ok(())
}

/// Registers a model's first version and makes it the champion.
pub fn register(project: &Project, model: &str, artifact: &Artifact) -> anyhow::Result<()> {
    let registry = SqliteRegistry::open(project.state.join("registry"))?;
    let when = Timestamp::parse("2024-01-02")?;
    let model = ModelName::new(model)?;
    let registered = registry.register(&RegisterRequest {
        model: model.clone(),
        artifact: artifact.to_bytes()?,
        metrics: serde_json::json!({}),
        window: None,
        parents: Parents::default(),
        params: serde_json::json!({}),
        report: None,
        who: "bench".into(),
        when,
    })?;
    registry.move_alias(&AliasMove {
        model,
        alias: AliasName::champion(),
        to: Some(registered.version),
        who: "bench".into(),
        when,
        why: "to be measured".into(),
    })?;
    Ok(())
}
