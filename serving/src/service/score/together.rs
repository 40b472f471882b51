//! Many rows of one request, scored together: the trees of a forest are passed by all of them at once.

use std::cell::RefCell;
use std::ops::Range;

use scorehouse_features::ids::EntityKey;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_features::view::{self as features, Read, RequestFields};
use scorehouse_models::{Score, Scratch};

use super::more::More;
use super::request::EntityAsked;
use super::row::{Evidence, Row, Work, check_met, decide, prepare, read_inputs};
use super::{Job, Scored, sight};
use crate::error::ServeError;
use crate::score_log::{Computed, score_bytes};

/// Rows that are scored together at most; what they hold fits the second-level cache.
pub const CHUNK: usize = 128;
/// Rows that are worth it.
const FEWEST: usize = 8;

/// Memory that a thread's requests reuse.
#[derive(Debug, Default)]
struct Many {
    read: features::Scratch,
    /// The values of one row after those of the other.
    values: Vec<Value>,
    given: Vec<(usize, Value)>,
    keys: Vec<EntityKey>,
    score: Scratch,
    scores: Vec<Score>,
}

thread_local! {
    static MANY: RefCell<Many> = RefCell::default();
}

/// A row that was read: where its values stand, and those that the request gave.
#[derive(Debug)]
struct Ready {
    as_of: Timestamp,
    values: Range<usize>,
    given: Range<usize>,
}

/// An entity that is to be read.
#[derive(Debug)]
struct Asked<'a> {
    entity: &'a EntityAsked<'a>,
    as_of: Timestamp,
    /// Where its key stands.
    key: usize,
    given: Range<usize>,
}

