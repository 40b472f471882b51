//! What do we know about this entity at this time?
//!
//! In the order of one fact's way: names ([`ids`]), moments ([`time`]) and values ([`value`]); what a
//! project declares ([`definition`], with [`expression`]s); raw rows and how they are typed ([`source`]).

pub mod definition;
pub mod error;
pub mod expression;
pub mod ids;
pub mod nearest;
pub mod online;
pub mod source;
pub mod time;
pub mod value;
pub mod view;

pub use error::{Fault, FeatureError};
