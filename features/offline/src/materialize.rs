//! From history to the base of the online store.

use datafusion::physical_plan::collect;
use scorehouse_features::definition::Project;
use scorehouse_features::online::{Base, BaseBuilder, Position};

use crate::error::OfflineError;
use crate::scan::ScanRange;
use crate::store::OfflineStore;

impl OfflineStore {
    /// Builds the online store's base from everything in the history.
    ///
    /// # Errors
    /// [`OfflineError::Feature`] when the history does not have the shape that the project declares; what
    /// reading reports.
    pub fn materialize(&self, project: &Project) -> Result<Base, OfflineError> {
        let manifest = self.manifest()?;
        let mut builder = BaseBuilder::new(project)?;
        for source in project.sources.keys() {
            let columns = builder.columns(source);
            let known = manifest.sources.get(source).is_some_and(|history| !history.files.is_empty());
            if columns.is_empty() || !known {
                continue;
            }
            let plan = self.plan_of(&manifest, source, &columns, ScanRange::default())?;
            let batches = self.block_on(async { Ok(collect(plan, self.task_context()).await?) })?;
            for batch in batches {
                builder.add(source, &batch)?;
            }
        }
        let drained = manifest.log_position.map_or(Position::START, Position);
        Ok(builder.finish(drained)?)
    }
}
