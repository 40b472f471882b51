//! Models, their versions, and where their aliases point.

use std::collections::BTreeMap;

use scorehouse_features::ids::ModelName;
use scorehouse_models::registry::{AliasMove, AuditEntry, VersionRecord};
use scorehouse_models::{AliasName, ModelVersion};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Noun, ServeError};
use crate::live_model::AliasShown;
use crate::service::project::{self, ModelDeclared};
use crate::state::AppState;

/// All models.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelsAnswer {
    /// The models by name.
    pub models: Vec<ModelShown>,
}

/// A model in a listing.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelShown {
    /// Its name.
    pub name: String,
    /// As the project declares it; none for a model that only the registry knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared: Option<ModelDeclared>,
    /// Its newest version; none when none is registered.
    pub latest: Option<u32>,
    /// Its aliases, and what answers for each in this server.
    pub aliases: Vec<AliasShown>,
}

/// One model in full.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelAnswer {
    /// As in the listing.
    #[serde(flatten)]
    pub model: ModelShown,
    /// Its versions, the newest first: signature, metrics, training window, parents, who and when.
    #[schema(value_type = Vec<Object>)]
    pub versions: Vec<VersionRecord>,
    /// Every change to it, the newest first.
    #[schema(value_type = Vec<Object>)]
    pub audit: Vec<AuditEntry>,
}

/// Where an alias shall point.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"version": 3, "why": "better on the last quarter"}))]
pub struct AliasRequest {
    /// The version; null takes the alias away.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<u32>, required = true)]
    pub version: Option<u32>,
    /// Why, for the audit trail.
    #[serde(default)]
    pub why: Option<String>,
    /// Who, for the audit trail; where access is closed, the caller's own name counts instead.
    #[serde(default)]
    pub who: Option<String>,
}

/// Reads a version that must stand in the request, if only as null.
fn given<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    Option::deserialize(from)
}

/// Where an alias points now.
#[derive(Debug, Serialize, ToSchema)]
pub struct AliasAnswer {
    /// The model.
    pub model: String,
    /// The alias.
    pub alias: String,
    /// The version that answers now; null when the alias was taken away.
    pub version: Option<u32>,
    /// The version before.
    pub before: Option<u32>,
}

/// All models that the project declares or the registry knows.
///
/// # Errors
/// What the registry reports.
pub fn list(state: &AppState) -> Result<ModelsAnswer, ServeError> {
    let mut models: BTreeMap<String, ModelShown> = BTreeMap::new();
    for declared in project::project(&state.project).models {
        let name = declared.name.clone();
        models.insert(
            name.clone(),
            ModelShown { name, declared: Some(declared), latest: None, aliases: Vec::new() },
        );
    }
    for record in state.registry.list()? {
        let name = record.name.to_string();
        let aliases = state.live.aliases(&name);
        let empty = || ModelShown { name: name.clone(), declared: None, latest: None, aliases: Vec::new() };
        let shown = models.entry(name.clone()).or_insert_with(empty);
        shown.latest = Some(record.latest.0);
        shown.aliases = aliases;
    }
    Ok(ModelsAnswer { models: models.into_values().collect() })
}

/// One model with its versions and its trail.
///
/// # Errors
/// [`ServeError::Unknown`] with the nearest model, and what the registry reports.
pub fn show(state: &AppState, model: &str) -> Result<ModelAnswer, ServeError> {
    let mut all = list(state)?.models;
    let Some(at) = all.iter().position(|shown| shown.name == model) else {
        return Err(ServeError::unknown(Noun::Model, model, all.iter().map(|shown| shown.name.as_str())));
    };
    let shown = all.swap_remove(at);
    if shown.latest.is_none() {
        return Ok(ModelAnswer { model: shown, versions: Vec::new(), audit: Vec::new() });
    }
    let name = model_name(model)?;
    let mut versions = state.registry.versions(&name)?;
    let mut audit = state.registry.audit(&name)?;
    versions.reverse();
    audit.reverse();
    Ok(ModelAnswer { model: shown, versions, audit })
}

/// Points an alias to a version. The version is loaded and checked first; when this returns it answers.
///
/// # Errors
/// [`ServeError::Unknown`] for the model or version, [`ServeError::VersionRefused`] for a version that may not
/// go live: nothing has moved then.
pub fn move_alias(
    state: &AppState,
    model: &str,
    alias: &str,
    request: &AliasRequest,
) -> Result<AliasAnswer, ServeError> {
    let name = model_name(model)?;
    let alias_name = AliasName::new(alias)?;
    let to = request.version.map(ModelVersion);
    state.registry.aliases(&name)?;
    if let Some(version) = to {
        state.live.ensure(&name, version)?;
    }
    let before = state.registry.move_alias(&AliasMove {
        model: name,
        alias: alias_name,
        to,
        who: text(request.who.as_ref(), "http"),
        when: state.clock.now(),
        why: text(request.why.as_ref(), "moved over HTTP"),
    })?;
    state.live.refresh()?;
    Ok(AliasAnswer {
        model: model.to_owned(),
        alias: alias.to_owned(),
        version: request.version,
        before: before.map(|version| version.0),
    })
}

fn model_name(text: &str) -> Result<ModelName, ServeError> {
    ModelName::new(text).map_err(|_| ServeError::unknown(Noun::Model, text, []))
}

/// A text for the trail, cut to a length that a trail can bear.
fn text(given: Option<&String>, otherwise: &str) -> String {
    given.map_or_else(|| otherwise.to_owned(), |text| text.chars().take(500).collect())
}
