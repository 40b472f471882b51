//! Scores with reasons, from stored features and what the request brings.

mod answer;
mod evidence;
mod more;
mod request;
mod row;
mod sight;
mod timing;
mod together;
mod what_if;

use rayon::prelude::*;
use scorehouse_features::time::Timestamp;

pub use answer::{ScoreAnswer, Scored};
pub use evidence::keep;
pub use more::{More, MoreAsked};
pub use request::{EntityAsked, ScoreRequest};
pub use row::{EntityRead, NOBODY, Row, RowAnswer, score_entity};
pub use timing::{Moments, TimingShown};

use crate::access::Caller;
use crate::challenger::{Arms, Followed, Variant};
use crate::error::ServeError;
use crate::live_model::{LiveModel, Selected};
use crate::score_log::Asker;
use crate::service::moment;
use crate::service::scalar::Fields;
use crate::state::AppState;

/// Most rows of one request.
pub const MOST_ROWS: usize = 10_000;
/// Most reasons of one score.
const MOST_REASONS: u32 = 100;
/// Rows scored where the request is read; more cross into the pool. Reasons count for eight rows.
const INLINE_ROWS: usize = 128;

/// True when a request is so small that crossing into the pool would cost more than scoring it.
#[must_use]
pub fn is_small(request: &ScoreRequest<'_>) -> bool {
    let weight = if request.reasons > 0 { 8 } else { 1 };
    row_count(request) * weight * MoreAsked::weight(request) <= INLINE_ROWS
}

fn row_count(request: &ScoreRequest<'_>) -> usize {
    request.entities.as_ref().map_or(0, Vec::len)
        + usize::from(request.entity.is_some())
        + request.inputs.as_ref().map_or(0, |rows| rows.0.len())
}

/// Scores every row of a request with one version of a model, and writes the answer as JSON.
///
/// # Errors
/// [`ServeError::Unknown`] for a model, version, alias, feature or key; a value of the wrong type; a moment
/// in the future; a model that answers with items.
pub fn score(
    state: &AppState,
    asker: Asker,
    model: &str,
    request: &ScoreRequest<'_>,
) -> Result<Vec<u8>, ServeError> {
    let arms = Arms::select(state, model, (request.alias.as_deref(), request.version))?;
    asker.note(arms.first());
    let as_of = moment::as_of(state.clock.as_ref(), request.as_of.as_deref())?;
    let scores = answered(state, &asker.caller, &arms, request, as_of)?;
    let answer = ScoreAnswer::new(&arms, as_of, scores);
    let bytes = answer.to_json()?;
    keep(state, &arms, &asker, answer.rows());
    Ok(bytes)
}

/// Scores every row of a request with versions that were selected already; what else the request says of a version
/// does not count.
///
/// # Errors
/// As for [`score`].
pub fn score_rows<'a>(
    state: &AppState,
    caller: &Caller,
    arms: &Arms<'_>,
    request: &'a ScoreRequest<'a>,
) -> Result<Vec<Scored<'a>>, ServeError> {
    let as_of = moment::as_of(state.clock.as_ref(), request.as_of.as_deref())?;
    answered(state, caller, arms, request, as_of)
}

fn answered<'a>(
    state: &AppState,
    caller: &Caller,
    arms: &Arms<'_>,
    request: &'a ScoreRequest<'a>,
    as_of: Timestamp,
) -> Result<Vec<Scored<'a>>, ServeError> {
    let scores = scored(state, caller, arms, request, as_of)?;
    arms.first().model.count_scores(scores.len());
    Ok(scores)
}

fn scored<'a>(
    state: &AppState,
    caller: &Caller,
    arms: &Arms<'_>,
    request: &'a ScoreRequest<'a>,
    as_of: Timestamp,
) -> Result<Vec<Scored<'a>>, ServeError> {
    let rows = rows(&arms.first().model, request)?;
    sight::check_references(state, caller, &request.features)?;
    let job = Job {
        state,
        caller,
        request,
        arms,
        first: Arm::of(arms.first(), request)?,
        second: arms.challenger().map(|challenger| Arm::of(challenger, request)).transpose()?,
        as_of,
        reasons: request.reasons as usize,
        keep: state.score_log.keeps(),
        more: MoreAsked::of(request)?,
    };
    let one = |row: &Row<'a>| {
        let key = row.key(&arms.first().model);
        let variant = job.variant(row, key.as_deref())?;
        match job.score(row, variant) {
            Ok(RowAnswer { score, decision, more, kept }) => {
                let followed = job.followed(row, key.as_deref())?;
                Ok(Scored { key, variant, result: Ok(score), decision, more, kept, followed })
            }
            Err(error) if request.partial => Ok(Scored {
                key,
                variant,
                result: Err(error),
                decision: None,
                more: More::default(),
                kept: None,
                followed: None,
            }),
            Err(error) => Err(error),
        }
    };
    let some = |rows: &[Row<'a>]| match together::score(&job, rows) {
        Some(scored) => Ok(scored),
        None => rows.iter().map(one).collect::<Result<Vec<_>, _>>(),
    };
    if is_small(request) {
        return some(&rows);
    }
    if !job.is_plain() {
        return rows.par_iter().map(one).collect();
    }
    let parts: Result<Vec<Vec<_>>, _> = rows.par_chunks(together::CHUNK).map(some).collect();
    parts.map(|parts| parts.into_iter().flatten().collect())
}

