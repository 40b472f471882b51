//! How raw rows become typed rows.
//!
//! In the order of one row's way: the bytes of a file ([`content`]), its records ([`delimited`]), the meaning
//! of one field ([`field`], [`moment`]), typed columns ([`block`], [`mod@column`]), the finished row with its
//! computed columns and its two times ([`assemble`]); what a column seems to hold ([`infer`]); an event in
//! JSON ([`event`]); and what was set aside ([`reject`]).

pub mod assemble;
pub mod block;
pub mod column;
pub mod content;
pub mod delimited;
mod error;
pub mod event;
pub mod field;
pub mod infer;
pub mod layout;
pub mod moment;
pub mod reject;
pub mod schema;

pub use assemble::{Assembled, Assembler, Outcome, TypedRow};
pub use error::SourceError;
pub use reject::{Reject, RejectReason};
pub use schema::{ARRIVAL, AVAILABLE_TIME, EVENT_TIME, stored_schema};
