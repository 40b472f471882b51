//! What the server can do, without a word of HTTP.

pub mod audit;
pub mod board;
pub mod changes;
pub mod entities;
pub mod events;
pub mod features;
pub mod forecast;
pub mod history;
pub mod models;
pub mod moment;
pub mod monitor;
pub mod outcomes;
pub mod project;
pub mod recommend;
pub mod scalar;
pub mod score;
