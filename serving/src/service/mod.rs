//! What the server can do, without a word of HTTP.

pub mod board;
pub mod entities;
pub mod models;
pub mod moment;
pub mod project;
pub mod recommend;
pub mod scalar;
pub mod score;
