//! Who may ask what, and how is it answered?
//!
//! In the order of a request's way: the server that listens ([`server`]), its routes ([`routes`]) and who may ask
//! them ([`access`]), the handlers behind them (`api`, thin; `inference`, the standard protocol) over functions that
//! know nothing of HTTP (`service`); the state they share ([`state`], [`stores`]); the models that answer
//! ([`live_model`]); the door to heavier work ([`compute`]); the evidence of every answer ([`score_log`]) and what another version
//! would have said ([`challenger`]); what is to be done ([`policy`]) and who is told of changes ([`changes`]); whether the
//! answers were any good ([`monitor`]); what the server itself asks of others (`outbound`); what can go wrong ([`error`])
//! and how that is told ([`problem`]); what is counted and logged ([`telemetry`]).

pub mod access;
mod api;
pub mod challenger;
pub mod changes;
pub mod cli;
pub mod compute;
pub mod config;
pub mod error;
mod idle;
mod inference;
pub mod live_model;
pub mod monitor;
mod outbound;
pub mod policy;
pub mod problem;
pub mod replay;
pub mod routes;
pub mod score_log;
pub mod server;
mod service;
pub mod state;
pub mod stores;
pub mod telemetry;
pub mod upkeep;

pub use config::ServeOptions;
pub use error::ServeError;
pub use routes::app;
pub use state::AppState;
