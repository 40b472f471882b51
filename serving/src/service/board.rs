//! What is open now, how likely each is to be won, and why: the list behind the built-in page.

use rayon::prelude::*;
use scorehouse_features::definition::{Pipeline, Project, WinSpec};
use scorehouse_features::ids::{EntityKey, EntityName, SourceName};
use scorehouse_features::online::OnlineStore;
use scorehouse_features::time::{DAY, Span, Timestamp};
use scorehouse_features::view::{Rows, TableId};
use scorehouse_models::reason::Reason;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Caller;
use crate::error::ServeError;
use crate::live_model::{LiveModel, Selected};
use crate::policy::Decision;
use crate::service::entities;
use crate::service::moment;
use crate::service::score::{EntityAsked, EntityRead, RowAnswer, score_entity};
use crate::state::AppState;

/// Most open entities that one board looks at.
const MOST_OPEN: usize = 10_000;
/// Keys read from the store at a time.
const PAGE: usize = 1_000;
/// How far back the trend looks.
const TREND: Span = Span(7 * DAY);
/// Facts shown beside a key.
const MOST_FACTS: usize = 5;

/// Which board.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BoardAsked {
    /// Lines, 1 to 1000; 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Reasons a line, 0 to 20; 4 if not given.
    #[param(minimum = 0, maximum = 20)]
    reasons: Option<usize>,
    /// The moment whose knowledge counts, RFC 3339 or a date; now if not given.
    as_of: Option<String>,
    /// The alias that answers; `champion` if not given.
    alias: Option<String>,
}

/// What is open, the most probable first.
#[derive(Debug, Serialize, ToSchema)]
pub struct BoardAnswer {
    /// The model.
    pub model: String,
    /// The version that answered every line.
    pub version: u32,
    /// The alias it was found by.
    pub alias: String,
    /// The moment whose knowledge counted.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// How many are open, as far as was looked.
    pub total: usize,
    /// True when more are open than were looked at.
    pub truncated: bool,
    /// The lines.
    pub scores: Vec<BoardLine>,
}

/// One open entity.
#[derive(Debug, Serialize, ToSchema)]
pub struct BoardLine {
    /// Its key.
    pub key: String,
    /// The calibrated probability.
    pub probability: f64,
    /// Its change against seven days before; none for what was not open then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trend: Option<f64>,
    /// A few of its features, by name.
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>)]
    pub facts: serde_json::Map<String, serde_json::Value>,
    /// What moved the score most.
    #[schema(value_type = Vec<Object>)]
    pub reasons: Vec<Reason>,
    /// What the model's policy decides; none without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// Where the opening and the closing of an entity are told.
struct Life {
    opened: TableId,
    closed: TableId,
}

/// An open entity with its score.
struct Line {
    key: EntityKey,
    probability: f64,
    trend: Option<f64>,
}

/// What all lines of one board share.
struct Board<'a> {
    state: &'a AppState,
    caller: &'a Caller,
    model: &'a LiveModel,
    life: Life,
    as_of: Timestamp,
}

/// The board of a win model.
///
/// # Errors
/// [`ServeError::NotSuited`] for a model of another kind, and what selecting and scoring report.
pub fn board(
    state: &AppState,
    caller: &Caller,
    model: &str,
    asked: &BoardAsked,
) -> Result<BoardAnswer, ServeError> {
    let selected = state.live.select(model, asked.alias.as_deref(), None)?;
    let as_of = moment::as_of(state.clock.as_ref(), asked.as_of.as_deref())?;
    let limit = within("limit", asked.limit.unwrap_or(100), 1, 1000)?;
    let reasons = within("reasons", asked.reasons.unwrap_or(4), 0, 20)?;
    let (entity, life) = life(state, &selected)?;
    let board = Board { state, caller, model: &selected.model, life, as_of };
    let (open, truncated) = board.open(&entity)?;
    let mut lines: Vec<Line> = open.into_par_iter().map(|key| board.line(key)).collect::<Result<_, _>>()?;
    let total = lines.len();
    lines.sort_by(|a, b| b.probability.total_cmp(&a.probability).then_with(|| a.key.cmp(&b.key)));
    lines.truncate(limit);
    let scores = lines.into_par_iter().map(|line| board.explain(line, reasons)).collect::<Result<_, _>>()?;
    Ok(BoardAnswer {
        model: model.to_owned(),
        version: selected.model.version().0,
        alias: selected.alias.as_ref().map_or_else(String::new, ToString::to_string),
        as_of,
        total,
        truncated,
        scores,
    })
}

