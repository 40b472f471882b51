//! What there is to ask: the server, its models, and how ready they are.

use std::collections::BTreeMap;

use scorehouse_features::ids::ModelName;
use scorehouse_features::value::ValueType;
use scorehouse_models::Output;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::score_name;
use super::infer::select;
use super::rows::{KEY, MATRIX};
use super::shelf::{BASKET, CUSTOMER};
use crate::error::ServeError;
use crate::live_model::{LiveModel, Selected};
use crate::state::AppState;

/// What the server is.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServerMetadata {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What it speaks beyond the core of the protocol.
    pub extensions: [&'static str; 2],
}

/// This server.
pub const SERVER: ServerMetadata = ServerMetadata {
    name: "scorehouse",
    version: env!("CARGO_PKG_VERSION"),
    extensions: ["binary_tensor_data", "model_repository"],
};

/// What a model reads and answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelMetadata {
    /// Its name.
    pub name: String,
    /// The versions that answer in this server.
    pub versions: Vec<String>,
    /// What computes it.
    pub platform: String,
    /// One tensor per input; one that is left out is missing in every row.
    pub inputs: Vec<TensorMetadata>,
    /// Its outputs.
    pub outputs: Vec<TensorMetadata>,
    /// Other ways to ask: `feature_tensor`, one tensor with all inputs; `entity_key`, the entity whose keys may be
    /// sent instead; `version`, the one that this describes.
    pub properties: BTreeMap<&'static str, String>,
}

/// A tensor's name, datatype and shape; an extent of -1 is any.
#[derive(Debug, Serialize, ToSchema)]
pub struct TensorMetadata {
    /// Its name.
    pub name: String,
    /// Its datatype.
    pub datatype: &'static str,
    /// Its extents.
    pub shape: Vec<i64>,
}

/// One version in the repository.
#[derive(Debug, Serialize, ToSchema)]
pub struct IndexEntry {
    /// The model.
    pub name: String,
    /// The version; empty for a model without any.
    pub version: String,
    /// `READY` or `UNAVAILABLE`.
    pub state: &'static str,
    /// Why it is unavailable.
    pub reason: String,
}

/// What a model reads and answers.
///
/// # Errors
/// As for [`select`].
pub fn metadata(state: &AppState, model: &str, version: Option<&str>) -> Result<ModelMetadata, ServeError> {
    let Selected { model: live, .. } = select(&state.live, model, version)?;
    let mut properties = BTreeMap::from([("version", live.version().to_string())]);
    let recommends = live.shelf().is_ok();
    if let Some(entity) = live.entity() {
        properties.insert(KEY, entity.to_string());
    }
    let signature = live.scoring().signature();
    if !recommends && signature.inputs.iter().all(|input| input.value_type != ValueType::Text) {
        properties.insert("feature_tensor", MATRIX[0].into());
    }
    Ok(ModelMetadata {
        name: live.name().to_owned(),
        versions: versions(state, &live),
        platform: format!("scorehouse_{}", live.scoring().predictor().kind().replace(' ', "_")),
        inputs: inputs(&live, recommends),
        outputs: outputs(signature.output),
        properties,
    })
}

fn versions(state: &AppState, live: &LiveModel) -> Vec<String> {
    let aliases = state.live.aliases(live.name()).into_iter();
    let mut versions: Vec<u32> = aliases.filter_map(|alias| alias.live).chain([live.version().0]).collect();
    versions.sort_unstable();
    versions.dedup();
    versions.iter().map(ToString::to_string).collect()
}

fn tensor(name: &str, datatype: &'static str, shape: &[i64]) -> TensorMetadata {
    TensorMetadata { name: name.to_owned(), datatype, shape: shape.to_vec() }
}

