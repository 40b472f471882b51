//! What can go wrong with the online store.

use std::path::{Path, PathBuf};

use crate::error::{Fault, FeatureError};
use crate::ids::{EntityName, SourceName};
use crate::online::log::Position;

/// Why the online store refused or failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OnlineError {
    /// Rows were pushed to a source that is not declared.
    #[error("there is no source `{0}`")]
    UnknownSource(SourceName),
    /// Keys were asked for of an entity that no view describes.
    #[error("no view describes the entity `{0}`")]
    UnknownEntity(EntityName),
    /// A table number is not of this store's layout.
    #[error("the store has no table number {0}")]
    UnknownTable(usize),
    /// A plan or base belongs to a project whose tables are numbered otherwise.
    #[error("this was made for another version of the project; compile or build it again")]
    OtherProject,
    /// A pushed row is not of its source.
    #[error("row {row} for source `{source_name}`: {reason}")]
    WrongRow {
        /// The source.
        source_name: SourceName,
        /// The row's number in the call, from 0.
        row: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Rows could not be made durable. None of them was taken in.
    #[error("the rows were not taken in, because the log could not be written: {reason}")]
    NotDurable {
        /// What the system said.
        reason: String,
    },
    /// Another process writes to this log.
    #[error("{}: another process has this online log open; stop it first", path.display())]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// A file of the log or a base is damaged, or was written by something else.
    #[error("{}: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what can be done.
        reason: String,
    },
    /// The log no longer holds rows that are asked for: history took them over.
    #[error(
        "the log begins after position {begins}, but rows from {wanted} on are needed: build the online base from history again"
    )]
    Gap {
        /// Rows after this position are there.
        begins: Position,
        /// Rows after this position were asked for.
        wanted: Position,
    },
    /// Reading or writing failed.
    #[error("{}: {reason}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The definitions are at fault.
    #[error("{0}")]
    Definition(String),
}

impl OnlineError {
    /// Whose fault it is.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::UnknownSource(_) | Self::UnknownEntity(_) | Self::WrongRow { .. } => Fault::Caller,
            Self::OtherProject | Self::Definition(_) => Fault::Data,
            Self::NotDurable { .. }
            | Self::InUse { .. }
            | Self::Corrupt { .. }
            | Self::Gap { .. }
            | Self::Io { .. } => Fault::Platform,
            Self::UnknownTable(_) => Fault::Bug,
        }
    }

    pub(crate) fn io(path: &Path, error: &std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), reason: error.to_string() }
    }

    pub(crate) fn corrupt(path: &Path, reason: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_owned(), reason: reason.into() }
    }
}

impl From<FeatureError> for OnlineError {
    fn from(error: FeatureError) -> Self {
        Self::Definition(error.to_string())
    }
}
