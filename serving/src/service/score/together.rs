//! Many rows of one request, scored together: the trees of a forest are passed by all of them at once.

use std::cell::RefCell;
use std::ops::Range;

use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_models::{Score, Scratch};

use super::more::More;
use super::row::{Row, Work, decide, read_entity, read_inputs};
use super::{Job, Scored, sight};
use crate::error::ServeError;
use crate::live_model::LiveModel;
use crate::score_log::{Computed, score_bytes};

/// Rows that are scored together at most; what they hold fits the second-level cache.
pub const CHUNK: usize = 128;
/// Rows that are worth it.
const FEWEST: usize = 8;

/// Memory that a thread's requests reuse.
#[derive(Debug, Default)]
struct Many {
    read: Work,
    values: Vec<Value>,
    given: Vec<(usize, Value)>,
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
        for (row, ready) in rows.iter().zip(ready) {
            let found = ready.and_then(|ready| Ok((ready, scores.next().ok_or_else(fewer)?)));
            let (result, decision, kept) = match found {
                Ok((ready, score)) => {
                    let decision = decide(model, &score, &values[ready.values.clone()], ready.as_of);
                    let computed = Computed {
                        as_of: ready.as_of,
                        stored: matches!(row, Row::Entity(_)),
                        inputs: inputs_of(&ready),
                        given: &given[ready.given.clone()],
                        score: &score,
                        decision: decision.as_deref(),
                    };
                    let kept = job.keep.then(|| score_bytes(model, computed));
                    (Ok(score), decision, kept)
                }
                Err(error) => (Err(error), None, None),
            };
            let key = row.key(model);
            let variant = job.variant(row, key.as_deref())?;
            let followed = if result.is_ok() { job.followed(row, key.as_deref())? } else { None };
            all.push(Scored { key, variant, result, decision, more: More::default(), kept, followed });
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
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            let starts = (self.values.len(), self.given.len());
            match self.read_row(job, row) {
                Ok(as_of) => all.push(Ok(Ready {
                    as_of,
                    values: starts.0..self.values.len(),
                    given: starts.1..self.given.len(),
                })),
                Err(error) if job.request.partial => all.push(Err(error)),
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    fn read_row(&mut self, job: &Job<'_>, row: &Row<'_>) -> Result<Timestamp, ServeError> {
        let model: &LiveModel = job.first.model;
        let as_of = match row {
            Row::Entity(entity) => {
                sight::check_row(job.state, job.caller, model, entity)?;
                let as_of = job.as_of(entity)?;
                let asked = job.entity_read(&job.first, entity, as_of);
                read_entity(job.state.online.as_ref(), model, &asked, &mut self.read)?;
                self.given.append(&mut self.read.overrides);
                as_of
            }
            Row::Inputs(fields) => {
                read_inputs(model, fields, &mut self.read)?;
                job.as_of
            }
        };
        self.values.append(&mut self.read.values);
        Ok(as_of)
    }
}

fn fewer() -> ServeError {
    ServeError::Bug { message: "fewer scores than rows".into() }
}