/// What all rows of one request share.
struct Job<'a> {
    state: &'a AppState,
    caller: &'a Caller,
    request: &'a ScoreRequest<'a>,
    arms: &'a Arms<'a>,
    first: Arm<'a>,
    /// The challenger of a split.
    second: Option<Arm<'a>>,
    as_of: Timestamp,
    reasons: usize,
    keep: bool,
    more: MoreAsked,
}

/// A version with what the request gives for all rows, bound to it.
struct Arm<'a> {
    model: &'a LiveModel,
    common: Vec<(usize, scorehouse_features::value::Value)>,
}

impl<'a> Arm<'a> {
    fn of(selected: &'a Selected, request: &ScoreRequest<'_>) -> Result<Self, ServeError> {
        Ok(Self { model: &selected.model, common: selected.model.bind(&request.features)? })
    }
}

impl Job<'_> {
    fn as_of(&self, entity: &EntityAsked<'_>) -> Result<Timestamp, ServeError> {
        let own = entity.as_of.as_deref();
        own.map_or(Ok(self.as_of), |text| moment::as_of(self.state.clock.as_ref(), Some(text)))
    }

    /// True when nothing but scores of one version is asked for, so that rows can be scored together.
    const fn is_plain(&self) -> bool {
        self.second.is_none() && self.reasons == 0 && self.more.is_nothing(self.first.model)
    }

    fn entity_read<'b>(
        &self,
        arm: &'b Arm<'_>,
        entity: &'b EntityAsked<'b>,
        as_of: Timestamp,
    ) -> EntityRead<'b> {
        EntityRead { entity, common: &arm.common, as_of, reasons: self.reasons, keep: self.keep }
    }

    /// The variant that answers a row; none outside a split.
    fn variant(&self, row: &Row<'_>, key: Option<&str>) -> Result<Option<Variant>, ServeError> {
        match (row, &self.second) {
            (Row::Entity(entity), Some(_)) => {
                self.arms.variant(self.state, self.request, (entity, self.as_of(entity)?))
            }
            (Row::Inputs(fields), Some(_)) => Ok(self.arms.variant_of_inputs(fields, key)),
            _ => Ok(self.arms.undecided()),
        }
    }

    /// What the shadow is to score of a row, if anything.
    fn followed(&self, row: &Row<'_>, key: Option<&str>) -> Result<Option<Box<Followed>>, ServeError> {
        match row {
            Row::Entity(entity) if self.keep => {
                self.arms.followed(self.state, self.request, (entity, self.as_of(entity)?))
            }
            Row::Inputs(fields) if self.keep => Ok(self.arms.followed_inputs(fields, (key, self.as_of))),
            _ => Ok(None),
        }
    }

    fn score(&self, row: &Row<'_>, variant: Option<Variant>) -> Result<RowAnswer, ServeError> {
        let arm = match (variant, &self.second) {
            (Some(Variant::Challenger), Some(second)) => second,
            _ => &self.first,
        };
        match row {
            Row::Entity(entity) => {
                sight::check_row(self.state, self.caller, arm.model, entity)?;
                let asked = self.entity_read(arm, entity, self.as_of(entity)?);
                row::score_entity_and(self.state.online.as_ref(), arm.model, &asked, &self.more)
            }
            Row::Inputs(fields) => {
                row::score_inputs(arm.model, fields, (self.as_of, self.reasons), self.keep, &self.more)
            }
        }
    }
}

fn rows<'a>(model: &LiveModel, request: &'a ScoreRequest<'a>) -> Result<Vec<Row<'a>>, ServeError> {
    check(model, request)?;
    let entities = request.entity.iter().chain(request.entities.iter().flatten());
    let inputs = request.inputs.iter().flat_map(|rows| &rows.0);
    Ok(entities.map(Row::Entity).chain(inputs.map(|fields: &Fields<'_>| Row::Inputs(fields))).collect())
}

fn check(model: &LiveModel, request: &ScoreRequest<'_>) -> Result<(), ServeError> {
    let invalid = |message: &str| Err(ServeError::InvalidField { message: message.into(), nearest: None });
    let given = [request.entity.is_some(), request.entities.is_some(), request.inputs.is_some()];
    let count = row_count(request);
    match given.iter().filter(|given| **given).count() {
        0 if model.entity().is_some() => return invalid("give `entity` or `entities`"),
        0 => return invalid("give `inputs`: this model reads a plain table"),
        1 => {}
        _ => return invalid("give one of `entity`, `entities` and `inputs`"),
    }
    if request.inputs.is_none() && model.entity().is_none() {
        return Err(model.not_suited("reads a plain table; give `inputs`, not entities"));
    }
    if request.inputs.is_some() && !request.features.0.is_empty() {
        return invalid("`features` go with entities; `inputs` hold their own values");
    }
    if request.reasons > MOST_REASONS {
        return invalid("`reasons` takes 0 to 100");
    }
    if count > MOST_ROWS {
        return Err(ServeError::TooMany { what: "rows", limit: MOST_ROWS, given: count });
    }
    Ok(())
}
