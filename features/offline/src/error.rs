//! What can go wrong with the offline store.

use std::path::PathBuf;

use datafusion::error::DataFusionError;
use scorehouse_features::ids::SourceName;
use scorehouse_features::online::OnlineError;
use scorehouse_features::source::SourceError;
use scorehouse_features::{Fault, FeatureError};

/// An error of the offline store.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// A file cannot be read as its source declares.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A definition, name or plan is wrong.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// The log of pushed rows cannot be read.
    #[error(transparent)]
    Online(#[from] OnlineError),
    /// No source of this name.
    #[error("unknown source {name}; the project has {}", known.join(", "))]
    UnknownSource {
        /// The name asked for.
        name: SourceName,
        /// The sources there are.
        known: Vec<String>,
    },
    /// A source's path matches nothing.
    #[error("source {source_name}: no file matches {pattern}")]
    NoFiles {
        /// The source.
        source_name: SourceName,
        /// Its path, made absolute.
        pattern: String,
    },
    /// A source's path is no glob.
    #[error("source {source_name}: {pattern} is not a path pattern: {problem}")]
    Pattern {
        /// The source.
        source_name: SourceName,
        /// Its path.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A file whose rows are in the history holds other rows now.
    #[error(
        "{path} has changed since it was ingested into source {source_name}, other than by new lines at its end; \
         ingest with replace to take its rows out of the history and read it anew"
    )]
    FileChanged {
        /// The file, relative to the project folder.
        path: String,
        /// The source.
        source_name: SourceName,
    },
    /// The source means something else than when its history was written.
    #[error(
        "source {source_name} has changed since its history was written ({changes}); ingest with replace to \
         build its history anew"
    )]
    DefinitionChanged {
        /// The source.
        source_name: SourceName,
        /// What is different.
        changes: String,
    },
    /// More rows were rejected than the source allows; nothing was committed.
    #[error(
        "source {source_name}: {rejected} of {read} rows rejected, more than the allowed {allowed} % \
         ({first_reason}); nothing was committed, the rejected rows are in {rejects}"
    )]
    TooManyRejected {
        /// The source.
        source_name: SourceName,
        /// Rows rejected.
        rejected: u64,
        /// Rows read.
        read: u64,
        /// The source's limit, in percent.
        allowed: f64,
        /// The most frequent reason.
        first_reason: String,
        /// Where the rejected rows are.
        rejects: PathBuf,
    },
    /// The rows to be given features are not usable.
    #[error("entity rows: {0}")]
    EntityRows(String),
    /// A join needs more memory than the setting allows even after spilling.
    #[error("{0}; raise limits.memory in the project file")]
    Memory(String),
    /// The manifest of the history cannot be understood.
    #[error("{path}: {problem}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Another process is changing the history.
    #[error("another process is changing the history in {path}; wait for it to end")]
    Locked {
        /// The history's folder.
        path: PathBuf,
    },
    /// The system could not read or write.
    #[error("{path}: {cause}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The object store could not read or write.
    #[error("history storage: {0}")]
    Storage(#[from] object_store::Error),
    /// Parquet could not be read or written.
    #[error("parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// DataFusion failed.
    #[error("query: {0}")]
    Query(String),
    /// Columns that must fit did not.
    #[error("inconsistent columns: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
    /// A task of this crate stopped before its end.
    #[error("internal: {0}")]
    Internal(String),
}

impl OfflineError {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Source(error) => error.fault(),
            Self::Feature(error) => error.fault(),
            Self::Online(error) => error.fault(),
            Self::UnknownSource { .. } | Self::EntityRows(_) => Fault::Caller,
            Self::NoFiles { .. }
            | Self::Pattern { .. }
            | Self::FileChanged { .. }
            | Self::DefinitionChanged { .. }
            | Self::TooManyRejected { .. } => Fault::Data,
            Self::Memory(_)
            | Self::Locked { .. }
            | Self::Io { .. }
            | Self::Storage(_)
            | Self::Parquet(_)
            | Self::Query(_)
            | Self::Manifest { .. } => Fault::Platform,
            Self::Arrow(_) | Self::Internal(_) => Fault::Bug,
        }
    }

    /// Wraps what the system said about `path`.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |cause| Self::Io { path, cause }
    }
}

impl From<DataFusionError> for OfflineError {
    fn from(error: DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(text) => Self::Memory(text.clone()),
            DataFusionError::External(inner) => Self::Query(inner.to_string()),
            root => Self::Query(root.to_string()),
        }
    }
}
