//! The registry on SQLite: the suite for all, and what only files can do.

use super::*;
use crate::registry::Parents;
use crate::registry::conformance::{self, Open, artifact};
use scorehouse_features::time::Timestamp;

struct Folder(tempfile::TempDir);

impl Open for Folder {
    type Registry = SqliteRegistry;

    fn open(&self) -> SqliteRegistry {
        SqliteRegistry::open(self.0.path()).unwrap()
    }
}

fn folder() -> Folder {
    Folder(tempfile::tempdir().unwrap())
}

fn request(intercept: f64) -> RegisterRequest {
    RegisterRequest {
        model: ModelName::new("win").unwrap(),
        artifact: artifact(intercept),
        metrics: serde_json::Value::Null,
        window: None,
        parents: Parents::default(),
        params: serde_json::Value::Null,
        report: None,
        who: "ada".into(),
        when: Timestamp(0),
    }
}

#[test]
fn it_does_what_every_registry_must() {
    conformance::check(folder);
}

#[test]
fn a_stored_artifact_that_was_changed_is_refused() {
    let folder = folder();
    let registry = folder.open();
    registry.register(&request(0.1)).unwrap();
    let win = ModelName::new("win").unwrap();
    let digest = registry.get(&win, ModelVersion(1)).unwrap().digest;
    let path = folder.0.path().join("artifacts").join(digest.as_str());
    // A whole and valid artifact, but not the one registered.
    std::fs::write(&path, artifact(0.2)).unwrap();
    let refused = registry.artifact(&win, ModelVersion(1)).unwrap_err();
    assert!(matches!(refused, ModelError::Tampered { .. }), "{refused}");
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(registry.artifact(&win, ModelVersion(1)), Err(ModelError::Storage(_))));
}

#[test]
fn many_writers_lose_no_version_and_no_move() {
    let folder = folder();
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let registry = folder.open();
            scope.spawn(move || {
                for i in 0..8_u32 {
                    registry.register(&request(f64::from(thread * 8 + i))).unwrap();
                }
            });
        }
    });
    let registry = folder.open();
    let win = ModelName::new("win").unwrap();
    let numbers: Vec<u32> = registry.versions(&win).unwrap().iter().map(|v| v.version.0).collect();
    assert_eq!(numbers, (1..=32).collect::<Vec<_>>());
    assert_eq!(registry.audit(&win).unwrap().len(), 32);
    assert_eq!(registry.revision().unwrap(), 32);
}

#[test]
fn it_can_be_used_inside_an_async_runtime() {
    let folder = folder();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let registry = folder.open();
        registry.register(&request(0.5)).unwrap();
        registry.artifact(&ModelName::new("win").unwrap(), ModelVersion(1)).unwrap();
    });
}

#[test]
fn a_database_of_a_later_release_is_refused() {
    let folder = folder();
    drop(folder.open());
    let connection = Connection::open(folder.0.path().join("registry.sqlite")).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let refused = SqliteRegistry::open(folder.0.path()).unwrap_err();
    assert!(refused.to_string().contains("version 99"), "{refused}");
}

#[test]
fn side_files_stay_for_a_start_on_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteRegistry::open(folder.path()).unwrap());
    for ending in ["wal", "shm"] {
        let file = folder.path().join(format!("registry.sqlite-{ending}"));
        assert!(file.exists(), "{}", file.display());
    }
    SqliteRegistry::open(folder.path()).unwrap();
}
