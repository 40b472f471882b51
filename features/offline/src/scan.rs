//! Reading rows back.

use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileGroup, FileGroupPartitioner, FileScanConfigBuilder, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::{ExecutionPlan, collect};

use scorehouse_features::ids::{ColumnName, SourceName};
use scorehouse_features::source::schema::{arrow_type, row_fields};
use scorehouse_features::time::Timestamp;

use crate::error::OfflineError;
use crate::manifest::{HistoryFile, Manifest, SourceHistory, StoredColumn, differences};
use crate::store::OfflineStore;
use crate::write::{OrderColumns, sorted};

/// A file is shared between workers when it has at least so many bytes.
const SHARED_FILE: usize = 1 << 20;

/// Which rows of a source are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScanRange {
    /// Earliest event time.
    pub from: Option<Timestamp>,
    /// Latest event time.
    pub until: Option<Timestamp>,
    /// Only rows whose availability time is at or before this.
    pub known_by: Option<Timestamp>,
}

impl ScanRange {
    /// Rows that had happened and were known at `moment`.
    #[must_use]
    pub fn as_of(moment: Timestamp) -> Self {
        Self { from: None, until: Some(moment), known_by: Some(moment) }
    }

    fn may_hold(&self, file: &HistoryFile) -> bool {
        self.from.is_none_or(|from| file.events.1 >= from)
            && self.until.is_none_or(|until| file.events.0 <= until)
    }

    fn filter(&self, batch: RecordBatch) -> Result<RecordBatch, OfflineError> {
        if *self == Self::default() {
            return Ok(batch);
        }
        let order = OrderColumns::of(&batch)?;
        let holds = |row: usize| {
            self.from.is_none_or(|from| order.event[row] >= from.0)
                && self.until.is_none_or(|until| order.event[row] <= until.0)
                && self.known_by.is_none_or(|known| order.available[row] <= known.0)
        };
        let mask: BooleanArray = (0..batch.num_rows()).map(|row| Some(holds(row))).collect();
        Ok(filter_record_batch(&batch, &mask)?)
    }
}

/// The schema of stored rows of these columns.
pub(crate) fn schema_of(columns: &[StoredColumn]) -> SchemaRef {
    let own = columns.iter().map(|c| Field::new(c.name.as_str(), arrow_type(c.value_type), true));
    Arc::new(Schema::new(own.chain(row_fields()).collect::<Vec<_>>()))
}

impl OfflineStore {
    /// Rows of a source: the columns asked for, then event time, availability time and arrival, in canonical
    /// order (event time, availability time, arrival). A source that nothing was ever taken into has none.
    ///
    /// # Errors
    /// [`OfflineError::Feature`] for a column that the history does not hold; what reading reports.
    pub fn scan(
        &self,
        source: &SourceName,
        columns: &[ColumnName],
        range: ScanRange,
    ) -> Result<RecordBatch, OfflineError> {
        self.block_on(async {
            let manifest = self.storage().manifest().await?;
            let plan = self.plan_of(&manifest, source, columns, range)?;
            let schema = plan.schema();
            let batches = collect(plan, self.task_context()).await?;
            let batches = batches.into_iter().map(|b| range.filter(b)).collect::<Result<Vec<_>, _>>()?;
            sorted(concat_batches(&schema, &batches)?)
        })
    }

    /// The DataFusion input of one source: the columns asked for, then event time, availability time and
    /// arrival; in as many partitions as there are workers, in no particular order.
    ///
    /// # Errors
    /// As for [`scan`](Self::scan).
    pub async fn source_plan(
        &self,
        source: &SourceName,
        columns: &[ColumnName],
        range: ScanRange,
    ) -> Result<Arc<dyn ExecutionPlan>, OfflineError> {
        let manifest = self.storage().manifest().await?;
        self.plan_of(&manifest, source, columns, range)
    }

    /// As [`source_plan`](Self::source_plan), over a manifest read before. `range` leaves out files that hold
    /// no such row; rows of the others are not looked at.
    ///
    /// # Errors
    /// As for [`scan`](Self::scan).
    pub fn plan_of(
        &self,
        manifest: &Manifest,
        source: &SourceName,
        columns: &[ColumnName],
        range: ScanRange,
    ) -> Result<Arc<dyn ExecutionPlan>, OfflineError> {
        let declared = self.declared(source)?;
        let empty = SourceHistory { columns: declared.columns.clone(), ..SourceHistory::default() };
        let history = manifest.sources.get(source).filter(|h| !h.files.is_empty()).unwrap_or(&empty);
        if let Some(changes) = stale(history, &declared.definition) {
            return Err(OfflineError::DefinitionChanged { source_name: source.clone(), changes });
        }
        let files: Vec<PartitionedFile> = history
            .files
            .iter()
            .filter(|file| range.may_hold(file))
            .map(|file| PartitionedFile::new(file.path.clone(), file.bytes))
            .collect();
        let schema = schema_of(&history.columns);
        let projection = projection(source, history, columns)?;
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(Arc::new(schema.project(&projection)?))));
        }
        let reader = Arc::new(ParquetSource::new(Arc::clone(&schema)));
        let scan = FileScanConfigBuilder::new(self.store_url()?, reader)
            .with_file_groups(groups(files, self.threads()))
            .with_projection_indices(Some(projection))?
            .build();
        Ok(DataSourceExec::from_data_source(scan))
    }
}

/// How a history was written under another definition than the present one; rows that mean something else
/// must not be read as if they did not.
pub(crate) fn stale(history: &SourceHistory, declared: &[String]) -> Option<String> {
    if history.files.is_empty() { None } else { differences(&history.definition, declared) }
}

/// Positions of the columns asked for, then of the three that every row has.
fn projection(
    source: &SourceName,
    history: &SourceHistory,
    columns: &[ColumnName],
) -> Result<Vec<usize>, OfflineError> {
    let width = history.columns.len();
    let mut out = Vec::with_capacity(columns.len() + 3);
    for name in columns {
        let found = history.columns.iter().position(|c| c.name == *name);
        let unknown = || scorehouse_features::FeatureError::Unknown {
            what: "column",
            name: format!("{source}.{name}"),
            known: history.columns.iter().map(|c| c.name.to_string()).collect(),
        };
        out.push(found.ok_or_else(unknown)?);
    }
    out.extend(width..width + 3);
    Ok(out)
}

/// Shares the files among workers, cutting large ones.
fn groups(files: Vec<PartitionedFile>, workers: usize) -> Vec<FileGroup> {
    let whole = FileGroup::new(files);
    let cut = FileGroupPartitioner::new()
        .with_target_partitions(workers)
        .with_repartition_file_min_size(SHARED_FILE)
        .repartition_file_groups(std::slice::from_ref(&whole));
    cut.unwrap_or_else(|| whole.split_files(workers))
}
