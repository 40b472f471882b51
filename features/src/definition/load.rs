//! From the text of a project file to a [`Project`].

use std::path::{Path, PathBuf};

use crate::definition::{Diagnostic, Project};

/// The name of the project file inside its folder.
pub const PROJECT_FILE: &str = "scorehouse.toml";

impl Project {
    /// Reads and checks a project.
    ///
    /// `path` is the project file or the folder that holds `scorehouse.toml`.
    ///
    /// # Errors
    /// Every mistake found in the file, in the order of its lines; one without a place when the file
    /// cannot be read.
    pub fn load(path: &Path) -> Result<Self, Vec<Diagnostic>> {
        let file = if path.is_dir() { path.join(PROJECT_FILE) } else { path.to_path_buf() };
        let text = std::fs::read_to_string(&file).map_err(|error| {
            vec![Diagnostic {
                file: file.clone(),
                line: 0,
                column: 0,
                message: format!("cannot be read: {error}"),
                expected: Some("a project file, or a folder with a scorehouse.toml in it".to_owned()),
                nearest: None,
            }]
        })?;
        let root = file
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .map_or_else(|| PathBuf::from("."), Path::to_path_buf);
        Self::parse_named(&text, &root, &file)
    }

    /// Checks the text of a project file; relative paths in it start at `root`.
    ///
    /// # Errors
    /// Every mistake found in the text, in the order of its lines.
    pub fn parse(text: &str, root: &Path) -> Result<Self, Vec<Diagnostic>> {
        Self::parse_named(text, root, Path::new(PROJECT_FILE))
    }

    fn parse_named(text: &str, root: &Path, file: &Path) -> Result<Self, Vec<Diagnostic>> {
        let _ = (text, root);
        Err(vec![Diagnostic {
            file: file.to_path_buf(),
            line: 0,
            column: 0,
            message: "project files are not read yet".to_owned(),
            expected: None,
            nearest: None,
        }])
    }
}