fn inputs(live: &LiveModel, recommends: bool) -> Vec<TensorMetadata> {
    if recommends {
        return vec![tensor(CUSTOMER, "BYTES", &[-1]), tensor(BASKET, "BYTES", &[-1, -1])];
    }
    let datatype = |value_type| match value_type {
        ValueType::Bool => "BOOL",
        ValueType::Int => "INT64",
        ValueType::Float => "FP64",
        ValueType::Text | ValueType::Time => "BYTES",
    };
    let inputs = live.scoring().signature().inputs.iter();
    inputs.map(|input| tensor(&input.name, datatype(input.value_type), &[-1])).collect()
}

fn outputs(output: Output) -> Vec<TensorMetadata> {
    match output {
        Output::Items => vec![tensor("item", "BYTES", &[-1, -1]), tensor("score", "FP32", &[-1, -1])],
        _ => vec![tensor(score_name(output), "FP64", &[-1]), tensor("raw", "FP64", &[-1])],
    }
}

/// Every version that an alias points to, and declared models that have none; with `ready`, only what answers.
#[must_use]
pub fn index(state: &AppState, ready: bool) -> Vec<IndexEntry> {
    let mut entries: Vec<IndexEntry> = Vec::new();
    let all = state.live.all();
    for (name, aliases) in &all {
        let mut versions: BTreeMap<u32, Option<&String>> = BTreeMap::new();
        for alias in aliases {
            if let Some(live) = alias.live {
                versions.insert(live, None);
            }
            if alias.live != Some(alias.version) {
                versions.entry(alias.version).or_insert(alias.refused.as_ref());
            }
        }
        let answers = |version: u32| aliases.iter().any(|alias| alias.live == Some(version));
        entries.extend(versions.into_iter().map(|(version, reason)| IndexEntry {
            name: name.clone(),
            version: version.to_string(),
            state: if answers(version) { "READY" } else { "UNAVAILABLE" },
            reason: reason.cloned().unwrap_or_default(),
        }));
        if aliases.is_empty() {
            entries.push(unavailable(name, "no alias points to a version"));
        }
    }
    let untrained =
        state.project.models.keys().filter(|name| !all.iter().any(|(known, _)| known == name.as_str()));
    entries.extend(untrained.map(|name| unavailable(name.as_str(), "no version is registered yet")));
    entries.retain(|entry| !ready || entry.state == "READY");
    entries
}

fn unavailable(name: &str, reason: &str) -> IndexEntry {
    let (version, reason) = (String::new(), reason.to_owned());
    IndexEntry { name: name.to_owned(), version, state: "UNAVAILABLE", reason }
}

/// Refuses parameters of a load or unload that bring a model's files or configuration.
///
/// # Errors
/// [`ServeError::InvalidField`].
pub fn brings_nothing<'n>(mut parameters: impl Iterator<Item = &'n str>) -> Result<(), ServeError> {
    match parameters.find(|name| *name != "unload_dependents") {
        None => Ok(()),
        Some(name) => {
            let name: String = name.chars().take(100).collect();
            let message = format!("models come from the registry; the parameter {name:?} is not taken");
            Err(ServeError::InvalidField { message, nearest: None })
        }
    }
}

/// Brings a model that was unloaded back, and follows its aliases as the registry has them now.
///
/// # Errors
/// [`ServeError::Unknown`] for a model that is not registered, [`ServeError::NotLive`] when none of its versions
/// may answer.
pub fn load(state: &AppState, model: &str) -> Result<(), ServeError> {
    state.live.load(&name(state, model)?)?;
    select(&state.live, model, None).map(drop)
}

/// Lets every version of a model go, in this server, until it is loaded again or the server starts anew.
///
/// # Errors
/// [`ServeError::Unknown`] for a model that is not registered.
pub fn unload(state: &AppState, model: &str) -> Result<(), ServeError> {
    state.live.unload(&name(state, model)?)
}

fn name(state: &AppState, model: &str) -> Result<ModelName, ServeError> {
    if !state.live.knows(model) {
        // Says which models there are.
        select(&state.live, model, None)?;
    }
    ModelName::new(model)
        .map_err(|error| ServeError::InvalidField { message: error.to_string(), nearest: None })
}
