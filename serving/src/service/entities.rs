//! What is known of an entity: its keys, and all features of one of them.

use scorehouse_features::definition::{Project, ViewKind};
use scorehouse_features::ids::{EntityKey, EntityName, FeatureName};
use scorehouse_features::nearest::nearest;
use scorehouse_features::online::OnlineStore;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_features::view::{FeaturePlan, Read, RequestFields, Scratch};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::{IntoParams, ToSchema};

use crate::access::Caller;
use crate::error::{Noun, ServeError};
use crate::service::moment;
use crate::service::scalar::Shown;
use crate::state::AppState;

/// How to read everything that views say of one kind of entity.
#[derive(Debug)]
pub struct EntityPlan {
    names: Vec<String>,
    plan: FeaturePlan,
    /// Positions of features that tell a reader which one this is: those of latest views, but for references.
    telling: Vec<(usize, String)>,
}

impl EntityPlan {
    /// Compiles the plan over all features of the entity's own views.
    ///
    /// # Errors
    /// What compiling reports.
    pub fn compile(project: &Project, entity: &EntityName) -> Result<Self, ServeError> {
        let views = project.views.values().filter(|view| view.entity == *entity);
        let features: Vec<FeatureName> = views
            .flat_map(|view| view.features.iter().map(|feature| (view.name.clone(), feature.name.clone())))
            .map(|(view, name)| FeatureName { through: None, view, name })
            .collect();
        let plan = FeaturePlan::compile(project, entity, &features)?;
        let telling = telling(project, entity, &features);
        Ok(Self { names: features.iter().map(ToString::to_string).collect(), plan, telling })
    }

    /// The first `most` telling features that have a value, by local name.
    ///
    /// # Errors
    /// What reading reports.
    pub fn facts(
        &self,
        online: &dyn OnlineStore,
        key: &EntityKey,
        as_of: Timestamp,
        most: usize,
    ) -> Result<serde_json::Map<String, serde_json::Value>, ServeError> {
        let values = self.read(online, key, as_of)?;
        let known = self.telling.iter().filter(|(at, _)| !values[*at].is_missing());
        Ok(known.take(most).map(|(at, name)| (name.clone(), values[*at].to_json())).collect())
    }

    fn read(
        &self,
        online: &dyn OnlineStore,
        key: &EntityKey,
        as_of: Timestamp,
    ) -> Result<Vec<Value>, ServeError> {
        let mut values = Vec::new();
        let read = Read { key, as_of, request: &RequestFields::new(), overrides: &[] };
        self.plan.read(online, &read, &mut Scratch::default(), &mut values)?;
        Ok(values)
    }
}

fn telling(project: &Project, entity: &EntityName, features: &[FeatureName]) -> Vec<(usize, String)> {
    let references = project.entities.get(entity).map(|entity| &entity.references);
    let refers = |name: &FeatureName| references.into_iter().flatten().any(|(_, to)| to.key == *name);
    let latest = |name: &FeatureName| {
        project.views.get(&name.view).is_some_and(|view| matches!(view.kind, ViewKind::Latest(_)))
    };
    let telling = features.iter().enumerate().filter(|(_, name)| latest(name) && !refers(name));
    telling.map(|(at, name)| (at, name.name.to_string())).collect()
}

/// Which page of keys.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageAsked {
    /// The last key of the page before.
    after: Option<String>,
    /// Keys on the page, 1 to 1000; 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Which moment.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MomentAsked {
    /// The moment whose knowledge counts, RFC 3339 or a date; now if not given.
    as_of: Option<String>,
}

/// A page of keys.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeysAnswer {
    /// The kind of entity.
    pub entity: String,
    /// Keys in ascending order of their bytes.
    pub keys: Vec<String>,
    /// What to give as `after` for the next page; none on the last.
    pub next: Option<String>,
}

/// All features of one entity.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntityAnswer {
    /// The kind of entity.
    pub entity: String,
    /// Its key.
    pub key: String,
    /// The moment whose knowledge counted.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// Its features by name.
    #[schema(value_type = std::collections::HashMap<String, FeatureShown>)]
    pub features: Features,
}

/// One feature's value.
#[derive(Debug, Serialize, ToSchema)]
pub struct FeatureShown {
    /// The value; null when it is missing.
    #[schema(value_type = serde_json::Value)]
    value: serde_json::Value,
    /// Why it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<&'static str>,
}

/// Values by feature name, in the order of the project.
#[derive(Debug)]
pub struct Features {
    names: Vec<String>,
    values: Vec<Value>,
}

