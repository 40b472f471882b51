//! Reading the sections of a project file, one file per kind of section.

pub(super) mod access;
pub(super) mod actionable;
pub(super) mod arrangement;
pub(super) mod condition;
pub(super) mod derived;
pub(super) mod entity;
pub(super) mod feature_set;
pub(super) mod forecast;
pub(super) mod format;
pub(super) mod learning;
pub(super) mod model;
pub(super) mod monitor;
pub(super) mod policy;
pub(super) mod request;
pub(super) mod rerank;
pub(super) mod score_log;
pub(super) mod serving;
pub(super) mod settings;
pub(super) mod source;
pub(super) mod telemetry;
pub(super) mod upsell;
pub(super) mod view;
pub(super) mod webhook;
pub(super) mod window;
