//! Features from history, as of any moments.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::physical_plan::empty::EmptyExec;
use scorehouse_features::definition::Project;
use scorehouse_features::ids::{ColumnName, EntityName, FeatureName, SourceName};
use scorehouse_features::value::ValueType;
use scorehouse_features::view::{FeaturePlan, Layout};

use crate::error::OfflineError;
use crate::manifest::{Manifest, StoredColumn};
use crate::point_in_time::{EntityRows, PointInTime, SlotColumn, SourceInput, SourceRows};
use crate::scan::{ScanRange, schema_of};
use crate::store::OfflineStore;

/// What a text takes in memory, about: its bytes and its offset.
const TEXT_BYTES: u64 = 24;
/// Event time, availability time and arrival.
const ORDER_BYTES: u64 = 24;

impl OfflineStore {
    /// The features of `entity`, one column each in the order of `features`, value i being that of entity row i
    /// as of its moment. Duplicate rows are answered as often as they are asked.
    ///
    /// # Errors
    /// [`OfflineError::Feature`] for a feature that is not declared, [`OfflineError::Memory`] when the join does
    /// not fit even when it spills, and what reading reports.
    pub fn history(
        &self,
        project: &Project,
        entity: &EntityName,
        features: &[FeatureName],
        rows: &EntityRows,
    ) -> Result<Vec<SlotColumn>, OfflineError> {
        let plan = FeaturePlan::compile(project, entity, features)?;
        let layout = Arc::new(Layout::of(project)?);
        let sources = Sources { store: self, manifest: self.manifest()?, layout: layout.clone() };
        let engine = PointInTime {
            plan: &plan,
            layout,
            sources: &sources,
            context: self.session(),
            memory: self.memory_limit() as u64,
        };
        self.block_on(engine.features(rows))
    }
}

/// The sources of one state of the history.
struct Sources<'a> {
    store: &'a OfflineStore,
    manifest: Manifest,
    layout: Arc<Layout>,
}

#[async_trait]
impl SourceRows for Sources<'_> {
    async fn source_rows(
        &self,
        source: &SourceName,
        columns: &[ColumnName],
    ) -> Result<SourceInput, OfflineError> {
        let types = self.layout.source(source).map(|layout| {
            let typed = columns.iter().filter_map(|name| layout.column(name).map(|(_, kind)| (name, kind)));
            typed
                .map(|(name, kind)| StoredColumn { name: name.clone(), value_type: kind })
                .collect::<Vec<_>>()
        });
        let types = types.unwrap_or_default();
        let history = self.manifest.sources.get(source).filter(|history| !history.files.is_empty());
        let Some(history) = history else {
            // Nothing was taken in yet: no rows, in the shape they would have.
            return Ok(SourceInput { plan: Arc::new(EmptyExec::new(schema_of(&types))), bytes: 0 });
        };
        let width: u64 = types.iter().map(|column| bytes_of(column.value_type)).sum();
        let plan = self.store.plan_of(&self.manifest, source, columns, ScanRange::default())?;
        Ok(SourceInput { plan, bytes: history.rows() * (width + ORDER_BYTES) })
    }
}

const fn bytes_of(value_type: ValueType) -> u64 {
    match value_type {
        ValueType::Bool => 1,
        ValueType::Int | ValueType::Float | ValueType::Time => 8,
        ValueType::Text => TEXT_BYTES,
    }
}