impl Serialize for Features {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.names.len()))?;
        for (name, value) in self.names.iter().zip(&self.values) {
            map.serialize_entry(name, &OneFeature(value))?;
        }
        map.end()
    }
}

struct OneFeature<'a>(&'a Value);

impl Serialize for OneFeature<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("value", &Shown(self.0))?;
        if let Value::Missing(reason) = self.0 {
            map.serialize_entry("missing", reason.as_str())?;
        }
        map.end()
    }
}

/// Some keys of an entity, after those of the page before. Keys that the caller may not see are left out, so
/// that a page may hold fewer than were asked for.
///
/// # Errors
/// [`ServeError::Unknown`] for the entity, [`ServeError::InvalidParameter`] for the page.
pub fn keys(
    state: &AppState,
    caller: &Caller,
    entity: &str,
    page: &PageAsked,
) -> Result<KeysAnswer, ServeError> {
    let (name, _) = plan(state, entity)?;
    let limit = page.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        return Err(ServeError::InvalidParameter { message: "limit takes 1 to 1000".into() });
    }
    let after = page.after.as_deref().map(key_of).transpose()?;
    let found = state.online.keys(name, after.as_ref(), limit)?;
    let next = found.keys.last().filter(|_| found.more).map(ToString::to_string);
    let mut keys = Vec::with_capacity(found.keys.len());
    let now = state.clock.now();
    for key in &found.keys {
        if caller.sees(state.online.as_ref(), name, key, now)? {
            keys.push(key.to_string());
        }
    }
    Ok(KeysAnswer { entity: entity.to_owned(), keys, next })
}

/// All features of one entity as of a moment, each with the reason if it is missing.
///
/// # Errors
/// [`ServeError::Unknown`] for the entity or its key, and a moment that is none or in the future.
pub fn features(
    state: &AppState,
    caller: &Caller,
    (entity, key): (&str, &str),
    asked: &MomentAsked,
) -> Result<EntityAnswer, ServeError> {
    let (name, plan) = plan(state, entity)?;
    let key = key_of(key)?;
    let as_of = moment::as_of(state.clock.as_ref(), asked.as_of.as_deref())?;
    if !caller.sees(state.online.as_ref(), name, &key, state.clock.now())? {
        return Err(hidden(&key));
    }
    if !state.online.contains(name, &key)? {
        return Err(unknown_key(state.online.as_ref(), name, &key));
    }
    let values = plan.read(state.online.as_ref(), &key, as_of)?;
    let features = Features { names: plan.names.clone(), values };
    Ok(EntityAnswer { entity: entity.to_owned(), key: key.to_string(), as_of, features })
}

/// An entity of the project with its plan.
///
/// # Errors
/// [`ServeError::Unknown`] with the nearest entity.
pub fn plan<'a>(state: &'a AppState, entity: &str) -> Result<(&'a EntityName, &'a EntityPlan), ServeError> {
    let known = || ServeError::unknown(Noun::Entity, entity, state.entities.keys().map(EntityName::as_str));
    state.entities.get_key_value(entity).ok_or_else(known)
}

/// A key from a request.
///
/// # Errors
/// [`ServeError::InvalidField`] for text that no key can be.
pub fn key_of(text: &str) -> Result<EntityKey, ServeError> {
    EntityKey::new(text)
        .map_err(|error| ServeError::InvalidField { message: error.to_string(), nearest: None })
}

/// The refusal of a key that its caller may not see: that of a key that is not there, without a word about
/// others.
#[must_use]
pub fn hidden(key: &EntityKey) -> ServeError {
    ServeError::Unknown { what: Noun::Key, name: key.to_string(), nearest: None, known: Vec::new() }
}

/// How many neighbours of an unknown key are looked at for a suggestion.
const NEIGHBOURS: usize = 64;

/// The refusal of a key that the store has never seen, with a known one like it among its neighbours.
pub fn unknown_key(online: &dyn OnlineStore, entity: &EntityName, key: &EntityKey) -> ServeError {
    let text = key.as_str();
    let begin = text.char_indices().rev().nth(1).map_or("", |(at, _)| &text[..at]);
    let page = online.keys(entity, EntityKey::new(begin).ok().as_ref(), NEIGHBOURS).unwrap_or_default();
    let near = nearest(text, page.keys.iter().map(EntityKey::as_str)).map(str::to_owned);
    ServeError::Unknown { what: Noun::Key, name: text.to_owned(), nearest: near, known: Vec::new() }
}
