//! Scoring again what pushes have touched, on a thread of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use scorehouse_features::ids::EntityKey;
use scorehouse_models::{Output, Score};
use serde_json::{Value as Json, json};

use super::store::{Draft, Mark, Told};
use super::{Changes, Watched, webhooks_of};
use crate::error::ServeError;
use crate::policy::Decision;
use crate::service::score::{EntityAsked, EntityRead, score_entity};
use crate::state::{AppState, Parts};

/// Marks taken at a time.
const BATCH: usize = 256;
/// Longest rest between two looks, and between two attempts at marks that have failed.
const REST: Duration = Duration::from_secs(1);
/// Time between two words about marks that fail; all of them are counted.
const QUIET: Duration = Duration::from_secs(60);

/// Starts the thread that scores again and takes up what others have told, if anything is watched.
///
/// # Errors
/// [`ServeError::Io`] when it cannot be started.
pub fn follow(state: &AppState) -> Result<(), ServeError> {
    if state.changes.store().is_none() {
        return Ok(());
    }
    let (changes, parts) = (state.changes.clone(), state.downgrade());
    let run = move || run(&changes, &parts);
    let started = std::thread::Builder::new().name("rescore".into()).spawn(run);
    started
        .map(drop)
        .map_err(|source| ServeError::Io { what: "the rescoring thread did not start".into(), source })
}

fn run(changes: &Changes, parts: &Weak<Parts>) {
    let (mut seen, mut gathered, mut failing) = (0, false, false);
    let mut follower = Follower { retry: Instant::now(), said: None };
    while !changes.is_closing() {
        let Some(state) = AppState::upgrade(parts) else { return };
        let worked = catch_unwind(AssertUnwindSafe(|| {
            if !gathered {
                gather(&state)?;
                gathered = true;
            }
            changes.working.store(true, Ordering::SeqCst);
            let worked = follower.round(&state);
            changes.hear()?;
            worked
        }));
        changes.working.store(false, Ordering::SeqCst);
        let worked = worked.unwrap_or_else(|_| {
            state.metrics.panics().inc();
            Err(ServeError::Bug { message: "scoring again panicked".into() })
        });
        drop(state);
        if let Err(error) = &worked
            && !failing
        {
            tracing::error!(%error, "scores that pushes have touched are not looked at; it is tried again");
        }
        failing = worked.is_err();
        if !worked.unwrap_or(false) {
            seen = changes.wake.wait(seen, REST);
        }
    }
}

/// Gathers who refers to whom.
fn gather(state: &AppState) -> Result<(), ServeError> {
    if !state.changes.referrers.read().is_needed() {
        return Ok(());
    }
    let mut found = Vec::new();
    state.changes.referrers.read().scan(
        state.online.as_ref(),
        state.clock.now(),
        &mut |model, key, refers_to| {
            found.push((model.to_owned(), key.clone(), refers_to));
        },
    )?;
    let mut referrers = state.changes.referrers.write();
    found.iter().for_each(|(model, key, refers_to)| referrers.learn(model, key, refers_to));
    Ok(())
}

/// What the thread remembers from one round to the next.
struct Follower {
    /// When marks that have failed are tried again.
    retry: Instant,
    /// When it last said that a mark has failed.
    said: Option<Instant>,
}

impl Follower {
    /// Looks at some of the marks; false when there is nothing to do before the next rest is over.
    fn round(&mut self, state: &AppState) -> Result<bool, ServeError> {
        let changes = &*state.changes;
        let Some(store) = changes.store() else { return Ok(false) };
        let first_pending = || changes.pending.lock().first().copied().unwrap_or(i64::MAX);
        let fresh = store.marks(first_pending, false, BATCH)?;
        for mark in &fresh {
            self.settle(state, mark)?;
        }
        if Instant::now() < self.retry {
            return Ok(!fresh.is_empty());
        }
        let mut healed = false;
        for mark in &store.marks(first_pending, true, BATCH)? {
            healed |= self.settle(state, mark)?;
        }
        if !healed {
            self.retry = Instant::now() + REST;
        }
        Ok(healed || !fresh.is_empty())
    }

    /// Looks at one mark. When that fails, it is put behind the others: false.
    fn settle(&mut self, state: &AppState, mark: &Mark) -> Result<bool, ServeError> {
        let changes = &*state.changes;
        let Some(store) = changes.store() else { return Ok(false) };
        let looked = match changes.watched.iter().find(|watched| watched.model == mark.model) {
            // The project does not watch it any more.
            None => store.unmark(mark),
            Some(_) if !mark.role.is_empty() => spread(changes, mark),
            Some(watched) => guarded(state, watched, || look(state, watched, mark)),
        };
        let Err(error) = looked else { return Ok(true) };
        let given_up = store.postpone(mark)?;
        if self.said.is_none_or(|said| said.elapsed() >= QUIET) {
            let model = mark.model.as_str();
            tracing::error!(model, given_up, %error, "an entity that a push has touched cannot be scored again");
            self.said = Some(Instant::now());
        }
        Ok(false)
    }
}

