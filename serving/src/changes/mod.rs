//! Who must hear that a pushed fact moved a score across an edge?
//!
//! A project declares edges per model (`[model.X.watch] bands`). A push marks the entities that it touches before it
//! is stored (`touch`); a thread scores them again (`rescore`), and a score that lies in another band than the one
//! last told becomes a [`Change`]. Marks, bands, changes and what is still to be delivered are in one SQLite database
//! (`store`), each step one transaction: what was acknowledged is told even if the process is killed in between.
//! Changes go to declared webhooks (`deliver`, at least once) and to whoever listens at `GET /v1/changes`.

mod band;
mod deliver;
mod referrers;
mod rescore;
mod sign;
mod store;
mod touch;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, RwLock};
use scorehouse_features::definition::{Project, WebhookSpec};
use scorehouse_features::ids::EntityName;
use tokio::sync::{Semaphore, watch};

pub use deliver::{Secrets, deliver};
pub use rescore::follow;
pub use sign::signature;
pub use store::{Alarms, ChangeStore, Delivery, DeliveryState, Raised, Redelivery};
pub use touch::{Touched, touched};

use crate::error::ServeError;
use band::Bands;
use referrers::Referrers;

/// Changes that a listener may ask for again.
pub const REMEMBERED: usize = 10_000;
/// Changes taken up at a time.
const HEARD_AT_ONCE: usize = 1_000;
/// Listeners at once.
const MOST_LISTENERS: usize = 256;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A pushed fact moved a score across an edge.
    ScoreChanged,
    /// A model's own scores crossed a limit of `[model.X.monitor]`.
    LimitCrossed,
    /// They are within it again.
    LimitKept,
    /// The model was trained again because of that.
    Retrained,
    /// It could not be.
    RetrainingFailed,
}

impl Kind {
    const ALL: [Self; 5] =
        [Self::ScoreChanged, Self::LimitCrossed, Self::LimitKept, Self::Retrained, Self::RetrainingFailed];

    /// The kind as listeners and webhooks are told it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ScoreChanged => "score_changed",
            Self::LimitCrossed => "limit_crossed",
            Self::LimitKept => "limit_kept",
            Self::Retrained => "retrained",
            Self::RetrainingFailed => "retraining_failed",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One change as it is told: of a score that moved across an edge, or of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its number: ascending, never given twice.
    pub id: u64,
    /// What happened.
    pub kind: Kind,
    /// The model.
    pub model: String,
    /// The kind and key of the entity scored; none when it is about the model.
    pub about: Option<(EntityName, String)>,
    /// All of it as JSON.
    pub body: String,
}

/// What is watched, and what is to be told.
pub struct Changes {
    watched: Vec<Watched>,
    /// None when nothing is watched.
    store: Option<ChangeStore>,
    referrers: RwLock<Referrers>,
    /// Marks of pushes that are not stored yet; none of these, and no later one, is scored before.
    pending: Mutex<BTreeSet<i64>>,
    /// Wakes the thread that scores again.
    wake: Wake,
    /// Wakes those that deliver.
    couriers: Wake,
    /// Wakes whoever waits for the stop.
    stopping: Wake,
    /// Held by the one who takes up what was written.
    hearing: Mutex<()>,
    /// True while marks are looked at.
    working: AtomicBool,
    /// The latest changes, the newest last.
    latest: RwLock<VecDeque<Arc<Change>>>,
    /// The number of the newest change.
    newest: watch::Sender<u64>,
    closing: watch::Sender<bool>,
    listeners: Arc<Semaphore>,
}

/// One watched model.
#[derive(Debug)]
struct Watched {
    model: String,
    entity: EntityName,
    bands: Bands,
    reasons: usize,
    /// Where the keys of the entity itself stand: source, position among the stored columns.
    own: Vec<(String, usize)>,
    /// The same for entities it refers to, by role.
    through: Vec<(String, Vec<(String, usize)>)>,
}

/// Wakes threads that wait for work.
#[derive(Default)]
struct Wake {
    turn: Mutex<u64>,
    bell: Condvar,
}

impl Wake {
    fn ring(&self) {
        *self.turn.lock() += 1;
        self.bell.notify_all();
    }

    /// Waits until it rings, for at most `patience`; the turn it rang in.
    fn wait(&self, seen: u64, patience: Duration) -> u64 {
        let mut turn = self.turn.lock();
        if *turn == seen {
            let _ = self.bell.wait_for(&mut turn, patience);
        }
        *turn
    }
}

