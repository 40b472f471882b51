//! Looking at monitored models every so often, telling what crossed a limit, and starting a retraining.
//!
//! A thread of its own looks. What takes long, reading the log and training, goes on behind all other threads, and training
//! is a process of its own, so that nothing it does can stop the answers; what is written down, under locks that requests
//! need too, is written at the usual priority. The gate decides what becomes of the new version, as it does for a training by hand.
//!
//! Of several servers on one registry, one looks (`watch`).

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Weak;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use scorehouse_features::definition::{MonitorSpec, Project};
use scorehouse_features::ids::ModelName;
use scorehouse_features::time::{Clock, Timestamp};
use scorehouse_models::{AliasName, Registry};
use serde_json::json;

use super::limits::{Crossed, judge};
use super::retrain::{Retrained, Trainer, retrained_since};
use super::watch::{Holder, Watches};
use super::{Drift, MonitorReport, Monitored};
use crate::changes::{Alarms, ChangeStore, Kind, Raised, webhooks_of};
use crate::error::ServeError;
use crate::idle;
use crate::score_log::read::Range;
use crate::server::duration;
use crate::service::history::MonitorAsked;
use crate::state::{AppState, Parts};
use crate::stores::registry_path;

/// Longest rest between two looks at whether something is due or the server stops.
const REST: Duration = Duration::from_secs(1);
/// Longest time that the stop waits for the thread: a training is ended within a moment, reading the log is not, and
/// leaves nothing half done.
const FAREWELL: Duration = Duration::from_secs(5);
/// Time between two looks whether it has ended.
const LOOK: Duration = Duration::from_millis(10);

/// The thread that looks at monitored models; none when no model is monitored.
#[derive(Debug)]
pub struct Following(Option<JoinHandle<()>>);

impl Following {
    /// Waits for the end of the thread, and so of a training that it started; call it once changes are closed.
    pub fn join(self) {
        let Some(thread) = self.0 else { return };
        let patience = Instant::now() + FAREWELL;
        while !thread.is_finished() {
            if Instant::now() >= patience {
                tracing::warn!("a model is still being looked at; the server does not wait for it");
                return;
            }
            std::thread::sleep(LOOK);
        }
        // The thread catches its panics; there is nothing to hear from it.
        let _ = thread.join();
    }
}

/// Starts the thread, if a model is monitored. `trainer` runs retrainings.
///
/// # Errors
/// [`ServeError::Io`] when it cannot be started.
pub fn follow(state: &AppState, trainer: Trainer) -> Result<Following, ServeError> {
    let monitored = state.project.models.values().any(|model| model.serving.monitor.is_some());
    if !monitored || state.history.is_none() {
        return Ok(Following(None));
    }
    let parts = state.downgrade();
    let started = std::thread::Builder::new().name("monitor".into()).spawn(move || run(&parts, &trainer));
    started
        .map(|thread| Following(Some(thread)))
        .map_err(|source| ServeError::Io { what: "the monitoring thread did not start".into(), source })
}

fn run(parts: &Weak<Parts>, trainer: &Trainer) {
    let mut looker = Looker::default();
    loop {
        let Some(state) = AppState::upgrade(parts) else { return };
        if state.changes.is_closing() {
            return;
        }
        match looker.round(&state, trainer) {
            Ok(()) => looker.failing = false,
            Err(error) if !looker.failing => {
                tracing::error!(%error, "models cannot be watched over");
                looker.failing = true;
            }
            Err(_) => {}
        }
        let changes = state.changes.clone();
        drop(state);
        changes.rest(REST);
    }
}

/// One server among those that may look.
#[derive(Default)]
struct Looker {
    /// None before the first round.
    holder: Option<Holder>,
    /// By model that this server watches over: when it was looked at last.
    looked: FxHashMap<ModelName, Instant>,
    /// True while watches cannot be taken.
    failing: bool,
}

