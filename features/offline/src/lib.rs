//! The offline store: every row ever taken in, and the features of any entity at any moment.
//!
//! In the order of one fact's way: raw files are read and typed ([`ingest`]), their rows written as Parquet
//! ([`storage`], [`manifest`]) beside those that were pushed ([`drain`]), read back ([`scan`]), made into the
//! base of the online store ([`materialize`]) and into features as of any moment ([`point_in_time`],
//! [`training_set`]).

pub mod compact;
pub mod drain;
mod error;
mod history;
pub mod ingest;
pub mod manifest;
pub mod materialize;
pub mod point_in_time;
pub mod progress;
pub mod report;
pub mod scan;
pub mod storage;
mod store;
pub mod training_set;
mod write;

pub use error::OfflineError;
pub use ingest::IngestRequest;
pub use manifest::{Manifest, SourceHistory};
pub use point_in_time::{EntityRows, PointInTime, PointInTimeExec, SlotColumn, SourceInput, SourceRows};
pub use progress::{Progress, Silent};
pub use report::{
    CompactReport, Counted, DrainReport, FileOutcome, FileReport, FoundFormat, IngestReport, SourceReport,
};
pub use scan::ScanRange;
pub use store::OfflineStore;
