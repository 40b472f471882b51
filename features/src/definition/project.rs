//! The checked project: what a project file means once nothing in it can be wrong.

use std::path::PathBuf;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::definition::access::Access;
use crate::definition::model::ModelSpec;
use crate::definition::score_log::ScoreLogSettings;
use crate::definition::source::Source;
use crate::definition::telemetry::Telemetry;
use crate::definition::view::View;
use crate::definition::webhook::WebhookSpec;
use crate::ids::{
    ColumnName, EntityName, FeatureName, FeatureSetName, LocalName, ModelName, ReferenceName, SourceName,
    ViewName,
};
use crate::time::Span;
use crate::value::ValueType;

/// A whole project: one folder, one `scorehouse.toml`.
#[derive(Debug, Clone)]
pub struct Project {
    /// The project's name.
    pub name: String,
    /// The folder that holds the project file; relative paths start here.
    pub root: PathBuf,
    /// Seed of everything random in training.
    pub seed: u64,
    /// Where state lives: history, online log, registry, artifacts.
    pub state: PathBuf,
    /// Entities by name, in the order of the file.
    pub entities: IndexMap<EntityName, Entity>,
    /// Sources by name.
    pub sources: IndexMap<SourceName, Source>,
    /// Views by name, ordered so that a derived view comes after the views it reads.
    pub views: IndexMap<ViewName, View>,
    /// Fields that only a request can bring (`request.field`), with their types; one type per name in the
    /// whole project.
    pub request_fields: IndexMap<LocalName, ValueType>,
    /// Feature sets by name.
    pub feature_sets: IndexMap<FeatureSetName, FeatureSet>,
    /// Models by name.
    pub models: IndexMap<ModelName, ModelSpec>,
    /// What is kept of every answer.
    pub score_log: ScoreLogSettings,
    /// Whom changes of scores are told, by name.
    pub webhooks: IndexMap<LocalName, WebhookSpec>,
    /// Who may ask what.
    pub access: Access,
    /// Limits and addresses.
    pub settings: Settings,
}

/// A kind of thing that has a key and features.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entity {
    /// Its name.
    pub name: EntityName,
    /// The column that holds its key in sources, unless a view says otherwise.
    pub key: ColumnName,
    /// Other entities it refers to.
    pub references: IndexMap<ReferenceName, Reference>,
    /// What it is, for readers.
    pub description: Option<String>,
}

/// How one entity finds another: the key stands in one of its own features, as of the time asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The entity referred to.
    pub target: EntityName,
    /// The text feature (of a latest view of the referring entity) that holds the key.
    pub key: FeatureName,
}

/// The ordered features that a model reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureSet {
    /// Its name.
    pub name: FeatureSetName,
    /// The entity scored.
    pub entity: EntityName,
    /// The features in the order of the model's input row, globs expanded.
    pub features: Vec<FeatureField>,
    /// BLAKE3 of everything that decides these features' values (views, sources, references,
    /// expressions), as 64 hex digits. Two projects with the same hash compute the same values from the
    /// same accepted rows.
    pub hash: String,
    /// The views that the features are read from.
    #[serde(default)]
    pub views: Vec<ViewVersion>,
}

/// A view as a feature set reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewVersion {
    /// The view.
    pub view: ViewName,
    /// The hash of what the set reads from it: BLAKE3 as for [`FeatureSet::hash`], the first 12 hex digits.
    pub hash: String,
}

/// One feature of a feature set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureField {
    /// Its full name.
    pub name: FeatureName,
    /// Its type.
    pub value_type: ValueType,
    /// Its template in words, with `{value}`, for reasons.
    pub words: Option<String>,
    /// Features of one group say the same thing, so that reasons tell them together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// Limits and addresses, each with a default.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Bytes that a point-in-time join may hold before it spills.
    pub memory_limit: usize,
    /// Worker threads for joins and training; 0 means one per core.
    pub threads: usize,
    /// Address the server listens on.
    pub listen: String,
    /// Address at which the server speaks gRPC; none: it does not.
    pub grpc: Option<String>,
    /// Largest request body in bytes.
    pub body_limit: usize,
    /// Certificate and key; none serves plain HTTP.
    pub tls: Option<Tls>,
    /// Origins whose pages may call the server from a browser; `*` for every one.
    pub origins: Vec<String>,
    /// Connections open at once; more wait to be taken.
    pub connections: usize,
    /// Requests under way at once; more are refused.
    pub requests: usize,
    /// Longest time that a connection may take to bring a request's head, and that it may rest between two.
    pub header_timeout: Span,
    /// Longest time from a request's head to its answer.
    pub request_timeout: Span,
    /// What the server tells of its own work.
    pub telemetry: Telemetry,
}

/// Files for TLS, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate, followed by those that vouch for it.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            memory_limit: 2 << 30,
            threads: 0,
            listen: "127.0.0.1:8080".to_owned(),
            grpc: None,
            body_limit: 2 << 20,
            tls: None,
            origins: Vec::new(),
            connections: 4096,
            requests: 1024,
            header_timeout: Span(30_000_000),
            request_timeout: Span(30_000_000),
            telemetry: Telemetry::default(),
        }
    }
}