impl Looker {
    /// Looks at every model that is due and that no other server watches over.
    fn round(&mut self, state: &AppState, trainer: &Trainer) -> Result<(), ServeError> {
        let holder = match &mut self.holder {
            Some(holder) => holder,
            none => none.insert(Holder::new(Watches::open(&registry_path(&state.project))?)?),
        };
        for (name, spec) in monitored(&state.project) {
            if state.changes.is_closing() {
                return Ok(());
            }
            if !holder.take(name.as_str(), state.clock.now())? {
                // Whoever took over tells how far the model lies from training now.
                if self.looked.remove(name).is_some() {
                    state.metrics.unwatched(name.as_str());
                }
                continue;
            }
            if self.looked.get(name).is_some_and(|last| last.elapsed() < duration(spec.every)) {
                continue;
            }
            self.looked.insert(name.clone(), Instant::now());
            let look = |lost: &(dyn Fn() -> bool + Sync)| {
                let stop = || state.changes.is_closing() || lost();
                catch_unwind(AssertUnwindSafe(|| look_until(state, name, trainer, &stop)))
            };
            match holder.holding(name.as_str(), state.clock.as_ref(), look) {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::error!(model = %name, %error, "a model could not be looked at"),
                Err(_) => state.metrics.panics().inc(),
            }
        }
        Ok(())
    }
}

/// The models whose project section has limits.
fn monitored(project: &Project) -> impl Iterator<Item = (&ModelName, &MonitorSpec)> {
    project.models.iter().filter_map(|(name, model)| Some((name, model.serving.monitor.as_ref()?)))
}

/// Looks at one model once: what its champion served within the window, which limits that crosses, whom that is told,
/// and a retraining where one is due.
///
/// # Errors
/// What reading the log and history, and writing down what is told, report.
pub fn look(state: &AppState, model: &ModelName, trainer: &Trainer) -> Result<Vec<Crossed>, ServeError> {
    look_until(state, model, trainer, &|| state.changes.is_closing())
}

fn look_until(
    state: &AppState,
    model: &ModelName,
    trainer: &Trainer,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<Crossed>, ServeError> {
    let spec = state.project.models.get(model).and_then(|model| model.serving.monitor.as_ref());
    let (Some(spec), Some(store), Some(history)) = (spec, state.changes.store(), state.history.as_ref())
    else {
        return Ok(Vec::new());
    };
    state.shadows.settle();
    state.score_log.flush()?;
    let now = state.clock.now();
    let range = Range { since: now.before(spec.window), until: Timestamp::MAX };
    let (project, registry) = (&state.project, state.registry.as_ref());
    let asked = MonitorAsked { project, registry, model: model.as_str(), now, range, every: spec.window };
    let report = idle::behind("models are monitored", || history.monitor(&asked))??;
    // Limits are declared for models that score only.
    let Monitored::Scores(report) = report else { return Ok(Vec::new()) };
    let Some(drift) = champion(registry, model, &report)? else { return Ok(Vec::new()) };
    state.metrics.drift(model.as_str(), drift);
    let watches = Watches::open(&registry_path(project))?;
    let alarm = Alarm { project, store, watches: &watches, model, spec, now };
    if stop() {
        return Ok(Vec::new());
    }
    let crossed = alarm.raise(drift)?;
    state.metrics.limits_crossed(model.as_str(), crossed.len());
    state.changes.hear()?;
    if !crossed.is_empty() && !stop() && alarm.may_retrain(registry)? {
        // The process that trains is as far behind as the thread that starts it.
        let done = idle::behind("models are trained again", || trainer.train(project, model, stop))?;
        state.metrics.retrained(model.as_str(), done.as_ref().map_or("failed", Retrained::result));
        alarm.retrained(&crossed, &done, state.clock.as_ref())?;
        state.changes.hear()?;
    }
    Ok(crossed)
}

/// What the champion served; none while there is no champion, or nothing of it in the report.
///
/// # Errors
/// What the registry reports.
pub fn champion<'r>(
    registry: &dyn Registry,
    model: &ModelName,
    report: &'r MonitorReport,
) -> Result<Option<&'r Drift>, ServeError> {
    // A model that nobody has registered has served nothing.
    if !registry.list()?.iter().any(|record| record.name == *model) {
        return Ok(None);
    }
    let version = registry.aliases(model)?.get(&AliasName::champion()).copied();
    Ok(version.and_then(|version| report.drift.iter().find(|drift| drift.version == version.0)))
}

