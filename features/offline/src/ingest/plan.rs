//! Which files a source has, and what is to be done with each.

use std::path::{Path, PathBuf};

use scorehouse_features::definition::{FileFormat, Project, Source};
use scorehouse_features::source::content::{ContentMark, file_digest, only_grew};

use crate::error::OfflineError;
use crate::manifest::{IngestedFile, SourceHistory};

/// One raw file as it is now.
#[derive(Debug, Clone)]
pub(super) struct RawFile {
    pub(super) path: PathBuf,
    /// How the manifest and reports name it.
    pub(super) name: String,
    pub(super) digest: String,
    pub(super) bytes: u64,
}

/// What is to be done with a raw file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Task {
    /// Nothing: its rows are in the history.
    Unchanged,
    /// Nothing: these bytes are in the history under another name.
    SameAs(String),
    /// Read it whole.
    Add,
    /// Read what stands behind the first so many records.
    Extend(u64),
    /// Take its rows out and read it whole.
    Replace,
}

impl Task {
    /// True when the file will be read.
    pub(super) fn reads(&self) -> bool {
        !matches!(self, Self::Unchanged | Self::SameAs(_))
    }
}

/// The files that a source's path matches, in the order of their names.
pub(super) fn raw_files(project: &Project, source: &Source) -> Result<Vec<RawFile>, OfflineError> {
    let Some(path) = &source.path else { return Ok(Vec::new()) };
    let pattern = project.root.join(path).to_string_lossy().into_owned();
    let wrong = |problem: String| OfflineError::Pattern {
        source_name: source.name.clone(),
        pattern: pattern.clone(),
        problem,
    };
    let mut paths = Vec::new();
    for found in glob::glob(&pattern).map_err(|e| wrong(e.to_string()))? {
        let found = found.map_err(|e| OfflineError::Io { path: e.path().to_owned(), cause: e.into() })?;
        if found.is_file() {
            paths.push(found);
        }
    }
    if paths.is_empty() {
        return Err(OfflineError::NoFiles { source_name: source.name.clone(), pattern });
    }
    paths.sort();
    paths.into_iter().map(|path| raw_file(&project.root, path)).collect()
}

fn raw_file(root: &Path, path: PathBuf) -> Result<RawFile, OfflineError> {
    let (digest, bytes) = file_digest(&path)?;
    let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
    Ok(RawFile { path, name, digest, bytes })
}

/// Decides what is to be done with a file. `seen` are the files of this run before it.
pub(super) fn task(
    source: &Source,
    history: &SourceHistory,
    seen: &[RawFile],
    file: &RawFile,
    replace: bool,
) -> Result<Task, OfflineError> {
    if let Some(known) = history.ingested.iter().find(|known| known.path == file.name) {
        return changed_task(source, known, file, replace);
    }
    // A moved or copied file must not count twice. An empty one has nothing to count.
    let twin = history.ingested.iter().find(|known| known.digest == file.digest && known.read > 0);
    let twin = twin.map(|known| known.path.clone());
    let before = || seen.iter().find(|other| other.digest == file.digest).map(|other| other.name.clone());
    Ok(twin.or_else(before).map_or(Task::Add, Task::SameAs))
}

fn changed_task(
    source: &Source,
    known: &IngestedFile,
    file: &RawFile,
    replace: bool,
) -> Result<Task, OfflineError> {
    if known.digest == file.digest {
        return Ok(Task::Unchanged);
    }
    if let (FileFormat::Csv(_), Some(content)) = (&source.format, &known.content) {
        let mark = ContentMark {
            bytes: content.bytes,
            digest: content.digest.clone(),
            ends_line: content.ends_line,
        };
        if only_grew(&file.path, &mark)? {
            return Ok(Task::Extend(known.read));
        }
    }
    if replace {
        return Ok(Task::Replace);
    }
    Err(OfflineError::FileChanged { path: file.name.clone(), source_name: source.name.clone() })
}
