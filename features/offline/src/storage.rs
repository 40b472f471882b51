//! Where the history's files are: an object store, a folder by default.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

use crate::error::OfflineError;
use crate::manifest::{FORMAT, Manifest};

const MANIFEST: &str = "manifest.json";
const LOCK: &str = "lock";

/// The history's files.
#[derive(Debug, Clone)]
pub struct Storage {
    root: PathBuf,
    store: Arc<dyn ObjectStore>,
}

/// Held while the history is changed; one process at a time.
#[derive(Debug)]
pub struct WriteLock {
    _file: File,
}

impl Storage {
    /// Opens (and makes, if need be) a folder.
    ///
    /// # Errors
    /// [`OfflineError::Io`] when it cannot be made.
    pub fn open(root: &Path) -> Result<Self, OfflineError> {
        std::fs::create_dir_all(root).map_err(OfflineError::io(root))?;
        let root = root.canonicalize().map_err(OfflineError::io(root))?;
        let store = LocalFileSystem::new_with_prefix(&root)?.with_automatic_cleanup(true);
        Ok(Self { root, store: Arc::new(store) })
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The object store, its paths starting at the folder.
    #[must_use]
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }

    /// Takes the right to change the history.
    ///
    /// # Errors
    /// [`OfflineError::Locked`] when another process has it.
    pub fn lock(&self) -> Result<WriteLock, OfflineError> {
        let path = self.root.join(LOCK);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(OfflineError::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(WriteLock { _file: file }),
            Err(std::fs::TryLockError::WouldBlock) => Err(OfflineError::Locked { path: self.root.clone() }),
            Err(std::fs::TryLockError::Error(cause)) => Err(OfflineError::Io { path, cause }),
        }
    }

    /// Writes one file; durable when this returns.
    ///
    /// # Errors
    /// [`OfflineError::Storage`] or [`OfflineError::Io`].
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<(), OfflineError> {
        self.store.put(&ObjectPath::from(path), PutPayload::from_bytes(bytes)).await?;
        let file = self.root.join(path);
        File::open(&file).and_then(|f| f.sync_all()).map_err(OfflineError::io(&file))?;
        let mut folder = file.parent();
        // A new folder is durable once its own parent is.
        while let Some(path) = folder.filter(|f| f.starts_with(&self.root)) {
            File::open(path).and_then(|f| f.sync_all()).map_err(OfflineError::io(path))?;
            folder = path.parent();
        }
        Ok(())
    }

    /// Reads one file whole.
    ///
    /// # Errors
    /// [`OfflineError::Storage`].
    pub async fn get(&self, path: &str) -> Result<Bytes, OfflineError> {
        Ok(self.store.get(&ObjectPath::from(path)).await?.bytes().await?)
    }

    /// Deletes a file; one that is gone already is fine.
    ///
    /// # Errors
    /// [`OfflineError::Storage`].
    pub async fn delete(&self, path: &str) -> Result<(), OfflineError> {
        match self.store.delete(&ObjectPath::from(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The manifest; an empty one when nothing was ever committed.
    ///
    /// # Errors
    /// [`OfflineError::Manifest`] when it is not one that this version understands.
    pub async fn manifest(&self) -> Result<Manifest, OfflineError> {
        let bytes = match self.get(MANIFEST).await {
            Ok(bytes) => bytes,
            Err(OfflineError::Storage(object_store::Error::NotFound { .. })) => {
                return Ok(Manifest::default());
            }
            Err(error) => return Err(error),
        };
        let wrong = |problem: String| OfflineError::Manifest { path: self.root.join(MANIFEST), problem };
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(format) if format == u64::from(FORMAT) => {
                serde_json::from_value(value).map_err(|e| wrong(e.to_string()))
            }
            Some(format) => Err(wrong(format!("format {format}, but this version reads format {FORMAT}"))),
            None => Err(wrong("not a manifest".to_owned())),
        }
    }

    /// Replaces the manifest by its successor and deletes what the one before had retired. Readers that hold
    /// the replaced manifest still find all its files.
    ///
    /// # Errors
    /// [`OfflineError::Storage`] or [`OfflineError::Io`].
    pub async fn commit(&self, mut next: Manifest, retired: Vec<String>) -> Result<Manifest, OfflineError> {
        let gone = std::mem::replace(&mut next.retired, retired);
        next.revision += 1;
        let bytes = serde_json::to_vec_pretty(&next).map_err(|e| OfflineError::Internal(e.to_string()))?;
        self.put(MANIFEST, bytes.into()).await?;
        for path in gone {
            self.delete(&path).await?;
        }
        Ok(next)
    }
}