/// Scores rows together. None where they are few or ask for more than a score, and where one of them fails: scored one
/// after the other, they say which and why.
pub fn score<'a>(job: &Job<'_>, rows: &[Row<'a>]) -> Option<Vec<Scored<'a>>> {
    if !job.is_plain() || rows.len() < FEWEST {
        return None;
    }
    MANY.with_borrow_mut(|many| many.score(job, rows)).ok()
}

impl Many {
    fn score<'a>(&mut self, job: &Job<'_>, rows: &[Row<'a>]) -> Result<Vec<Scored<'a>>, ServeError> {
        let ready = self.read(job, rows)?;
        let model = job.first.model;
        let inputs = model.scoring().signature().inputs.len();
        let (values, given) = (self.values.as_slice(), self.given.as_slice());
        // What only the policy reads follows the inputs, and is none of them.
        let inputs_of =
            |row: &Ready| &values[row.values.start..row.values.end.min(row.values.start + inputs)];
        let views: Vec<(&[Value], Timestamp)> =
            ready.iter().flatten().map(|row| (inputs_of(row), row.as_of)).collect();
        model.scoring().score_batch(views.iter().copied(), 0, &mut self.score, &mut self.scores)?;
        let mut scores = self.scores.drain(..);
        let mut all = Vec::with_capacity(rows.len());
        let (mut evidence, mut kept) = (Vec::new(), Vec::new());
        for (row, ready) in rows.iter().zip(ready) {
            let found = ready.and_then(|ready| Ok((ready, scores.next().ok_or_else(fewer)?)));
            let begins = evidence.len();
            let (result, decision) = match found {
                Ok((ready, score)) => {
                    let decision = decide(model, &score, &values[ready.values.clone()], ready.as_of);
                    if job.keep {
                        let computed = Computed {
                            as_of: ready.as_of,
                            stored: matches!(row, Row::Entity(_)),
                            inputs: inputs_of(&ready),
                            given: &given[ready.given.clone()],
                            score: &score,
                            decision: decision.as_deref(),
                        };
                        score_bytes(&mut evidence, model, computed);
                        // Rows are much alike: after the first it is known how much all of them need.
                        evidence.reserve(if begins == 0 { evidence.len() * (rows.len() + 1) } else { 0 });
                    }
                    (Ok(score), decision)
                }
                Err(error) => (Err(error), None),
            };
            kept.push(begins..evidence.len());
            let key = row.key(model);
            let variant = job.variant(row, key.as_deref())?;
            let followed = if result.is_ok() { job.followed(row, key.as_deref())? } else { None };
            all.push(Scored { key, variant, result, decision, more: More::default(), kept: None, followed });
        }
        let evidence = Evidence::from(evidence);
        for (scored, kept) in all.iter_mut().zip(kept).filter(|(_, kept)| !kept.is_empty()) {
            scored.kept = Some(evidence.slice(kept));
        }
        Ok(all)
    }

    /// Reads the values of all rows; in a partial request a row that cannot be read says why.
    fn read(
        &mut self,
        job: &Job<'_>,
        rows: &[Row<'_>],
    ) -> Result<Vec<Result<Ready, ServeError>>, ServeError> {
        self.values.clear();
        self.given.clear();
        self.keys.clear();
        // All rows of a request are of one kind.
        let entities: Option<Vec<&EntityAsked<'_>>> =
            rows.iter().map(|row| if let Row::Entity(entity) = row { Some(*entity) } else { None }).collect();
        match entities {
            Some(entities) => self.read_entities(job, &entities),
            None => self.read_inputs(job, rows),
        }
    }

    fn read_entities(
        &mut self,
        job: &Job<'_>,
        entities: &[&EntityAsked<'_>],
    ) -> Result<Vec<Result<Ready, ServeError>>, ServeError> {
        let (model, online) = (job.first.model, job.state.online.as_ref());
        let (plan, _) = model.plan()?;
        let mut asked = Vec::with_capacity(entities.len());
        for entity in entities {
            asked.push(or_told(job, self.prepare(job, entity))?);
        }
        let request = RequestFields::new();
        let read = |asked: &Asked<'_>| Read {
            key: &self.keys[asked.key],
            as_of: asked.as_of,
            request: &request,
            overrides: &self.given[asked.given.clone()],
        };
        let reads: Vec<Read<'_>> = asked.iter().flatten().map(read).collect();
        plan.read_all(online, &reads, &mut self.read, &mut self.values)?;
        let width = plan.outputs().len();
        let mut all = Vec::with_capacity(entities.len());
        for asked in asked {
            let met = asked.and_then(|Asked { entity, as_of, key, given }| {
                check_met(online, model, (entity, &self.keys[key]), self.read.met(key))?;
                Ok(Ready { as_of, values: key * width..(key + 1) * width, given })
            });
            all.push(or_told(job, met)?);
        }
        Ok(all)
    }

    fn prepare<'a>(&mut self, job: &Job<'_>, entity: &'a EntityAsked<'a>) -> Result<Asked<'a>, ServeError> {
        sight::check_row(job.state, job.caller, job.first.model, entity)?;
        let (as_of, begins) = (job.as_of(entity)?, self.given.len());
        let common = job.first.common.as_slice();
        let key = prepare(job.state.online.as_ref(), job.first.model, (entity, common), &mut self.given)?;
        self.keys.push(key);
        Ok(Asked { entity, as_of, key: self.keys.len() - 1, given: begins..self.given.len() })
    }

    fn read_inputs(
        &mut self,
        job: &Job<'_>,
        rows: &[Row<'_>],
    ) -> Result<Vec<Result<Ready, ServeError>>, ServeError> {
        let mut work = Work::default();
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            let Row::Inputs(fields) = row else { return Err(fewer()) };
            let read = read_inputs(job.first.model, fields, &mut work).map(|()| {
                let begins = self.values.len();
                self.values.append(&mut work.values);
                Ready { as_of: job.as_of, values: begins..self.values.len(), given: 0..0 }
            });
            all.push(or_told(job, read)?);
        }
        Ok(all)
    }
}

/// What a row alone is told of, where the request says that the others are to be answered; else the whole request is.
fn or_told<T>(job: &Job<'_>, read: Result<T, ServeError>) -> Result<Result<T, ServeError>, ServeError> {
    if job.request.partial { Ok(read) } else { read.map(Ok) }
}

fn fewer() -> ServeError {
    ServeError::Bug { message: "fewer scores than rows".into() }
}
