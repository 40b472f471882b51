//! The table of live models, replaced as a whole whenever an alias has moved.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};
use scorehouse_features::definition::Project;
use scorehouse_features::ids::ModelName;
use scorehouse_models::{AliasName, ModelVersion, Registry};
use serde::Serialize;
use utoipa::ToSchema;

use super::LiveModel;
use crate::error::{Noun, ServeError};
use crate::telemetry::Metrics;

/// Versions that were live before, or were asked for by number, that are kept beside the live ones.
const KEPT: usize = 8;

/// The models that answer.
pub struct LiveModels {
    project: Project,
    registry: Arc<dyn Registry>,
    metrics: Arc<Metrics>,
    now: ArcSwap<Table>,
    /// The registry's revision that `now` shows.
    revision: AtomicU64,
    /// Versions loaded before anything points to them, asked for by number, or live until something else was.
    kept: Mutex<VecDeque<Arc<LiveModel>>>,
    /// Models that do not answer in this server until they are loaded again.
    unloaded: Mutex<FxHashSet<ModelName>>,
    /// Held while the table is rebuilt: one rebuild at a time, and requests go on reading the old one.
    rebuild: Mutex<()>,
}

#[derive(Debug, Default)]
struct Table {
    models: FxHashMap<ModelName, Vec<Slot>>,
    unloaded: FxHashSet<ModelName>,
}

/// Why a model that was unloaded does not answer.
const UNLOADED: &str = "it was unloaded from this server; load it again";

/// What stands behind one alias.
#[derive(Debug, Clone)]
struct Slot {
    alias: AliasName,
    /// Where the registry's alias points.
    points_to: ModelVersion,
    /// What answers: that version, or while it is refused the one before.
    live: Option<Arc<LiveModel>>,
    refused: Option<String>,
}

/// A version chosen for one request.
#[derive(Debug, Clone)]
pub struct Selected {
    /// The version.
    pub model: Arc<LiveModel>,
    /// The alias it was found by.
    pub alias: Option<AliasName>,
}