/// Does what concerns one entity; a failure is counted, and a panic is one.
pub(super) fn guarded<T>(
    state: &AppState,
    watched: &Watched,
    work: impl FnOnce() -> Result<T, ServeError>,
) -> Result<T, ServeError> {
    let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        state.metrics.panics().inc();
        Err(ServeError::Bug { message: "scoring again panicked".into() })
    });
    if done.is_err() {
        state.metrics.score_change_failed(&watched.model);
    }
    done
}

/// Marks whoever refers to what is marked.
fn spread(changes: &Changes, mark: &Mark) -> Result<(), ServeError> {
    let Some(store) = changes.store() else { return Ok(()) };
    let keys = changes.referrers.read().of(&mark.model, &mark.role, &mark.key);
    let marks: Vec<(&str, &str, &str)> =
        keys.iter().map(|key| (mark.model.as_str(), "", key.as_str())).collect();
    if !marks.is_empty() {
        store.mark(&marks, |_| {})?;
    }
    store.unmark(mark)
}

/// Scores a marked entity again, and tells when it is in another band than the one told last.
fn look(state: &AppState, watched: &Watched, mark: &Mark) -> Result<(), ServeError> {
    let changes = &*state.changes;
    let Some(store) = changes.store() else { return Ok(()) };
    let Ok(key) = EntityKey::new(&mark.key) else { return store.unmark(mark) };
    learn(state, watched, &key)?;
    let Some(scored) = score(state, watched, &key, watched.reasons)? else { return store.unmark(mark) };
    let (output, version, at) = (scored.score.output, scored.version, state.clock.now());
    let before = store.told(&mark.model, &mark.key)?;
    let band =
        before.map_or_else(|| watched.bands.of(output), |before| watched.bands.moved(before.band, output));
    let now = Told { band, output, version, at };
    let hooks = webhooks_of(&state.project, &watched.model);
    let body =
        |id: u64| before.map_or_else(String::new, |before| told(id, watched, mark, (&before, &now), &scored));
    let moved = before.is_some_and(|before| before.band != band);
    let draft = moved.then_some(Draft { entity: &watched.entity, body: &body, webhooks: &hooks });
    if store.settle(mark, &now, draft)?.is_some() {
        state.metrics.score_changed(&watched.model);
        changes.hear()?;
    }
    Ok(())
}

fn learn(state: &AppState, watched: &Watched, key: &EntityKey) -> Result<(), ServeError> {
    if watched.through.is_empty() {
        return Ok(());
    }
    let (online, now) = (state.online.as_ref(), state.clock.now());
    let refers_to = state.changes.referrers.read().read(online, (&watched.model, key), now)?;
    state.changes.referrers.write().learn(&watched.model, key, &refers_to);
    Ok(())
}

/// A score with what else is told of it.
pub(super) struct Scored {
    pub score: Score,
    pub version: u32,
    output: Output,
    decision: Option<Arc<Decision>>,
}

/// The champion's score of an entity now; none for an entity of which nothing is known, or while no version answers.
///
/// # Errors
/// What reading and scoring report.
pub(super) fn score(
    state: &AppState,
    watched: &Watched,
    key: &EntityKey,
    reasons: usize,
) -> Result<Option<Scored>, ServeError> {
    let Some(selected) = state.live.behind(&watched.model, "champion") else { return Ok(None) };
    let model = &selected.model;
    let reasons = if model.scoring().explains() { reasons } else { 0 };
    let entity = EntityAsked { key: Some(key.as_str().into()), ..EntityAsked::default() };
    let read = EntityRead { entity: &entity, common: &[], as_of: state.clock.now(), reasons, keep: false };
    match score_entity(state.online.as_ref(), model, &read) {
        Ok(row) => {
            let output = model.scoring().signature().output;
            Ok(Some(Scored { score: row.score, version: model.version().0, output, decision: row.decision }))
        }
        Err(ServeError::Unknown { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A change as it is told.
fn told(id: u64, watched: &Watched, mark: &Mark, (before, now): (&Told, &Told), scored: &Scored) -> String {
    let figure = if scored.output == Output::Probability { "probability" } else { "value" };
    let side =
        |told: &Told| json!({figure: told.output, "band": told.band, "version": told.version, "at": told.at});
    let mut body = json!({
        "id": id,
        "type": "score_changed",
        "model": watched.model,
        "entity": watched.entity,
        "key": mark.key,
        "direction": if now.band > before.band { "up" } else { "down" },
        "bands": watched.bands.edges(),
        "before": side(before),
        "after": side(now),
        "reasons": scored.score.reasons(),
    });
    if let (Json::Object(body), Some(decision)) = (&mut body, &scored.decision) {
        body.insert("decision".into(), json!(**decision));
    }
    body.to_string()
}