/// What raises alarms about one model.
pub struct Alarm<'a> {
    /// The project.
    pub project: &'a Project,
    /// Where they are written down.
    pub store: &'a ChangeStore,
    /// What the servers that share the registry have found.
    pub watches: &'a Watches,
    /// The model.
    pub model: &'a ModelName,
    /// Its limits.
    pub spec: &'a MonitorSpec,
    /// The present.
    pub now: Timestamp,
}

impl Alarm<'_> {
    /// Judges what the champion served, and writes down what is to be told: limits that were not crossed at the last
    /// look, and limits that are kept again.
    ///
    /// # Errors
    /// What the store reports.
    pub fn raise(&self, drift: &Drift) -> Result<Vec<Crossed>, ServeError> {
        let verdict = judge(drift, self.spec);
        let (which, store) = ((self.model.as_str(), drift.version), self.store.id()?);
        let alarms = Alarms {
            model: which.0,
            version: drift.version,
            crossed: verdict.crossed.iter().map(Crossed::name).collect(),
            kept: verdict.kept,
            elsewhere: self.watches.found_elsewhere(which, &store)?,
            at: self.now,
        };
        let body = |kind: Kind, id: u64, limits: &BTreeSet<String>| {
            let crossed: Vec<&Crossed> =
                verdict.crossed.iter().filter(|crossed| limits.contains(&crossed.name())).collect();
            let mut body = json!({
                "id": id,
                "type": kind.as_str(),
                "model": self.model,
                "version": drift.version,
                "at": self.now,
                "limits": limits,
            });
            if kind == Kind::LimitCrossed {
                body["crossed"] = json!(crossed);
            }
            body.to_string()
        };
        let webhooks = webhooks_of(self.project, self.model.as_str());
        self.store.raise(&alarms, &Raised { body: &body, webhooks: &webhooks })?;
        self.watches.write(which, &self.store.crossed(which.0)?, &store)?;
        Ok(verdict.crossed)
    }

    /// True when a crossed limit starts a retraining, and the last one is long enough ago.
    ///
    /// # Errors
    /// What the store and the registry report.
    pub fn may_retrain(&self, registry: &dyn Registry) -> Result<bool, ServeError> {
        let Some(rest) = self.spec.retrain else { return Ok(false) };
        Ok(self.store.may_retrain(self.model.as_str(), rest, self.now)?
            && !retrained_since(registry, self.model, self.now.before(rest))?)
    }

    /// Writes down what a retraining came to, and tells it. One that failed may be tried again at the next look.
    ///
    /// # Errors
    /// What the store reports.
    pub fn retrained(
        &self,
        because: &[Crossed],
        done: &Result<Retrained, String>,
        clock: &dyn Clock,
    ) -> Result<(), ServeError> {
        let at = clock.now();
        if done.is_ok() {
            self.store.retrained(self.model.as_str(), at)?;
        }
        let kind = if done.is_ok() { Kind::Retrained } else { Kind::RetrainingFailed };
        let because: Vec<String> = because.iter().map(Crossed::name).collect();
        let body = |id: u64| {
            let mut body = json!({
                "id": id, "type": kind.as_str(), "model": self.model, "at": at, "because": because,
            });
            match done {
                Ok(Retrained { version, champion, why }) => {
                    body["version"] = json!(version);
                    body["champion"] = json!(champion);
                    body["why"] = json!(why);
                }
                Err(reason) => body["error"] = json!(reason),
            }
            body.to_string()
        };
        let webhooks = webhooks_of(self.project, self.model.as_str());
        self.store.tell_of_model(kind, self.model.as_str(), &body, &webhooks).map(drop)
    }
}
