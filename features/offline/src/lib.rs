//! The offline store: every row ever taken in, and the features of any entity at any moment.
//!
//! In the order of one fact's way: raw files are read and typed ([`ingest`]), their rows written as Parquet
//! ([`storage`], [`manifest`]) beside those that were pushed ([`drain`]), read back ([`scan`]), and made into
//! the base of the online store ([`materialize`]).

pub mod compact;
pub mod drain;
mod error;
pub mod ingest;
pub mod manifest;
pub mod materialize;
pub mod progress;
pub mod report;
pub mod scan;
pub mod storage;
mod store;
mod write;

pub use error::OfflineError;
pub use ingest::IngestRequest;
pub use manifest::{Manifest, SourceHistory};
pub use progress::{Progress, Silent};
pub use report::{
    CompactReport, Counted, DrainReport, FileOutcome, FileReport, FoundFormat, IngestReport, SourceReport,
};
pub use scan::ScanRange;
pub use store::OfflineStore;