/// An alias as it stands in this server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AliasShown {
    /// The alias.
    pub alias: String,
    /// The version that the registry points to.
    pub version: u32,
    /// The version that answers in this server; another than `version` while that one is refused.
    pub live: Option<u32>,
    /// Why `version` does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl LiveModels {
    /// Loads whatever the registry's aliases point to. A version that is refused is logged and counted; the
    /// others answer.
    ///
    /// # Errors
    /// What the registry reports.
    pub fn open(
        project: Project,
        registry: Arc<dyn Registry>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ServeError> {
        let live = Self {
            project,
            registry,
            metrics,
            now: ArcSwap::default(),
            revision: AtomicU64::new(u64::MAX),
            kept: Mutex::default(),
            unloaded: Mutex::default(),
            rebuild: Mutex::default(),
        };
        live.refresh()?;
        Ok(live)
    }

    /// The version that a request asks for: by number, by alias, or the champion.
    ///
    /// # Errors
    /// [`ServeError::Unknown`] for the model or alias; [`ServeError::NotLive`] when nothing answers for it, or
    /// a version by number was not [ensured](LiveModels::ensure).
    pub fn select(
        &self,
        model: &str,
        alias: Option<&str>,
        version: Option<u32>,
    ) -> Result<Selected, ServeError> {
        if alias.is_some() && version.is_some() {
            let message = "give `alias` or `version`, not both".into();
            return Err(ServeError::InvalidField { message, nearest: None });
        }
        let table = self.now.load();
        let slots = table.models.get(model).ok_or_else(|| self.unknown_model(model, &table))?;
        if version.is_some() && table.unloaded.contains(model) {
            return Err(not_live(model, UNLOADED.into()));
        }
        if let Some(version) = version {
            let live = self.loaded(slots, model, ModelVersion(version));
            let model = live.ok_or_else(|| not_live(model, format!("version {version} is not loaded")))?;
            return Ok(Selected { model, alias: None });
        }
        let wanted = alias.unwrap_or("champion");
        let slot = slots.iter().find(|slot| slot.alias.as_str() == wanted);
        let Some(slot) = slot else { return Err(no_alias(model, alias, slots)) };
        let reason = || slot.refused.clone().unwrap_or_else(|| "it is being loaded".into());
        let live = slot.live.clone().ok_or_else(|| not_live(model, reason()))?;
        Ok(Selected { model: live, alias: Some(slot.alias.clone()) })
    }

    /// What answers behind an alias, if anything does.
    #[must_use]
    pub fn behind(&self, model: &str, alias: &str) -> Option<Selected> {
        let table = self.now.load();
        let slot = table.models.get(model)?.iter().find(|slot| slot.alias.as_str() == alias)?;
        Some(Selected { model: slot.live.clone()?, alias: Some(slot.alias.clone()) })
    }

    /// True when the version is loaded, so that [`LiveModels::select`] finds it.
    #[must_use]
    pub fn has(&self, model: &str, version: u32) -> bool {
        let table = self.now.load();
        let slots = table.models.get(model).map_or(&[][..], Vec::as_slice);
        self.loaded(slots, model, ModelVersion(version)).is_some()
    }

    /// Loads a version by number, so that [`LiveModels::select`] finds it; the least recent of those loaded so
    /// is let go. Reads files, so it may take a while.
    ///
    /// # Errors
    /// As [`LiveModel::load`].
    pub fn ensure(&self, model: &ModelName, version: ModelVersion) -> Result<Arc<LiveModel>, ServeError> {
        let table = self.now.load();
        let slots = table.models.get(model).map_or(&[][..], Vec::as_slice);
        if let Some(live) = self.loaded(slots, model.as_str(), version) {
            return Ok(live);
        }
        let load = LiveModel::load(&self.project, self.registry.as_ref(), &self.metrics, (model, version));
        let live = Arc::new(load.inspect_err(|_| self.metrics.version_refused(model.as_str()))?);
        let mut kept = self.kept.lock();
        kept.push_back(live.clone());
        if kept.len() > KEPT {
            kept.pop_front();
        }
        Ok(live)
    }

    /// True when the registry has such a model.
    #[must_use]
    pub fn knows(&self, model: &str) -> bool {
        self.now.load().models.contains_key(model)
    }

    /// The aliases of a model as they stand in this server.
    #[must_use]
    pub fn aliases(&self, model: &str) -> Vec<AliasShown> {
        let table = self.now.load();
        table.models.get(model).map_or_else(Vec::new, |slots| slots.iter().map(shown).collect())
    }

    /// All models with their aliases, by name.
    #[must_use]
    pub fn all(&self) -> Vec<(String, Vec<AliasShown>)> {
        let table = self.now.load();
        let models = table.models.iter();
        let mut all: Vec<_> =
            models.map(|(name, slots)| (name.to_string(), slots.iter().map(shown).collect())).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// Looks at the registry and follows what has moved since the last look. True when something had.
    ///
    /// # Errors
    /// What the registry reports; everything goes on as before then.
    pub fn refresh(&self) -> Result<bool, ServeError> {
        let revision = self.registry.revision()?;
        if revision == self.revision.load(Ordering::Acquire) {
            return Ok(false);
        }
        self.rebuild()?;
        Ok(true)
    }

    /// Brings a model back that was unloaded, and follows the registry as it stands now.
    ///
    /// # Errors
    /// What the registry reports.
    pub fn load(&self, model: &ModelName) -> Result<(), ServeError> {
        self.unloaded.lock().remove(model);
        self.rebuild()
    }

    /// Lets every version of a model go; requests under way end with the version they began with.
    ///
    /// # Errors
    /// What the registry reports.
    pub fn unload(&self, model: &ModelName) -> Result<(), ServeError> {
        self.unloaded.lock().insert(model.clone());
        self.kept.lock().retain(|loaded| loaded.name != *model);
        self.rebuild()
    }

    fn rebuild(&self) -> Result<(), ServeError> {
        let _alone = self.rebuild.lock();
        let unloaded = self.unloaded.lock().clone();
        let kept = self.kept.lock().clone();
        let revision = self.registry.revision()?;
        let before = self.now.load_full();
        let mut models = FxHashMap::default();
        for record in self.registry.list()? {
            let old = before.models.get(&record.name).filter(|_| !before.unloaded.contains(&record.name));
            let old = old.map_or(&[][..], Vec::as_slice);
            let aliases = record.aliases.into_iter();
            if unloaded.contains(&record.name) {
                let slots = aliases.map(|to| self.let_go(&record.name, to)).collect();
                models.insert(record.name, slots);
                continue;
            }
            let slots = aliases.map(|to| self.follow(&record.name, to, old, &kept)).collect();
            models.insert(record.name, slots);
        }
        self.forget_taken_away(&before, &models);
        self.keep_replaced(&before, &models, &unloaded);
        self.now.store(Arc::new(Table { models, unloaded }));
        self.revision.store(revision, Ordering::Release);
        Ok(())
    }

    /// Keeps what was live until now beside what is, so that going back reads nothing; the least recent goes first.
    fn keep_replaced(
        &self,
        before: &Table,
        models: &FxHashMap<ModelName, Vec<Slot>>,
        unloaded: &FxHashSet<ModelName>,
    ) {
        let mut kept = self.kept.lock();
        kept.retain(|loaded| !is_live(models, loaded));
        let were = before.models.values().flatten().filter_map(|slot| slot.live.as_ref());
        for replaced in were.filter(|live| !is_live(models, live) && !unloaded.contains(&live.name)) {
            if !kept.iter().any(|known| Arc::ptr_eq(known, replaced)) {
                kept.push_back(replaced.clone());
            }
        }
        while kept.len() > KEPT {
            kept.pop_front();
        }
    }

    /// An alias of a model that was unloaded.
    fn let_go(&self, model: &ModelName, (alias, points_to): (AliasName, ModelVersion)) -> Slot {
        self.metrics.live(model.as_str(), alias.as_str(), 0);
        Slot { alias, points_to, live: None, refused: Some(UNLOADED.into()) }
    }

    fn follow(
        &self,
        model: &ModelName,
        (alias, points_to): (AliasName, ModelVersion),
        old: &[Slot],
        kept: &VecDeque<Arc<LiveModel>>,
    ) -> Slot {
        let before = old.iter().find(|slot| slot.alias == alias);
        if let Some(same) = before.filter(|slot| slot.points_to == points_to) {
            return same.clone();
        }
        let live = before.and_then(|slot| slot.live.clone());
        match self.loaded_or_load(model, points_to, old, kept) {
            Ok(found) => {
                self.metrics.live(model.as_str(), alias.as_str(), points_to.0);
                self.metrics.swapped(model.as_str());
                tracing::info!(%model, %alias, version = points_to.0, "live");
                Slot { alias, points_to, live: Some(found), refused: None }
            }
            Err(error) => {
                self.metrics.version_refused(model.as_str());
                tracing::error!(%model, %alias, version = points_to.0, %error, "not allowed to go live");
                Slot { alias, points_to, live, refused: Some(error.to_string()) }
            }
        }
    }

    fn loaded_or_load(
        &self,
        model: &ModelName,
        version: ModelVersion,
        old: &[Slot],
        kept: &VecDeque<Arc<LiveModel>>,
    ) -> Result<Arc<LiveModel>, ServeError> {
        let live = old.iter().filter_map(|slot| slot.live.as_ref()).chain(kept);
        if let Some(found) = live.into_iter().find(|live| live.name == *model && live.version == version) {
            return Ok(found.clone());
        }
        LiveModel::load(&self.project, self.registry.as_ref(), &self.metrics, (model, version)).map(Arc::new)
    }

    fn loaded(&self, slots: &[Slot], model: &str, version: ModelVersion) -> Option<Arc<LiveModel>> {
        let live = slots.iter().filter_map(|slot| slot.live.as_ref());
        let found = live.into_iter().find(|live| live.version == version).cloned();
        let is_it = |kept: &&Arc<LiveModel>| kept.name.as_str() == model && kept.version == version;
        found.or_else(|| self.kept.lock().iter().find(is_it).cloned())
    }

    fn forget_taken_away(&self, before: &Table, models: &FxHashMap<ModelName, Vec<Slot>>) {
        for (name, slots) in &before.models {
            let now = models.get(name).map_or(&[][..], Vec::as_slice);
            for gone in slots.iter().filter(|slot| !now.iter().any(|other| other.alias == slot.alias)) {
                self.metrics.live(name.as_str(), gone.alias.as_str(), 0);
            }
        }
    }

    fn unknown_model(&self, model: &str, table: &Table) -> ServeError {
        if self.project.models.contains_key(model) {
            return not_live(model, "no version is registered yet; run `scorehouse train`".into());
        }
        let declared = self.project.models.keys().map(ModelName::as_str);
        let registered = table.models.keys().map(ModelName::as_str);
        let mut known: Vec<&str> = declared.chain(registered).collect();
        known.sort_unstable();
        known.dedup();
        ServeError::unknown(Noun::Model, model, known)
    }
}

impl std::fmt::Debug for LiveModels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveModels").field("models", &self.all()).finish_non_exhaustive()
    }
}

fn is_live(models: &FxHashMap<ModelName, Vec<Slot>>, loaded: &Arc<LiveModel>) -> bool {
    let slots = models.get(&loaded.name).map_or(&[][..], Vec::as_slice);
    slots.iter().filter_map(|slot| slot.live.as_ref()).any(|live| Arc::ptr_eq(live, loaded))
}

fn shown(slot: &Slot) -> AliasShown {
    AliasShown {
        alias: slot.alias.to_string(),
        version: slot.points_to.0,
        live: slot.live.as_ref().map(|live| live.version.0),
        refused: slot.refused.clone(),
    }
}

fn not_live(model: &str, reason: String) -> ServeError {
    ServeError::NotLive { model: model.to_owned(), reason }
}

fn no_alias(model: &str, asked: Option<&str>, slots: &[Slot]) -> ServeError {
    match asked {
        None => not_live(model, "no version is its champion".into()),
        Some(alias) => ServeError::unknown(Noun::Alias, alias, slots.iter().map(|slot| slot.alias.as_str())),
    }
}
