//! From declared models to trained ones: what a row is, what its outcome is, and how it is learnt.

pub mod churn;
pub mod interactions;
mod recommend;
pub mod table;
pub mod upsell;
pub mod win;
