//! A project in a temporary folder.
#![allow(dead_code, missing_docs, reason = "each test binary uses its own part")]

use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use scorehouse_features::definition::Project;
use scorehouse_features::ids::{ColumnName, SourceName};
use scorehouse_features::time::Timestamp;
use scorehouse_offline::{IngestReport, IngestRequest, OfflineError, OfflineStore, ScanRange, Silent};

pub struct Workspace {
    folder: Arc<tempfile::TempDir>,
    project: Project,
}

pub fn name<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap()
}

pub trait ParseMoment {
    fn parse_moment(&self) -> Timestamp;
}

impl ParseMoment for str {
    fn parse_moment(&self) -> Timestamp {
        Timestamp::parse(self).unwrap()
    }
}

impl Workspace {
    pub fn new(toml: &str) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let project = parse(toml, folder.path());
        Self { folder, project }
    }

    /// The same folder under another project file.
    pub fn with(&self, toml: &str) -> Self {
        Self { folder: Arc::clone(&self.folder), project: parse(toml, self.folder.path()) }
    }

    pub fn project(&self) -> &Project {
        &self.project
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, file: &str, text: &str) {
        let path = self.folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(file)).unwrap()
    }

    pub fn store(&self) -> OfflineStore {
        OfflineStore::open(&self.project).unwrap()
    }

    pub fn ingest(&self, replace: bool) -> Result<IngestReport, OfflineError> {
        let request = IngestRequest { sources: &[], replace, now: Timestamp(0) };
        self.store().ingest(&self.project, &request, &Silent)
    }

    pub fn scan(
        &self,
        source: &str,
        columns: &[ColumnName],
        range: ScanRange,
    ) -> Result<RecordBatch, OfflineError> {
        self.store().scan(&name::<SourceName>(source), columns, range)
    }

    /// Rows of a source as text, columns separated by `|`.
    pub fn rows(&self, source: &str, columns: &[&str]) -> Vec<String> {
        let columns: Vec<ColumnName> = columns.iter().map(|c| name(c)).collect();
        lines(&self.scan(source, &columns, ScanRange::default()).unwrap())
    }

    /// Parquet files on disk, whether the manifest names them or not.
    pub fn history_files(&self) -> usize {
        let pattern = self.folder.path().join("state/history/**/*.parquet");
        glob::glob(pattern.to_str().unwrap()).unwrap().count()
    }
}

fn parse(toml: &str, root: &Path) -> Project {
    Project::parse(toml, root).unwrap_or_else(|mistakes| {
        panic!("{}", mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

pub fn lines(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default();
    let columns: Vec<_> =
        batch.columns().iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options).unwrap()).collect();
    let cell = |column: usize, row: usize| {
        if batch.column(column).is_null(row) { String::new() } else { columns[column].value(row).to_string() }
    };
    (0..batch.num_rows())
        .map(|row| (0..columns.len()).map(|c| cell(c, row)).collect::<Vec<_>>().join("|"))
        .collect()
}