impl Changes {
    /// Opens what a project declares; where nothing is watched and no model watched over, nothing is opened.
    ///
    /// # Errors
    /// What compiling features and opening the store report.
    pub fn open(project: &Project) -> Result<Self, ServeError> {
        let watched = touch::watched(project)?;
        let monitored = project.models.values().any(|model| model.serving.monitor.is_some());
        let store = match watched.is_empty() && !monitored {
            true => None,
            false => Some(ChangeStore::open(&project.state)?),
        };
        let latest = store.as_ref().map_or(Ok(VecDeque::new()), ChangeStore::latest)?;
        let newest = latest.back().map_or(0, |change| change.id);
        Ok(Self {
            referrers: RwLock::new(Referrers::compile(project, &watched)?),
            watched,
            store,
            pending: Mutex::default(),
            wake: Wake::default(),
            couriers: Wake::default(),
            stopping: Wake::default(),
            hearing: Mutex::default(),
            working: AtomicBool::new(false),
            latest: RwLock::new(latest),
            newest: watch::channel(newest).0,
            closing: watch::channel(false).0,
            listeners: Arc::new(Semaphore::new(MOST_LISTENERS)),
        })
    }

    /// The store; none when nothing is watched and no model watched over.
    #[must_use]
    pub const fn store(&self) -> Option<&ChangeStore> {
        self.store.as_ref()
    }

    /// Tells all listeners that there will be no more, so that their connections end.
    pub fn close(&self) {
        self.closing.send_replace(true);
        [&self.wake, &self.couriers, &self.stopping].iter().for_each(|wake| wake.ring());
    }

    /// Rests for at most `patience`, and no longer than until the server stops.
    pub fn rest(&self, patience: Duration) {
        if !self.is_closing() {
            self.stopping.wait(0, patience);
        }
    }

    /// Wakes whoever waits for something to deliver.
    pub fn ring(&self) {
        self.couriers.ring();
    }

    /// True once the server stops.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Completes when the server stops.
    pub async fn closed(&self) {
        let mut closing = self.closing.subscribe();
        // The sender lives as long as `self`.
        let _ = closing.wait_for(|closing| *closing).await;
    }

    /// Leave to listen.
    ///
    /// # Errors
    /// [`ServeError::Overloaded`] when too many listen.
    pub fn listen(&self) -> Result<Listener, ServeError> {
        let permit = self.listeners.clone().try_acquire_owned();
        let permit = permit.map_err(|_| ServeError::Overloaded { retry_after: 10 })?;
        Ok(Listener { newest: self.newest.subscribe(), _permit: permit })
    }

    /// The number of the newest change; 0 before the first.
    #[must_use]
    pub fn newest(&self) -> u64 {
        *self.newest.borrow()
    }

    /// The first changes after number `after`, at most `most`, and whether some between are forgotten.
    #[must_use]
    pub fn after(&self, after: u64, most: usize) -> (Vec<Arc<Change>>, bool) {
        let latest = self.latest.read();
        let from = latest.partition_point(|change| change.id <= after);
        let gap = from == 0
            && latest.len() >= REMEMBERED
            && latest.front().is_some_and(|first| first.id > after + 1);
        (latest.iter().skip(from).take(most).cloned().collect(), gap)
    }

    /// Waits until nothing is marked any more. For tests: others are told.
    pub fn settle(&self) {
        let Some(store) = &self.store else { return };
        let busy = || store.marked().is_ok_and(|marked| marked > 0) || self.working.load(Ordering::SeqCst);
        while busy() && !self.is_closing() {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Takes up the changes that were written since, by whichever thread or process, and tells whoever listens. Read
    /// back in the order of their numbers, which is that of their commits, none is passed over.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`] when they cannot be read; the next call takes them up.
    pub fn hear(&self) -> Result<(), ServeError> {
        let Some(store) = &self.store else { return Ok(()) };
        let _one_at_a_time = self.hearing.lock();
        loop {
            let newest = self.newest();
            let (fresh, last) = store.since(newest, HEARD_AT_ONCE)?;
            if last == newest {
                return Ok(());
            }
            let mut latest = self.latest.write();
            latest.extend(fresh.into_iter().map(Arc::new));
            while latest.len() > REMEMBERED {
                latest.pop_front();
            }
            drop(latest);
            self.newest.send_replace(last);
            self.couriers.ring();
        }
    }
}

/// The webhooks that hear of a model.
#[must_use]
pub fn webhooks_of<'p>(project: &'p Project, model: &str) -> Vec<&'p str> {
    let hears =
        |hook: &&WebhookSpec| hook.models.as_ref().is_none_or(|all| all.iter().any(|m| m.as_str() == model));
    project.webhooks.values().filter(hears).map(|hook| hook.name.as_str()).collect()
}

/// Leave to listen, and the number of the newest change.
#[derive(Debug)]
pub struct Listener {
    /// Changes whenever there is one more.
    pub newest: watch::Receiver<u64>,
    _permit: tokio::sync::OwnedSemaphorePermit,
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Changes").field("watched", &self.watched).finish_non_exhaustive()
    }
}
