//! Features of many entities at once, as of one moment: for models that are scored elsewhere.

use std::cell::RefCell;

use indexmap::IndexMap;
use rayon::prelude::*;
use scorehouse_features::definition::{FeatureSet, Project};
use scorehouse_features::ids::{FeatureName, FeatureSetName};
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_features::view::{FeaturePlan, Read, RequestFields, Scratch};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use super::entities::{hidden, key_of, unknown_key};
use super::history::{Wanted, feature_set};
use super::moment;
use super::scalar::{Shown, Text};
use crate::access::Caller;
use crate::error::ServeError;
use crate::problem::ErrorBody;
use crate::state::AppState;

/// Most entities of one request.
const MOST_KEYS: usize = 10_000;
/// Most values of one answer: what it holds must fit into memory beside others.
const MOST_VALUES: usize = 1_000_000;
/// Entities and values read where the request is; more cross into the pool.
const INLINE_KEYS: usize = 128;
const INLINE_VALUES: usize = 4096;

/// A request for features.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"feature_set": "deal_close", "keys": ["D-1001", "D-1002"]}))]
pub struct FeaturesRequest<'a> {
    /// The feature set to read.
    #[serde(default)]
    pub feature_set: Option<String>,
    /// In place of a feature set: the entity, with `features`.
    #[serde(default)]
    pub entity: Option<String>,
    /// In place of a feature set: names of features.
    #[serde(default)]
    pub features: Option<Vec<String>>,
    /// The entities, at most 10 000.
    #[serde(borrow)]
    #[schema(value_type = Vec<String>)]
    pub keys: Vec<Text<'a>>,
    /// The moment whose knowledge counts, RFC 3339 or a date; now if not given. Not in the future.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>)]
    pub as_of: Option<Text<'a>>,
    /// True: each row says why values are missing.
    #[serde(default)]
    pub missing: bool,
    /// True: an entity that is not known carries its own `error`, and the others are answered. False: the first such
    /// entity fails the request.
    #[serde(default)]
    pub partial: bool,
}

/// How to read each feature set of a project.
pub type SetPlans = IndexMap<FeatureSetName, SetPlan>;

/// How to read a feature set.
#[derive(Debug)]
pub struct SetPlan {
    names: Vec<String>,
    plan: FeaturePlan,
}

impl SetPlan {
    fn compile(project: &Project, set: &FeatureSet) -> Result<Self, ServeError> {
        let features: Vec<FeatureName> = set.features.iter().map(|feature| feature.name.clone()).collect();
        let plan = FeaturePlan::compile(project, &set.entity, &features)?;
        Ok(Self { names: features.iter().map(ToString::to_string).collect(), plan })
    }

    /// The plans of all feature sets.
    ///
    /// # Errors
    /// What compiling reports.
    pub fn all(project: &Project) -> Result<SetPlans, ServeError> {
        let plan =
            |(name, set): (&FeatureSetName, &FeatureSet)| Ok((name.clone(), Self::compile(project, set)?));
        project.feature_sets.iter().map(plan).collect()
    }
}

/// Features of many entities.
#[derive(Debug, Serialize, ToSchema)]
pub struct FeaturesAnswer {
    /// The kind of entity.
    pub entity: String,
    /// The moment whose knowledge counted.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// The features' names, in the order of each row's values.
    pub features: Vec<String>,
    /// One row per key of the request, in its order.
    #[schema(value_type = Vec<FeatureRow>)]
    rows: Vec<RowRead>,
}

/// One entity's features.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "stands only in the OpenAPI document; RowRead is what is written")]
pub struct FeatureRow {
    /// The key.
    key: String,
    /// The values in the order of `features`; null when missing.
    values: Option<Vec<serde_json::Value>>,
    /// With `missing`: why a value is missing, in the same order; null where there is one.
    missing: Option<Vec<Option<String>>>,
    /// With `partial`: why this entity has no row.
    error: Option<ErrorBody>,
}

#[derive(Debug)]
struct RowRead {
    key: String,
    values: Result<Vec<Value>, ServeError>,
    missing: bool,
}

impl Serialize for RowRead {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("key", &self.key)?;
        match &self.values {
            Ok(values) => {
                map.serialize_entry("values", &Values(values))?;
                if self.missing {
                    map.serialize_entry("missing", &Reasons(values))?;
                }
            }
            Err(error) => map.serialize_entry("error", &ErrorBody::of(error))?,
        }
        map.end()
    }
}

struct Values<'a>(&'a [Value]);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut list = to.serialize_seq(Some(self.0.len()))?;
        self.0.iter().try_for_each(|value| list.serialize_element(&Shown(value)))?;
        list.end()
    }
}

