//! Handlers: extract, call a service function, wrap.

pub mod asker;
pub mod audit;
pub mod body;
pub mod changes;
pub mod docs;
pub mod entities;
pub mod events;
pub mod fallback;
pub mod features;
pub mod forecast;
pub mod health;
pub mod history;
pub mod models;
pub mod monitor;
pub mod outcomes;
pub mod page;
pub mod project;
pub mod recommend;
pub mod score;
pub mod webhooks;
