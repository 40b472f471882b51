//! One row: from a key or plain values to a score.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use scorehouse_features::ids::EntityKey;
use scorehouse_features::online::OnlineStore;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value};
use scorehouse_features::view::{Read, RequestFields, Scratch};
use scorehouse_models::Score;

use super::more::{More, MoreAsked, RowScored};
use super::request::EntityAsked;
use crate::error::ServeError;
use crate::live_model::LiveModel;
use crate::policy::Decision;
use crate::score_log::{Computed, score_bytes};
use crate::service::entities::{key_of, unknown_key};
use crate::service::scalar::Fields;

/// One row of a request.
#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    /// An entity whose features come from the store.
    Entity(&'a EntityAsked<'a>),
    /// Plain values by input name.
    Inputs(&'a Fields<'a>),
}

impl<'a> Row<'a> {
    /// The entity's key, or what names a row of plain values, where it has one.
    #[must_use]
    pub fn key(&self, model: &LiveModel) -> Option<Cow<'a, str>> {
        match self {
            Self::Entity(entity) => entity.key.as_deref().map(Cow::Borrowed),
            Self::Inputs(fields) => model.row_key(fields),
        }
    }
}

/// Memory that every score of a thread reuses.
#[derive(Debug, Default)]
pub(super) struct Work {
    read: Scratch,
    /// What was read: the inputs in order, then what only the policy reads.
    pub(super) values: Vec<Value>,
    /// What the request gave in place of stored values, by slot.
    pub(super) overrides: Vec<(usize, Value)>,
    score: scorehouse_models::Scratch,
}

thread_local! {
    static WORK: RefCell<Work> = RefCell::default();
}

/// The key that an entity described by its features alone is read under. No row holds it: it is a code point
/// that Unicode reserves never to be a character.
pub const NOBODY: &str = "\u{fdd0}";

/// A score with what it was computed from, as bytes for the score log; those of one request share their memory.
pub type Evidence = bytes::Bytes;

/// What is asked of one entity.
#[derive(Debug, Clone, Copy)]
pub struct EntityRead<'a> {
    /// Key and own values.
    pub entity: &'a EntityAsked<'a>,
    /// Values that all entities of the request share, by slot.
    pub common: &'a [(usize, Value)],
    /// The moment whose knowledge counts.
    pub as_of: Timestamp,
    /// How many reasons at most.
    pub reasons: usize,
    /// True: hold on to what the score was computed from.
    pub keep: bool,
}

/// One row's score with all that goes with it.
#[derive(Debug)]
pub struct RowAnswer {
    /// The score.
    pub score: Score,
    /// What is to be done about it, where the model has a policy.
    pub decision: Option<Arc<Decision>>,
    /// What was asked beside it.
    pub more: More,
    /// What it was computed from, where that is kept.
    pub kept: Option<Evidence>,
}

/// Scores one entity.
///
/// # Errors
/// [`ServeError::Unknown`] for its key or a feature, and what reading and scoring report.
pub fn score_entity(
    online: &dyn OnlineStore,
    model: &LiveModel,
    asked: &EntityRead<'_>,
) -> Result<RowAnswer, ServeError> {
    score_entity_and(online, model, asked, &MoreAsked::default())
}

/// As [`score_entity`], with what is asked beside the score.
///
/// # Errors
/// As [`score_entity`], and what the other parts report.
pub fn score_entity_and(
    online: &dyn OnlineStore,
    model: &LiveModel,
    asked: &EntityRead<'_>,
    more: &MoreAsked,
) -> Result<RowAnswer, ServeError> {
    let (plan, _) = model.plan()?;
    WORK.with_borrow_mut(|work| {
        let key = read_entity(online, model, asked, work)?;
        let request = RequestFields::new();
        let read = Read { key: &key, as_of: asked.as_of, request: &request, overrides: &work.overrides };
        // What only the policy reads follows the inputs, and is none of them.
        let count = model.scoring().signature().inputs.len().min(work.values.len());
        let inputs = &work.values[..count];
        let score = model.scoring().score(inputs, asked.as_of, asked.reasons, &mut work.score)?;
        let decision = decide(model, &score, &work.values, asked.as_of);
        let row = RowScored { model, values: inputs, as_of: asked.as_of, score: &score };
        let (mut anew, mut given) = (Work::default(), Vec::new());
        // What follows from a changed value is computed again, as for values that a request gives.
        let mut again = |changed: &[(usize, Value)]| {
            given.clear();
            given.extend_from_slice(&work.overrides);
            for (input, value) in changed {
                let name = &model.scoring().signature().inputs[*input].name;
                given.push((model.given_slot(name)?, value.clone()));
            }
            let read = Read { overrides: &given, ..read };
            plan.read(online, &read, &mut anew.read, &mut anew.values)?;
            let inputs = &anew.values[..count.min(anew.values.len())];
            Ok(model.scoring().score(inputs, asked.as_of, 0, &mut anew.score)?.output)
        };
        let more = if more.is_nothing(model) { More::default() } else { more.answer(&row, &mut again)? };
        let kept = asked.keep.then(|| {
            let (as_of, given, decision) = (asked.as_of, &work.overrides, decision.as_deref());
            evidence(model, Computed { as_of, stored: true, inputs, given, score: &score, decision })
        });
        Ok(RowAnswer { score, decision, more, kept })
    })
}

