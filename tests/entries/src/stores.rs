//! Files of our own, as a disk or somebody else may give them back.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::ArrowError;
use scorehouse_features::definition::Project;
use scorehouse_features::ids::SourceName;
use scorehouse_features::online::{
    Base, BaseBuilder, EmbeddedStore, OnlineStore, Position, PushedRow, StoreOptions,
};
use scorehouse_features::time::{FixedClock, Timestamp};
use scorehouse_features::value::Value;
use scorehouse_features::view::Layout;
use scorehouse_models::{Artifact, ScoringModel};

use crate::texts::shop;

/// The shop with the files of a store that holds one row.
struct Stored {
    project: Project,
    layout: Layout,
    snapshot: Vec<u8>,
    segment: (PathBuf, Vec<u8>),
}

fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock(Timestamp(1_700_000_000_000_000)))
}

fn open(project: &Project, layout: &Layout, log: &Path) -> Option<EmbeddedStore> {
    EmbeddedStore::open(project, Base::empty(layout), log, StoreOptions::default(), clock()).ok()
}

/// Rows of three customers, for the sound snapshot.
fn visits() -> Result<RecordBatch, ArrowError> {
    let rows = 0..6_i64;
    let moments = || -> ArrayRef {
        let at = rows.clone().map(|row| 1_500_000_000_000_000 + row * 86_400_000_000);
        Arc::new(TimestampMicrosecondArray::from_iter_values(at).with_timezone("UTC"))
    };
    let keys = rows.clone().map(|row| format!("C-{}", row % 3));
    let columns: [(&str, ArrayRef); 8] = [
        ("customer_id", Arc::new(StringArray::from_iter_values(keys))),
        ("at", moments()),
        ("pages", Arc::new(Int64Array::from_iter_values(rows.clone()))),
        ("spent", Arc::new(Float64Array::from_iter_values(rows.clone().map(|row| row as f64 * 0.5)))),
        ("new", Arc::new(BooleanArray::from_iter(rows.clone().map(|row| Some(row == 0))))),
        ("__event_time", moments()),
        ("__available_time", moments()),
        ("__arrival", Arc::new(Int64Array::from_iter_values(rows))),
    ];
    RecordBatch::try_from_iter(columns)
}

static STORED: LazyLock<Option<Stored>> = LazyLock::new(|| {
    let project = shop()?;
    let layout = Layout::of(&project).ok()?;
    let folder = tempfile::tempdir().ok()?;
    let path = folder.path().join("base");
    let source = SourceName::new("visits").ok()?;
    let mut builder = BaseBuilder::new(&project).ok()?;
    builder.add(&source, &visits().ok()?).ok()?;
    builder.finish(Position::START).ok()?.save(&path).ok()?;
    let at = Timestamp(1_600_000_000_000_000);
    let values =
        vec![Value::Text("C-1".into()), Value::Time(at), Value::Int(3), Value::Float(2.5), Value::Bool(true)];
    let row = PushedRow { event_time: at, available: at, arrival: 0, values, id: None };
    let log = folder.path().join("log");
    open(&project, &layout, &log)?.append(&source, vec![row]).ok()?;
    let segment = std::fs::read_dir(&log).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let segment = segment.max_by_key(|path| path.metadata().map_or(0, |found| found.len()))?;
    let bytes = std::fs::read(&segment).ok()?;
    let segment = (PathBuf::from(segment.file_name()?), bytes);
    Some(Stored { snapshot: std::fs::read(path).ok()?, project, layout, segment })
});

/// A snapshot of the online store. With an even first byte the rest is laid over a sound one.
pub(crate) fn snapshot(bytes: &[u8]) {
    let (Some(stored), Ok(folder)) = (&*STORED, tempfile::tempdir()) else { return };
    let path = folder.path().join("base");
    if std::fs::write(&path, laid_over(bytes, &stored.snapshot)).is_ok() {
        let _ = Base::load(&path, &stored.layout);
    }
}

/// The log of pushed rows. With an even first byte the rest is laid over a sound segment.
pub(crate) fn online_log(bytes: &[u8]) {
    let (Some(stored), Ok(folder)) = (&*STORED, tempfile::tempdir()) else { return };
    let (name, sound) = &stored.segment;
    if std::fs::write(folder.path().join(name), laid_over(bytes, sound)).is_ok() {
        drop(open(&stored.project, &stored.layout, folder.path()));
    }
}

/// `bytes` behind the first; when that is even, the second and third say where they are laid over `sound`.
fn laid_over(bytes: &[u8], sound: &[u8]) -> Vec<u8> {
    match bytes {
        [how, low, high, rest @ ..] if how % 2 == 0 => {
            let mut laid = sound.to_vec();
            let at = usize::from(u16::from_le_bytes([*low, *high])) % (laid.len() + 1);
            laid.resize(laid.len().max(at + rest.len()), 0);
            laid[at..at + rest.len()].copy_from_slice(rest);
            laid
        }
        [_, rest @ ..] => rest.to_vec(),
        [] => Vec::new(),
    }
}

/// An artifact as it is.
pub(crate) fn artifact(bytes: &[u8]) {
    let _ = Artifact::verify(bytes);
    if let Ok(artifact) = Artifact::from_bytes(bytes) {
        let _ = ScoringModel::load(&artifact);
        let _ = artifact.to_bytes();
    }
}

/// An artifact whose digest is sound, by somebody who can count one: what lies before the first line feed is the
/// manifest, what lies behind it the body.
pub(crate) fn manifest(bytes: &[u8]) {
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (manifest, body) = (&bytes[..at], bytes.get(at + 1..).unwrap_or_default());
    let mut whole = b"\x89SCORE\r\n".to_vec();
    whole.extend(1_u32.to_le_bytes());
    whole.extend([0; 4]);
    whole.extend((manifest.len() as u64).to_le_bytes());
    whole.extend((body.len() as u64).to_le_bytes());
    whole.extend(manifest);
    whole.extend(body);
    let digest = *blake3::hash(&whole).as_bytes();
    whole.extend(digest);
    artifact(&whole);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use scorehouse_features::ids::EntityKey;

    #[test]
    fn what_bytes_are_laid_over_is_sound_and_holds_rows() {
        let stored = STORED.as_ref().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("base");
        std::fs::write(&path, laid_over(&[0, 0, 0], &stored.snapshot)).unwrap();
        assert_eq!(Base::load(&path, &stored.layout).unwrap().len(), 6);
        let (name, segment) = &stored.segment;
        std::fs::write(folder.path().join(name), laid_over(&[0, 0, 0], segment)).unwrap();
        std::fs::remove_file(&path).unwrap();
        let store = open(&stored.project, &stored.layout, folder.path()).unwrap();
        let known =
            |key: &str| store.contains(&"customer".parse().unwrap(), &EntityKey::new(key).unwrap()).unwrap();
        assert!(known("C-1") && !known("C-2"), "the log's one row");
    }
}
