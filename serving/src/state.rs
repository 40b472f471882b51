//! What every handler shares.

use std::ops::Deref;
use std::sync::{Arc, Weak};
use std::time::Duration;

use indexmap::IndexMap;
use scorehouse_features::definition::Project;
use scorehouse_features::ids::{EntityName, SourceName};
use scorehouse_features::online::OnlineStore;
use scorehouse_features::source::event::EventReader;
use scorehouse_features::time::Clock;
use scorehouse_models::Registry;

use crate::access::Access;
use crate::challenger::{Challenges, Shadows};
use crate::changes::Changes;
use crate::compute::{Compute, Doors};
use crate::error::ServeError;
use crate::live_model::LiveModels;
use crate::score_log::ScoreLog;
use crate::service::entities::EntityPlan;
use crate::service::features::{SetPlan, SetPlans};
use crate::service::history::TrainingSets;
use crate::service::outcomes::OutcomeLog;
use crate::telemetry::Metrics;
use crate::telemetry::trace::Traces;

/// The parts of a running server, behind one pointer.
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

/// The parts of a running server.
pub struct Parts {
    /// What the project declares.
    pub project: Project,
    /// Where "now" comes from.
    pub clock: Arc<dyn Clock>,
    /// The present state of every entity.
    pub online: Arc<dyn OnlineStore>,
    /// Models, versions and aliases.
    pub registry: Arc<dyn Registry>,
    /// The models that answer.
    pub live: Arc<LiveModels>,
    /// Where training sets come from; none in a server without history.
    pub history: Option<Arc<dyn TrainingSets>>,
    /// Who may ask what.
    pub access: Arc<Access>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The door to heavier work.
    pub compute: Compute,
    /// The evidence of every answer.
    pub score_log: Arc<ScoreLog>,
    /// How challengers are tried out.
    pub challenges: Challenges,
    /// Answers that wait for a challenger that nobody hears.
    pub shadows: Shadows,
    /// Scores that pushed facts move across declared edges.
    pub changes: Arc<Changes>,
    /// What makes spans of requests; none where no collector is named.
    pub traces: Option<Traces>,
    /// Longest time a request may take.
    pub timeout: Duration,
    pub(crate) entities: IndexMap<EntityName, EntityPlan>,
    pub(crate) sets: SetPlans,
    pub(crate) readers: IndexMap<SourceName, EventReader>,
    pub(crate) outcomes: OutcomeLog,
}

/// What a server is built from; a test brings stores of its own.
pub struct StateParts {
    /// What the project declares.
    pub project: Project,
    /// Where "now" comes from.
    pub clock: Arc<dyn Clock>,
    /// The present state of every entity.
    pub online: Arc<dyn OnlineStore>,
    /// Models, versions and aliases.
    pub registry: Arc<dyn Registry>,
    /// Where training sets come from; none in a server without history.
    pub history: Option<Arc<dyn TrainingSets>>,
    /// Who may ask what.
    pub access: Access,
    /// Longest time a request may take.
    pub timeout: Duration,
    /// How much work may be under way at once.
    pub doors: Doors,
}

impl AppState {
    /// Puts a server's state together, with every model that the registry's aliases point to loaded.
    ///
    /// # Errors
    /// What compiling the project's features, reading the registry and starting the pool report. A version
    /// that may not go live is no error: it is logged, and the others answer.
    pub fn new(parts: StateParts) -> Result<Self, ServeError> {
        let StateParts { project, clock, online, registry, history, access, timeout, doors } = parts;
        let metrics = Arc::new(Metrics::new()?);
        let compute = Compute::new(doors, metrics.panics().clone())?;
        let live = Arc::new(LiveModels::open(project.clone(), registry.clone(), metrics.clone())?);
        let described = project.entities.keys().filter(|entity| {
            let mut views = project.views.values();
            views.any(|view| view.entity == **entity)
        });
        let plan = |entity: &EntityName| Ok((entity.clone(), EntityPlan::compile(&project, entity)?));
        let entities = described.map(plan).collect::<Result<_, ServeError>>()?;
        let sets = SetPlan::all(&project)?;
        let readers =
            project.sources.values().map(|source| Ok((source.name.clone(), EventReader::new(source)?)));
        let readers = readers.collect::<Result<_, ServeError>>()?;
        let outcomes = OutcomeLog::open(&project.state)?;
        let score_log = ScoreLog::open(&project.state, &project.score_log, clock.clone(), metrics.clone())?;
        let score_log = Arc::new(score_log);
        let challenges = Challenges::compile(&project)?;
        let shadows = match challenges.has_shadows() {
            true => Shadows::start(online.clone(), score_log.clone(), metrics.clone())?,
            false => Shadows::none(metrics.clone()),
        };
        let telemetry = (project.name.as_str(), &project.settings.telemetry);
        let traces = Traces::start(telemetry, clock.clone(), metrics.clone())?;
        let parts = Parts {
            score_log,
            challenges,
            shadows,
            changes: Arc::new(Changes::open(&project)?),
            traces,
            clock,
            online,
            registry,
            live,
            history,
            access: Arc::new(access),
            metrics,
            compute,
            timeout,
            entities,
            sets,
            readers,
            outcomes,
            project,
        };
        Ok(Self(Arc::new(parts)))
    }
}

impl AppState {
    /// A handle that does not keep the server's parts alive, for threads that outlive requests.
    #[must_use]
    pub fn downgrade(&self) -> Weak<Parts> {
        Arc::downgrade(&self.0)
    }

    /// The state behind a handle, while the server is there.
    #[must_use]
    pub fn upgrade(parts: &Weak<Parts>) -> Option<Self> {
        parts.upgrade().map(Self)
    }
}

impl Deref for AppState {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}
