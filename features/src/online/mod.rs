//! Features of the present: memory for reading, a durable log for what was pushed.
//!
//! [`OnlineStore`] is the seam; [`EmbeddedStore`] the implementation that needs nothing else. It answers from
//! an immutable columnar [`Base`], built from history and saved as one file, with the rows pushed since laid
//! over it; every pushed row stands in the [`log`] before it is acknowledged.

pub mod base;
mod commit;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod embedded;
mod error;
mod event_id;
#[cfg(any(test, feature = "conformance"))]
pub mod fixture;
mod interface;
pub mod log;
mod overlay;
mod rows;
#[cfg(test)]
pub(crate) mod tests;

pub use base::{Base, BaseBuilder, BaseTable, PackedRows, SortedRows, SortedTable};
pub use embedded::{EmbeddedStore, StoreOptions, StoreStatus};
pub use error::OnlineError;
pub use event_id::EventId;
pub use interface::{KeyPage, OnlineStore, PushedRow, Receipt};
pub use log::Position;
pub use rows::{Added, EntityRows, MergedRows, StoredRow};
