//! Pushed rows join the history.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use indexmap::IndexMap;

use scorehouse_features::definition::{Project, Source};
use scorehouse_features::ids::SourceName;
use scorehouse_features::online::log::read_from;
use scorehouse_features::online::{Position, PushedRow};
use scorehouse_features::source::column::ColumnBuilder;
use scorehouse_features::source::stored_schema;
use scorehouse_features::view::Layout;

use crate::error::OfflineError;
use crate::manifest::{self, Manifest};
use crate::report::DrainReport;
use crate::scan::stale;
use crate::store::{OfflineStore, find_source};
use crate::write::FileWriter;

/// Rows taken over at a time.
const ROWS_AT_ONCE: usize = 500_000;

impl OfflineStore {
    /// Takes the rows over that were pushed since the last time, from the log in `state/online/log`. The log
    /// may be in use; it is not changed. Once this has returned, the log may drop what the manifest's
    /// position covers.
    ///
    /// # Errors
    /// [`OfflineError::Locked`]; [`OfflineError::DefinitionChanged`] for a source with new rows whose history
    /// was written under another definition; what reading and writing report.
    pub fn drain_log(&self, project: &Project) -> Result<DrainReport, OfflineError> {
        let _lock = self.storage().lock()?;
        let mut manifest = self.manifest()?;
        let report = self.drain_into(project, &mut manifest)?;
        if !report.rows.is_empty() {
            self.block_on(self.storage().commit(manifest, Vec::new()))?;
        }
        Ok(report)
    }

    /// Writes the log's new rows into files that `manifest` then names; the caller commits it.
    pub(crate) fn drain_into(
        &self,
        project: &Project,
        manifest: &mut Manifest,
    ) -> Result<DrainReport, OfflineError> {
        let layout = Layout::of(project)?;
        let folder = self.state().join("online").join("log");
        let after = manifest.log_position.map_or(Position::START, Position);
        let mut reader = read_from(&folder, after, &layout)?;
        let mut pending: IndexMap<SourceName, Vec<PushedRow>> = IndexMap::new();
        let mut counts: IndexMap<SourceName, u64> = IndexMap::new();
        let mut waiting = 0;
        while let Some(entry) = reader.next().transpose()? {
            manifest.log_position = Some(entry.position.0);
            manifest.next_arrival = manifest.next_arrival.max(entry.row.arrival + 1);
            *counts.entry(entry.source.clone()).or_default() += 1;
            pending.entry(entry.source).or_default().push(entry.row);
            waiting += 1;
            if waiting == ROWS_AT_ONCE {
                self.write_pushed(project, manifest, std::mem::take(&mut pending))?;
                waiting = 0;
            }
        }
        self.write_pushed(project, manifest, pending)?;
        Ok(DrainReport { rows: counts.into_iter().collect(), unknown: reader.undeclared() as u64 })
    }

    fn write_pushed(
        &self,
        project: &Project,
        manifest: &mut Manifest,
        pending: IndexMap<SourceName, Vec<PushedRow>>,
    ) -> Result<(), OfflineError> {
        let revision = manifest.revision + 1;
        for (name, rows) in pending {
            let source = find_source(project, &name)?;
            let history = manifest.sources.entry(name.clone()).or_default();
            let definition = manifest::definition(source);
            if let Some(changes) = stale(history, &definition) {
                return Err(OfflineError::DefinitionChanged { source_name: name, changes });
            }
            history.columns = manifest::columns(source);
            history.definition = definition;
            let batch = batch_of(source, &rows)?;
            let schema = batch.schema();
            let writer = FileWriter { storage: self.storage(), source: &name, schema, revision };
            history.files.extend(self.block_on(writer.write(&[batch]))?);
        }
        Ok(())
    }
}

/// Rows as stored columns.
pub(crate) fn batch_of(source: &Source, rows: &[PushedRow]) -> Result<RecordBatch, OfflineError> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(source.columns.len() + 3);
    for (position, column) in source.columns.iter().enumerate() {
        let mut builder = ColumnBuilder::new(column.value_type, rows.len());
        for row in rows {
            match row.values.get(position) {
                Some(value) => builder.push(value),
                None => builder.push_null(),
            }
        }
        columns.push(builder.finish());
    }
    let moments = |of: fn(&PushedRow) -> i64| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(of)).with_timezone("UTC"))
    };
    columns.push(moments(|row| row.event_time.0));
    columns.push(moments(|row| row.available.0));
    columns.push(Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.arrival))));
    Ok(RecordBatch::try_new(stored_schema(source), columns)?)
}
