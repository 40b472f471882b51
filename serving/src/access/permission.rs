//! What callers of one role may reach, bound to the store.

use rustc_hash::{FxHashMap, FxHashSet};
use scorehouse_features::definition::{CallerFilter, CallerInput, EntityAccess, Project, RoleAccess};
use scorehouse_features::expression::Expression;
use scorehouse_features::ids::{EntityKey, EntityName, FeatureName, ModelName, SourceName};
use scorehouse_features::online::OnlineStore;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value};
use scorehouse_features::view::{FeaturePlan, Read, RequestFields, Scratch};

use super::caller::Identity;
use crate::error::ServeError;

/// What a role may reach; the default is everything.
#[derive(Debug, Default)]
pub struct Permission {
    models: Option<FxHashSet<ModelName>>,
    sources: Option<FxHashSet<SourceName>>,
    entities: Option<FxHashMap<EntityName, Sight>>,
}

/// Which entities of one kind are seen.
#[derive(Debug)]
enum Sight {
    All,
    Where(Box<Condition>),
}

/// A condition with the way to read what it asks for.
#[derive(Debug)]
struct Condition {
    expression: Expression,
    inputs: Vec<Input>,
    plan: FeaturePlan,
}

#[derive(Debug, Clone, Copy)]
enum Input {
    Feature(usize),
    Name,
    Attribute(usize),
}

impl Permission {
    /// Binds what the project says of a role.
    ///
    /// # Errors
    /// What compiling the conditions' features reports.
    pub fn compile(project: &Project, access: &RoleAccess) -> Result<Self, ServeError> {
        let sight = |(name, access): (&EntityName, &EntityAccess)| {
            let sight = match access {
                EntityAccess::All => Sight::All,
                EntityAccess::Where(filter) => {
                    Sight::Where(Box::new(Condition::compile(project, name, filter)?))
                }
            };
            Ok((name.clone(), sight))
        };
        let entities = access.entities.as_ref();
        Ok(Self {
            models: access.models.as_ref().map(|models| models.iter().cloned().collect()),
            sources: access.sources.as_ref().map(|sources| sources.iter().cloned().collect()),
            entities: entities
                .map(|all| all.iter().map(sight).collect::<Result<_, ServeError>>())
                .transpose()?,
        })
    }

    /// True when what a path names (model, source, entity) must be looked at.
    pub fn narrows_paths(&self) -> bool {
        self.models.is_some() || self.sources.is_some() || self.entities.is_some()
    }

    pub fn narrows_entities(&self) -> bool {
        self.entities.is_some()
    }

    pub fn allows_model(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.contains(model))
    }

    pub fn allows_source(&self, source: &str) -> bool {
        self.sources.as_ref().is_none_or(|sources| sources.contains(source))
    }

    pub fn knows(&self, entity: &str) -> bool {
        self.entities.as_ref().is_none_or(|entities| entities.contains_key(entity))
    }

    pub fn sees_all(&self, entity: &EntityName) -> bool {
        self.entities.as_ref().is_none_or(|entities| matches!(entities.get(entity), Some(Sight::All)))
    }

    /// True for an entity that `caller` may see. The condition holds or not *now*, whatever moment the request
    /// asks about, and over what the store holds, whatever values the request brings: neither is the caller's
    /// to choose.
    pub fn sees(
        &self,
        caller: &Identity,
        online: &dyn OnlineStore,
        (entity, key): (&EntityName, &EntityKey),
        now: Timestamp,
    ) -> Result<bool, ServeError> {
        let Some(entities) = &self.entities else { return Ok(true) };
        match entities.get(entity) {
            None => Ok(false),
            Some(Sight::All) => Ok(true),
            Some(Sight::Where(condition)) => condition.holds(caller, online, key, now),
        }
    }
}

impl Condition {
    fn compile(project: &Project, entity: &EntityName, filter: &CallerFilter) -> Result<Self, ServeError> {
        let mut features: Vec<FeatureName> = Vec::new();
        let inputs = filter.inputs.iter().map(|input| match input {
            CallerInput::Feature(name) => {
                features.push(name.clone());
                Input::Feature(features.len() - 1)
            }
            CallerInput::Name => Input::Name,
            CallerInput::Attribute(at) => Input::Attribute(*at),
        });
        let inputs = inputs.collect();
        let plan = FeaturePlan::compile(project, entity, &features)?;
        Ok(Self { expression: filter.expression.clone(), inputs, plan })
    }

    fn holds(
        &self,
        caller: &Identity,
        online: &dyn OnlineStore,
        key: &EntityKey,
        now: Timestamp,
    ) -> Result<bool, ServeError> {
        let mut values = Vec::new();
        let read = Read { key, as_of: now, request: &RequestFields::new(), overrides: &[] };
        self.plan.read(online, &read, &mut Scratch::default(), &mut values)?;
        let value = |input: &Input| match input {
            Input::Feature(at) => values.get(*at).cloned(),
            Input::Name => Some(Value::Text(caller.name.as_str().into())),
            Input::Attribute(at) => {
                caller.attributes.get(*at).cloned().flatten().map(|text| Value::Text(text.into()))
            }
        };
        let unknown = Value::Missing(Missing::NotGiven);
        let inputs: Vec<Value> =
            self.inputs.iter().map(|input| value(input).unwrap_or_else(|| unknown.clone())).collect();
        Ok(self.expression.is_true(&inputs, now))
    }
}
