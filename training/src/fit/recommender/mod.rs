//! Fitting a recommender: candidate components, compared and blended on what is held back, then fitted again
//! on everything.

mod assemble;
mod blend;
mod candidates;
mod cosine;
mod factors;
mod graph_filter;
mod item_to_item;
mod lanes;
mod linear;
mod log;
mod nearest;
mod next_purchase;
#[cfg(test)]
mod parity;
mod pool;
mod popularity;
mod second_look;
mod showing;
mod sparse;
mod split;
mod square;
mod tune;

pub use assemble::{FitSettings, Fitted, fit, fit_with};
pub use blend::Blend;
pub use candidates::Candidate;
pub use factors::{FactorSettings, factors, unobserved_weight};
pub use log::{InteractionLog, LogBuilder, Named, Row, SetAside};
pub use second_look::{Facts, SecondLook};
pub use showing::{Asked, Showing};
pub use sparse::Sparse;
pub use split::{Held, Split, split};