/// Reads what a model's score and policy are computed from, and gives the key it was read under.
///
/// # Errors
/// As [`score_entity`], but for what scoring reports.
pub(super) fn read_entity(
    online: &dyn OnlineStore,
    model: &LiveModel,
    asked: &EntityRead<'_>,
    work: &mut Work,
) -> Result<EntityKey, ServeError> {
    let (plan, _) = model.plan()?;
    work.overrides.clear();
    let key = prepare(online, model, (asked.entity, asked.common), &mut work.overrides)?;
    let request = RequestFields::new();
    let read = Read { key: &key, as_of: asked.as_of, request: &request, overrides: &work.overrides };
    plan.read(online, &read, &mut work.read, &mut work.values)?;
    check_met(online, model, (asked.entity, &key), work.read.met(0))?;
    Ok(key)
}

/// What an entity is read under, and appended to `given` what the request gives for it.
///
/// # Errors
/// [`ServeError::Unknown`] for its key or a feature, [`ServeError::WrongType`] for a value.
pub(super) fn prepare(
    online: &dyn OnlineStore,
    model: &LiveModel,
    (asked, common): (&EntityAsked<'_>, &[(usize, Value)]),
    given: &mut Vec<(usize, Value)>,
) -> Result<EntityKey, ServeError> {
    let key = key_of(asked.key.as_deref().unwrap_or(NOBODY))?;
    // A key that nobody knows is refused before what comes with it is looked at.
    if asked.key.is_some() && !asked.features.0.is_empty() {
        check_known(online, model, &key)?;
    }
    given.extend_from_slice(common);
    model.bind_into(&asked.features, given)?;
    Ok(key)
}

/// Refuses a key that nobody knows, after it was read. Whom reading `met` is known; only of others the store must be
/// asked.
///
/// # Errors
/// [`ServeError::Unknown`].
pub(super) fn check_met(
    online: &dyn OnlineStore,
    model: &LiveModel,
    (asked, key): (&EntityAsked<'_>, &EntityKey),
    met: bool,
) -> Result<(), ServeError> {
    let unchecked = asked.key.is_some() && asked.features.0.is_empty() && !met;
    if unchecked { check_known(online, model, key) } else { Ok(()) }
}

fn check_known(online: &dyn OnlineStore, model: &LiveModel, key: &EntityKey) -> Result<(), ServeError> {
    let (_, entity) = model.plan()?;
    if online.contains(entity, key)? { Ok(()) } else { Err(unknown_key(online, entity, key)) }
}

/// Writes plain values into their places; inputs not given are missing.
///
/// # Errors
/// [`ServeError::Unknown`] for an input, [`ServeError::WrongType`].
pub(super) fn read_inputs(model: &LiveModel, fields: &Fields<'_>, work: &mut Work) -> Result<(), ServeError> {
    work.values.clear();
    work.values.resize(model.scoring().signature().inputs.len(), Value::Missing(Missing::NotGiven));
    for (name, given) in &fields.0 {
        if model.is_id(name) {
            continue;
        }
        let (position, value_type) = model.input(name)?;
        work.values[position] = given.to_value(name, value_type)?;
    }
    Ok(())
}

/// Scores one row of plain values; inputs not given are missing.
///
/// # Errors
/// [`ServeError::Unknown`] for an input, [`ServeError::WrongType`], and what scoring reports.
pub fn score_inputs(
    model: &LiveModel,
    fields: &Fields<'_>,
    (as_of, reasons): (Timestamp, usize),
    keep: bool,
    more: &MoreAsked,
) -> Result<RowAnswer, ServeError> {
    WORK.with_borrow_mut(|work| {
        read_inputs(model, fields, work)?;
        let score = model.scoring().score(&work.values, as_of, reasons, &mut work.score)?;
        let mut anew = Work::default();
        let mut again = |changed: &[(usize, Value)]| {
            anew.values.clone_from(&work.values);
            for (input, value) in changed {
                anew.values[*input] = value.clone();
            }
            Ok(model.scoring().score(&anew.values, as_of, 0, &mut anew.score)?.output)
        };
        let row = RowScored { model, values: &work.values, as_of, score: &score };
        let more = if more.is_nothing(model) { More::default() } else { more.answer(&row, &mut again)? };
        let decision = decide(model, &score, &work.values, as_of);
        let kept = keep.then(|| {
            let (inputs, decision) = (&work.values, decision.as_deref());
            evidence(model, Computed { as_of, stored: false, inputs, given: &[], score: &score, decision })
        });
        Ok(RowAnswer { score, decision, more, kept })
    })
}

fn evidence(model: &LiveModel, computed: Computed<'_>) -> Evidence {
    let mut bytes = Vec::new();
    score_bytes(&mut bytes, model, computed);
    bytes.into()
}

/// What the model's policy says of a row that was read.
pub(super) fn decide(
    model: &LiveModel,
    score: &Score,
    read: &[Value],
    as_of: Timestamp,
) -> Option<Arc<Decision>> {
    model.policy()?.decide(score, read, as_of)
}
