//! What the CRM, the ERP, the service desk and the web shop know: products, and what belongs to an account.

pub mod account;
pub mod catalogue;
pub mod consent;
pub mod contact;
pub mod credit;
pub mod names;
pub mod place;
pub mod rep;
pub mod stock;
pub mod ticket;
pub mod visit;