struct Reasons<'a>(&'a [Value]);

impl Serialize for Reasons<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(|value| match value {
            Value::Missing(reason) => Some(reason.as_str()),
            _ => None,
        }))
    }
}

impl FeaturesAnswer {
    /// The answer's bytes.
    ///
    /// # Errors
    /// [`ServeError::Bug`] when a number cannot be written.
    pub fn to_json(&self) -> Result<Vec<u8>, ServeError> {
        let mut bytes = Vec::with_capacity(256 + self.rows.len() * (32 + 20 * self.features.len()));
        serde_json::to_writer(&mut bytes, self).map_err(|e| ServeError::Bug { message: e.to_string() })?;
        Ok(bytes)
    }
}

/// True when a request is so small that crossing into the pool would cost more than reading.
#[must_use]
pub fn is_small(state: &AppState, request: &FeaturesRequest<'_>) -> bool {
    let set = request.feature_set.as_deref().and_then(|name| state.sets.get(name));
    let width = set.map_or(request.features.as_ref().map_or(0, Vec::len), |set| set.names.len());
    request.keys.len() <= INLINE_KEYS && request.keys.len().saturating_mul(width) <= INLINE_VALUES
}

/// Reads the features of many entities as of one moment.
///
/// # Errors
/// [`ServeError::Unknown`] for a feature set, entity, feature or key; [`ServeError::TooMany`]; a moment that is none or in
/// the future.
pub fn features(
    state: &AppState,
    caller: &Caller,
    request: &FeaturesRequest<'_>,
) -> Result<FeaturesAnswer, ServeError> {
    if request.keys.len() > MOST_KEYS {
        return Err(ServeError::TooMany { what: "keys", limit: MOST_KEYS, given: request.keys.len() });
    }
    let spelled_out;
    let set = match known_set(state, request) {
        Some(set) => set,
        None => {
            let wanted = Wanted {
                feature_set: request.feature_set.clone(),
                entity: request.entity.clone(),
                features: request.features.clone(),
                missing: false,
            };
            spelled_out = SetPlan::compile(&state.project, &feature_set(&state.project, &wanted)?)?;
            &spelled_out
        }
    };
    let values = request.keys.len().saturating_mul(set.names.len());
    if values > MOST_VALUES {
        return Err(ServeError::TooMany { what: "values", limit: MOST_VALUES, given: values });
    }
    let as_of = moment::as_of(state.clock.as_ref(), request.as_of.as_deref())?;
    let asked = Asked { state, caller, set, as_of, request };
    let rows = if is_small(state, request) {
        request.keys.iter().map(|key| asked.row(key)).collect::<Result<_, _>>()?
    } else {
        request.keys.par_iter().map(|key| asked.row(key)).collect::<Result<_, _>>()?
    };
    Ok(FeaturesAnswer { entity: set.plan.entity().to_string(), as_of, features: set.names.clone(), rows })
}

/// The set of a request that names nothing else.
fn known_set<'a>(state: &'a AppState, request: &FeaturesRequest<'_>) -> Option<&'a SetPlan> {
    let alone = request.entity.is_none() && request.features.is_none();
    request.feature_set.as_deref().filter(|_| alone).and_then(|name| state.sets.get(name))
}

thread_local! {
    static READ: RefCell<Scratch> = RefCell::default();
}

/// What all rows of a request share.
struct Asked<'a> {
    state: &'a AppState,
    caller: &'a Caller,
    set: &'a SetPlan,
    as_of: Timestamp,
    request: &'a FeaturesRequest<'a>,
}

impl Asked<'_> {
    fn row(&self, key: &str) -> Result<RowRead, ServeError> {
        let values = self.read(key);
        match values {
            Err(error) if !self.request.partial => Err(error),
            values => Ok(RowRead { key: key.to_owned(), values, missing: self.request.missing }),
        }
    }

    fn read(&self, key: &str) -> Result<Vec<Value>, ServeError> {
        let (online, entity) = (self.state.online.as_ref(), self.set.plan.entity());
        let key = key_of(key)?;
        if self.caller.is_narrowed() && !self.caller.sees(online, entity, &key, self.state.clock.now())? {
            return Err(hidden(&key));
        }
        let read = Read { key: &key, as_of: self.as_of, request: &RequestFields::new(), overrides: &[] };
        let mut values = Vec::new();
        let met = READ.with_borrow_mut(|scratch| {
            self.set.plan.read(online, &read, scratch, &mut values).map(|()| scratch.met(0))
        })?;
        if !met && !online.contains(entity, &key)? {
            return Err(unknown_key(online, entity, &key));
        }
        Ok(values)
    }
}
