//! Many small files become few: rows that were pushed, or came in many ingests, stand in one file per stretch
//! of time again.

use std::collections::BTreeMap;

use crate::error::OfflineError;
use crate::manifest::{HistoryFile, SourceHistory};
use crate::report::CompactReport;
use crate::scan::schema_of;
use crate::store::OfflineStore;
use crate::write::{FileWriter, read_file};
use scorehouse_features::ids::SourceName;

/// A source is compacted when it has more than twice the files it needs.
const SLACK: usize = 2;
/// Bytes of rows merged at a time.
const MERGED_AT_ONCE: u64 = 512 << 20;

impl OfflineStore {
    /// Merges the files of every source that has more than twice as many as it needs. Values do not change.
    ///
    /// # Errors
    /// [`OfflineError::Locked`]; what reading and writing report. The history is then as it was.
    pub fn compact(&self) -> Result<CompactReport, OfflineError> {
        let _lock = self.storage().lock()?;
        let mut manifest = self.manifest()?;
        let mut report = CompactReport::default();
        let mut retired = Vec::new();
        let revision = manifest.revision + 1;
        for (name, history) in &mut manifest.sources {
            for group in groups(history) {
                let merged = self.merge(name, history, &group, revision)?;
                report.merged += group.len();
                report.written += merged.len();
                let old: Vec<String> = group.into_iter().map(|file| file.path).collect();
                history.files.retain(|file| !old.contains(&file.path));
                history.files.extend(merged);
                retired.extend(old);
            }
        }
        if report.merged > 0 {
            self.block_on(self.storage().commit(manifest, retired))?;
        }
        Ok(report)
    }

    fn merge(
        &self,
        source: &SourceName,
        history: &SourceHistory,
        files: &[HistoryFile],
        revision: u64,
    ) -> Result<Vec<HistoryFile>, OfflineError> {
        let schema = schema_of(&history.columns);
        let writer = FileWriter { storage: self.storage(), source, schema: schema.clone(), revision };
        self.block_on(async {
            let mut batches = Vec::with_capacity(files.len());
            for file in files {
                batches.push(read_file(self.storage(), &file.path, &schema).await?);
            }
            writer.write(&batches).await
        })
    }
}

/// Files that should be one or few: by the year in which they begin, as many as may be merged at once.
fn groups(history: &SourceHistory) -> Vec<Vec<HistoryFile>> {
    let mut by_folder: BTreeMap<&str, usize> = BTreeMap::new();
    for file in &history.files {
        *by_folder.entry(folder(&file.path)).or_default() += 1;
    }
    if history.files.len() <= by_folder.len() * SLACK {
        return Vec::new();
    }
    let mut files = history.files.clone();
    files.sort_by(|a, b| a.events.cmp(&b.events).then_with(|| a.path.cmp(&b.path)));
    let mut groups: Vec<Vec<HistoryFile>> = Vec::new();
    let mut bytes = 0;
    for file in files {
        match groups.last_mut() {
            Some(group) if bytes + file.memory <= MERGED_AT_ONCE => group.push(file.clone()),
            _ => {
                groups.push(vec![file.clone()]);
                bytes = 0;
            }
        }
        bytes += file.memory;
    }
    groups.retain(|group| group.len() > 1);
    groups
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
