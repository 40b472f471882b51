//! How often a customer without a contract will buy again: from plain transactions.
//!
//! In the order of the work: each customer's past in three numbers ([`past`]); the BG/NBD model of buying and dropping
//! out ([`bg_nbd`]); what it expects, brought to the level that later purchases had ([`model`]). A value of a customer
//! is a number of purchases times what one brings. `docs/decisions/churn-value.md` says why it is so.

pub mod bg_nbd;
pub mod model;
pub mod past;

mod simplex;

pub use bg_nbd::BgNbd;
pub use model::{Expected, PurchaseModel};
pub use past::Past;

#[cfg(test)]
mod parity;
#[cfg(test)]
mod tests;
