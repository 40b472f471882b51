//! Deals: how they open, what happens to them, how they end, and how likely that was.

pub mod commit;
mod evidence;
pub mod export;
mod law;
mod life;
mod opening;
mod pipeline;
pub mod truth;

pub use evidence::Event;
pub use life::Deal;
pub use pipeline::{Shelf, deals_of};
