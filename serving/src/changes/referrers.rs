//! Who refers to whom: the entities whose scores may move when a fact about another comes in.
//!
//! Entities know whom they refer to, not the other way round; so the other way is gathered once when the server
//! starts and kept up as entities are scored. An entry may outlive its reference; its entity is then scored once more
//! for nothing.

use rustc_hash::{FxHashMap, FxHashSet};
use scorehouse_features::definition::Project;
use scorehouse_features::ids::{EntityKey, EntityName, FeatureName};
use scorehouse_features::online::OnlineStore;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_features::view::key::key_text;
use scorehouse_features::view::{FeaturePlan, Read, RequestFields, Scratch};

use super::Watched;
use crate::error::ServeError;

/// Keys read from the store at a time.
const PAGE: usize = 1_000;

/// For each watched model that reads through references: who refers to which key, by role.
#[derive(Debug, Default)]
pub struct Referrers(Vec<Model>);

#[derive(Debug)]
struct Model {
    model: String,
    entity: EntityName,
    roles: Vec<String>,
    /// Reads the keys that an entity refers to, a role each.
    plan: FeaturePlan,
    /// By role: key referred to, keys that refer to it.
    known: Vec<FxHashMap<Box<str>, FxHashSet<Box<str>>>>,
}

impl Referrers {
    /// Nothing known yet.
    ///
    /// # Errors
    /// What compiling the features that hold keys reports.
    pub(super) fn compile(project: &Project, watched: &[Watched]) -> Result<Self, ServeError> {
        let mut models = Vec::new();
        for watched in watched.iter().filter(|watched| !watched.through.is_empty()) {
            let references = project.entities.get(&watched.entity).map(|entity| &entity.references);
            let key_of =
                |role: &String| -> Option<FeatureName> { Some(references?.get(role.as_str())?.key.clone()) };
            let roles: Vec<String> = watched.through.iter().map(|(role, _)| role.clone()).collect();
            let keys: Vec<FeatureName> = roles.iter().filter_map(key_of).collect();
            let plan = FeaturePlan::compile(project, &watched.entity, &keys)?;
            let known = roles.iter().map(|_| FxHashMap::default()).collect();
            let (model, entity) = (watched.model.clone(), watched.entity.clone());
            models.push(Model { model, entity, roles, plan, known });
        }
        Ok(Self(models))
    }

    /// The keys of entities that refer to `key` in `role`, ascending.
    #[must_use]
    pub fn of(&self, model: &str, role: &str, key: &str) -> Vec<String> {
        let Some(model) = self.0.iter().find(|known| known.model == model) else { return Vec::new() };
        let Some(at) = model.roles.iter().position(|known| known == role) else { return Vec::new() };
        let found = model.known[at].get(key).into_iter().flatten();
        let mut keys: Vec<String> = found.map(|key| key.to_string()).collect();
        keys.sort_unstable();
        keys
    }

    /// True when some model reads through references.
    #[must_use]
    pub fn is_needed(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whom an entity refers to now, for [`Referrers::learn`].
    ///
    /// # Errors
    /// What reading reports.
    pub fn read(
        &self,
        online: &dyn OnlineStore,
        (model, key): (&str, &EntityKey),
        now: Timestamp,
    ) -> Result<Vec<Option<String>>, ServeError> {
        let Some(model) = self.0.iter().find(|known| known.model == model) else { return Ok(Vec::new()) };
        model.read(online, key, now)
    }

    /// Learns whom an entity refers to.
    pub fn learn(&mut self, model: &str, key: &EntityKey, refers_to: &[Option<String>]) {
        let Some(model) = self.0.iter_mut().find(|known| known.model == model) else { return };
        for (known, other) in model.known.iter_mut().zip(refers_to) {
            if let Some(other) = other {
                known.entry(other.as_str().into()).or_default().insert(key.as_str().into());
            }
        }
    }

    /// Shows `see` every entity of every model with whom it refers to now. One that cannot be read is left out: it is
    /// learnt with its next push.
    ///
    /// # Errors
    /// What reading reports.
    pub fn scan(
        &self,
        online: &dyn OnlineStore,
        now: Timestamp,
        see: &mut dyn FnMut(&str, &EntityKey, Vec<Option<String>>),
    ) -> Result<(), ServeError> {
        for model in &self.0 {
            let mut after = None;
            loop {
                let page = online.keys(&model.entity, after.as_ref(), PAGE)?;
                for key in &page.keys {
                    match model.read(online, key, now) {
                        Ok(refers_to) => see(&model.model, key, refers_to),
                        Err(error) => {
                            tracing::debug!(model = %model.model, %error, "an entity cannot be read")
                        }
                    }
                }
                after = page.keys.last().cloned();
                if !page.more {
                    break;
                }
            }
        }
        Ok(())
    }
}

impl Model {
    fn read(
        &self,
        online: &dyn OnlineStore,
        key: &EntityKey,
        now: Timestamp,
    ) -> Result<Vec<Option<String>>, ServeError> {
        let mut values: Vec<Value> = Vec::new();
        let read = Read { key, as_of: now, request: &RequestFields::new(), overrides: &[] };
        self.plan.read(online, &read, &mut Scratch::default(), &mut values)?;
        Ok(values.iter().map(|value| key_text(value).map(std::borrow::Cow::into_owned)).collect())
    }
}
