//! The offline store as a whole: its files, its workers and its memory.

use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::context::SessionContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, TrackConsumersPool};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::SessionConfig;
use tokio::runtime::Runtime;

use scorehouse_features::definition::{Project, Source};
use scorehouse_features::ids::SourceName;

use crate::error::OfflineError;
use crate::manifest::{self, Manifest, StoredColumn};
use crate::storage::Storage;

/// Most rows that move through a query together. With less memory than 2 GiB they are fewer, down to
/// [`FEWEST_ROWS`], for a merge of spilled runs holds a batch of each.
const MOST_ROWS: usize = 32_768;
const FEWEST_ROWS: usize = 1_024;
/// Memory for each row of a batch.
const MEMORY_PER_ROW: usize = 65_536;
/// What a sort sets aside for merging, at most; with little memory, a share of it.
const MERGE_BYTES: usize = 10 << 20;
const MERGE_SHARE: usize = 16;
/// Under this name DataFusion finds the history's files.
const STORE_URL: &str = "history://local";
/// Consumers named when memory runs out.
const TOP_CONSUMERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2);

/// The history of a project's sources, under `state/history`.
///
/// Methods block; call them from a thread that may (not from inside an async task).
pub struct OfflineStore {
    state: PathBuf,
    storage: Storage,
    runtime: Option<Runtime>,
    session: SessionContext,
    threads: usize,
    memory: usize,
    declared: BTreeMap<SourceName, Declared>,
}

/// What a project declares of a source, as far as its history depends on it.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) columns: Vec<StoredColumn>,
    pub(crate) definition: Vec<String>,
}

impl OfflineStore {
    /// Opens the history of `project`, making its folder if need be.
    ///
    /// # Errors
    /// [`OfflineError::Io`] when the folder cannot be made or threads cannot be started.
    pub fn open(project: &Project) -> Result<Self, OfflineError> {
        let state = project.state.clone();
        let storage = Storage::open(&state.join("history"))?;
        let threads = match project.settings.threads {
            0 => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            threads => threads,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("scorehouse-offline")
            .enable_all()
            .build()
            .map_err(OfflineError::io(&state))?;
        let memory = project.settings.memory_limit;
        let session = session(&state, &storage, threads, memory)?;
        let declared = |source: &Source| Declared {
            columns: manifest::columns(source),
            definition: manifest::definition(source),
        };
        let declared = project.sources.values().map(|s| (s.name.clone(), declared(s))).collect();
        Ok(Self { state, storage, runtime: Some(runtime), session, threads, memory, declared })
    }

    /// What the project declared of a source when the store was opened.
    pub(crate) fn declared(&self, name: &SourceName) -> Result<&Declared, OfflineError> {
        self.declared.get(name).ok_or_else(|| OfflineError::UnknownSource {
            name: name.clone(),
            known: self.declared.keys().map(ToString::to_string).collect(),
        })
    }

    /// What the history holds now.
    ///
    /// # Errors
    /// [`OfflineError::Manifest`] or [`OfflineError::Storage`].
    pub fn manifest(&self) -> Result<Manifest, OfflineError> {
        self.block_on(self.storage.manifest())
    }

    /// The folder of the project's state.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Workers that share a query.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Bytes that a query may hold before it spills.
    #[must_use]
    pub fn memory_limit(&self) -> usize {
        self.memory
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.storage
    }

    pub(crate) const fn session(&self) -> &SessionContext {
        &self.session
    }

    /// What a plan runs in: batch size, memory pool, spill folder.
    pub(crate) fn task_context(&self) -> Arc<TaskContext> {
        self.session.task_ctx()
    }

    pub(crate) fn store_url(&self) -> Result<ObjectStoreUrl, OfflineError> {
        Ok(ObjectStoreUrl::parse(STORE_URL)?)
    }

    /// Waits for `task`.
    pub(crate) fn block_on<T>(
        &self,
        task: impl Future<Output = Result<T, OfflineError>>,
    ) -> Result<T, OfflineError> {
        match &self.runtime {
            Some(runtime) => runtime.block_on(task),
            None => Err(OfflineError::Internal("the offline store is shutting down".to_owned())),
        }
    }
}

impl std::fmt::Debug for OfflineStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OfflineStore").field("state", &self.state).field("threads", &self.threads).finish()
    }
}

impl Drop for OfflineStore {
    fn drop(&mut self) {
        // Dropped inside somebody's async task, a runtime that waits for its threads would panic.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn session(
    state: &Path,
    storage: &Storage,
    threads: usize,
    memory: usize,
) -> Result<SessionContext, OfflineError> {
    let spill = state.join("spill");
    let env = |disk: DiskManagerMode| {
        let pool = TrackConsumersPool::new(GreedyMemoryPool::new(memory), TOP_CONSUMERS);
        RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(disk))
            .build_arc()
    };
    let made = std::fs::create_dir_all(&spill);
    made.or_else(|error| if is_full(&error) { Ok(()) } else { Err(error) })
        .map_err(OfflineError::io(&spill))?;
    let env = match env(DiskManagerMode::Directories(vec![spill])) {
        // What fits into memory can be read all the same; what does not says so.
        Err(error) if matches!(error.find_root(), DataFusionError::IoError(io) if is_full(io)) => {
            env(DiskManagerMode::Disabled)?
        }
        env => env?,
    };
    env.register_object_store(ObjectStoreUrl::parse(STORE_URL)?.as_ref(), storage.store());
    let config = SessionConfig::new()
        .with_target_partitions(threads)
        .with_batch_size((memory / MEMORY_PER_ROW).clamp(FEWEST_ROWS, MOST_ROWS))
        .with_sort_spill_reservation_bytes(MERGE_BYTES.min(memory / MERGE_SHARE / threads));
    Ok(SessionContext::new_with_config_rt(config, env))
}

/// True when it is for want of room on the disk.
fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

/// A source of the project by name.
pub(crate) fn find_source<'a>(project: &'a Project, name: &SourceName) -> Result<&'a Source, OfflineError> {
    project.sources.get(name).ok_or_else(|| OfflineError::UnknownSource {
        name: name.clone(),
        known: project.sources.keys().map(ToString::to_string).collect(),
    })
}
