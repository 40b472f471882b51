//! One mistake in a project file, told so that it can be mended without reading the documentation.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// A mistake at one place of a project file.
///
/// Printed as compilers do: `scorehouse.toml:12:5: unknown key `colums` in [source.orders]; did you mean
/// `columns`?`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The project file.
    pub file: PathBuf,
    /// Line, from 1; 0 when the mistake has no place (an unreadable file).
    pub line: usize,
    /// Column in characters, from 1; 0 when the mistake has no place.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right, if that can be told.
    pub expected: Option<String>,
    /// The known name that was probably meant.
    pub nearest: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        write!(f, " {}", self.message)?;
        if let Some(near) = &self.nearest {
            write!(f, "; did you mean `{near}`?")?;
        }
        if let Some(expected) = &self.expected {
            write!(f, "; expected {expected}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}
