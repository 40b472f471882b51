//! What training reads: raw rows of sources, and features as of a moment.
//!
//! The offline store stands behind this trait; a test brings its own. Training never sees a query engine.

use arrow_array::RecordBatch;
use scorehouse_features::definition::FeatureSet;
use scorehouse_features::ids::{ColumnName, EntityKey, SourceName};
use scorehouse_features::time::Timestamp;

use crate::error::TrainingError;

/// Name of the column that says when a row happened, in what [`History::rows`] returns.
pub const EVENT_TIME: &str = "__event_time";
/// Name of the column that says when a row became known.
pub const AVAILABLE_TIME: &str = "__available_time";
/// Name of the column that numbers rows in the order of their arrival.
pub const ARRIVAL: &str = "__arrival";

/// Entities at moments: row i asks for the features of `keys[i]` as of `as_of[i]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshots {
    /// Whom to look at.
    pub keys: Vec<EntityKey>,
    /// When, one for each key.
    pub as_of: Vec<Timestamp>,
}

impl Snapshots {
    /// Number of snapshots.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// Where training reads rows and features.
pub trait History: Sync {
    /// Every stored row of `source`: the asked `columns` in order, then [`EVENT_TIME`] and
    /// [`AVAILABLE_TIME`] (timestamps in microseconds, UTC) and [`ARRIVAL`] (Int64). Rows may come in any order.
    ///
    /// # Errors
    /// [`TrainingError::History`] when the rows cannot be read.
    fn rows(&self, source: &SourceName, columns: &[ColumnName]) -> Result<RecordBatch, TrainingError>;

    /// The features of `set` for every snapshot, one column each in the set's order, rows in the order of
    /// the snapshots (duplicates kept); null where there is no value.
    ///
    /// # Errors
    /// [`TrainingError::History`] when they cannot be computed.
    fn features(&self, set: &FeatureSet, snapshots: &Snapshots) -> Result<RecordBatch, TrainingError>;
}

/// A history without sources, for pipelines that read a plain file.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHistory;

impl History for NoHistory {
    fn rows(&self, source: &SourceName, _columns: &[ColumnName]) -> Result<RecordBatch, TrainingError> {
        Err(TrainingError::history(format!("there is no history to read source {source} from")))
    }

    fn features(&self, set: &FeatureSet, _snapshots: &Snapshots) -> Result<RecordBatch, TrainingError> {
        Err(TrainingError::history(format!("there is no history to read feature set {} from", set.name)))
    }
}
