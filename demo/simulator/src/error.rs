//! Why a simulation did not come about.

use std::path::{Path, PathBuf};

/// Why a simulation did not come about.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// The scale is out of range. The caller's fault.
    #[error("scale {given} is not within 0.1 and 100")]
    Scale {
        /// The scale asked for.
        given: f64,
    },
    /// The orders are not what was expected. The data's fault.
    #[error("{}: line {line}: {reason}", .path.display())]
    Orders {
        /// The orders file.
        path: PathBuf,
        /// Line, counted from 1 with the header.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A file could not be read or written. The platform's fault.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl SimulationError {
    /// For `map_err`: names the file that an I/O error is about.
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::File { path: path.to_path_buf(), source }
    }
}