fn within(name: &str, given: usize, least: usize, most: usize) -> Result<usize, ServeError> {
    if (least..=most).contains(&given) {
        return Ok(given);
    }
    Err(ServeError::InvalidParameter { message: format!("{name} takes {least} to {most}") })
}

fn life(state: &AppState, selected: &Selected) -> Result<(EntityName, Life), ServeError> {
    let model = &selected.model;
    let unfit = || model.not_suited("has no board: only models of pipeline \"win\" know what is open");
    let spec = win(&state.project, model.name()).ok_or_else(unfit)?;
    let entity = model.entity().ok_or_else(unfit)?;
    let key = state.project.entities.get(entity).map(|entity| &entity.key).ok_or_else(unfit)?;
    let table = |source: &SourceName| {
        let bug = || ServeError::Bug { message: format!("no table holds {source} by {key}") };
        state.online.layout().table(source, key).ok_or_else(bug)
    };
    Ok((entity.clone(), Life { opened: table(&spec.opened)?, closed: table(&spec.closed)? }))
}

fn win<'a>(project: &'a Project, model: &str) -> Option<&'a WinSpec> {
    match &project.models.get(model)?.pipeline {
        Pipeline::Win(spec) => Some(spec),
        _ => None,
    }
}

impl Board<'_> {
    fn online(&self) -> &dyn OnlineStore {
        self.state.online.as_ref()
    }

    /// Keys of what is open, and whether there are more than were looked at.
    fn open(&self, entity: &EntityName) -> Result<(Vec<EntityKey>, bool), ServeError> {
        let mut open = Vec::new();
        let mut after = None;
        loop {
            let page = self.online().keys(entity, after.as_ref(), PAGE)?;
            for key in &page.keys {
                if self.is_open(key, self.as_of)? && self.is_seen(entity, key)? {
                    open.push(key.clone());
                }
                if open.len() == MOST_OPEN {
                    return Ok((open, true));
                }
            }
            after = page.keys.last().cloned();
            if !page.more {
                return Ok((open, false));
            }
        }
    }

    fn is_seen(&self, entity: &EntityName, key: &EntityKey) -> Result<bool, ServeError> {
        self.caller.sees(self.online(), entity, key, self.state.clock.now())
    }

    fn is_open(&self, key: &EntityKey, as_of: Timestamp) -> Result<bool, ServeError> {
        Ok(self.told(self.life.opened, key, as_of)? && !self.told(self.life.closed, key, as_of)?)
    }

    /// True when a row of the table was known at that moment.
    fn told(&self, table: TableId, key: &EntityKey, as_of: Timestamp) -> Result<bool, ServeError> {
        let mut told = false;
        self.online().visit(table, key.as_str(), &mut |rows| {
            told = (0..rows.happened_by(as_of)).any(|row| rows.available(row) <= as_of);
        })?;
        Ok(told)
    }

    fn line(&self, key: EntityKey) -> Result<Line, ServeError> {
        let probability = self.score(&key, self.as_of, 0)?.score.output;
        let before = self.as_of.before(TREND);
        let trend = if self.is_open(&key, before)? {
            Some(probability - self.score(&key, before, 0)?.score.output)
        } else {
            None
        };
        Ok(Line { key, probability, trend })
    }

    fn score(&self, key: &EntityKey, as_of: Timestamp, reasons: usize) -> Result<RowAnswer, ServeError> {
        let entity = EntityAsked { key: Some(key.as_str().into()), ..EntityAsked::default() };
        let read = EntityRead { entity: &entity, common: &[], as_of, reasons, keep: false };
        score_entity(self.online(), self.model, &read)
    }

    fn explain(&self, line: Line, reasons: usize) -> Result<BoardLine, ServeError> {
        let reasons = if self.model.scoring().explains() { reasons } else { 0 };
        let RowAnswer { score, decision, .. } = self.score(&line.key, self.as_of, reasons)?;
        let entity = self.model.entity().map_or("", EntityName::as_str);
        let (_, plan) = entities::plan(self.state, entity)?;
        let facts = plan.facts(self.online(), &line.key, self.as_of, MOST_FACTS)?;
        Ok(BoardLine {
            key: line.key.to_string(),
            probability: line.probability,
            trend: line.trend,
            facts,
            reasons: score.explanation.reasons,
            decision: decision.map(|decision| (*decision).clone()),
        })
    }
}
