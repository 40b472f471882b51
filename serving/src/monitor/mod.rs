//! How good are the scores that were served, now that reality has answered?
//!
//! Answers from the score log meet outcomes: those that the model's own source tells (`outcome`), else those of the
//! built-in log. An entity is counted once a day, by its last score of that day, so that a page that is looked at a
//! hundred times does not weigh a hundredfold. What is not known yet is pending, never negative.

mod beside;
mod drift;
mod outcome;
mod quality;
mod variants;

use std::collections::BTreeMap;

use scorehouse_features::definition::Project;
use scorehouse_features::ids::ModelName;
use scorehouse_features::time::{DAY, Span, Timestamp};
use scorehouse_models::Registry;
use scorehouse_offline::OfflineStore;
use serde::Serialize;
use utoipa::ToSchema;

pub use drift::Drift;
pub use quality::{Band, Quality};
pub use variants::{Figure, VariantComparison, VariantReport};

use crate::challenger::Variant;
use crate::error::ServeError;
use crate::score_log::folder;
use crate::score_log::read::{LoggedScore, Range, scores};
use outcome::Outcomes;

/// Periods of one report at most.
const MOST_PERIODS: i64 = 1_000;

/// What to look at.
pub struct Monitor<'a> {
    /// The project.
    pub project: &'a Project,
    /// History, with what was pushed taken over.
    pub store: &'a OfflineStore,
    /// Where versions come from.
    pub registry: &'a dyn Registry,
    /// The present: outcomes known by now count.
    pub now: Timestamp,
    /// The moments of answering that count.
    pub range: Range,
    /// The length of a period.
    pub every: Span,
}

/// What was served and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MonitorReport {
    /// The model.
    pub model: String,
    /// Scores that were given; those of a shadow do not count.
    pub scores: usize,
    /// Scores that count: the last one of an entity on a day.
    pub counted: usize,
    /// Those whose outcome is not known yet.
    pub pending: usize,
    /// What the scores were worth, over all whose outcome is known.
    pub quality: Quality,
    /// The same by period, the earliest first.
    pub periods: Vec<Period>,
    /// Per version, how the scores lie beside those of training.
    pub drift: Vec<Drift>,
    /// Where a challenger was tried out: champion and challenger side by side.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<VariantReport>,
    /// How the challenger did beside the champion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<VariantComparison>,
}

/// Scores by entity and day.
type LastOfDay = BTreeMap<(String, i64), LoggedScore>;

/// One period.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Period {
    /// Its beginning.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Scores that count.
    pub counted: usize,
    /// Their mean.
    pub mean_score: f64,
    /// What the scores were worth, over all whose outcome is known.
    pub quality: Quality,
}

/// One score with its outcome.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Judged {
    at: Timestamp,
    version: u32,
    output: f64,
    /// None: not known yet.
    outcome: Option<bool>,
}

impl Monitor<'_> {
    /// Looks at one model.
    ///
    /// # Errors
    /// [`ServeError::NotSuited`] for a model that recommends, and what reading the log and history report.
    pub fn run(&self, model: &str) -> Result<MonitorReport, ServeError> {
        let outcomes = Outcomes::of(self, model)?;
        let (count, served, shadows) = self.read(model)?;
        let outcome = |key: &str, row: &LoggedScore| outcomes.of_score(key, row.as_of, self.now);
        let mut judged: Vec<Judged> = served
            .iter()
            .filter_map(|((key, _), row)| {
                let outcome = outcome(key, row)?.known();
                Some(Judged { at: row.as_of, version: row.version, output: row.output, outcome })
            })
            .collect();
        let (variants, comparison) = beside::variants(&served, &shadows, &outcome);
        judged.sort_by_key(|row| row.at);
        Ok(MonitorReport {
            model: model.to_owned(),
            scores: count,
            counted: judged.len(),
            pending: judged.iter().filter(|row| row.outcome.is_none()).count(),
            quality: Quality::of(&judged),
            periods: self.periods(&judged)?,
            drift: self.drift(model, &judged)?,
            variants,
            comparison,
        })
    }

    /// The number of scores that were given, the last of them by entity and day, and the last that were not given.
    fn read(&self, model: &str) -> Result<(usize, LastOfDay, LastOfDay), ServeError> {
        let (mut served, mut shadows) = (LastOfDay::new(), LastOfDay::new());
        let mut count = 0;
        scores(&folder(&self.project.state), model, self.range, &mut |row| {
            let shadow = row.variant.as_deref() == Some(Variant::Shadow.as_str());
            count += usize::from(!shadow);
            let Some(key) = row.key.clone() else { return Ok(()) };
            let last = if shadow { &mut shadows } else { &mut served };
            let day = row.as_of.0.div_euclid(DAY);
            match last.get(&(key.clone(), day)) {
                Some(known) if known.at > row.at => {}
                _ => drop(last.insert((key, day), LoggedScore { inputs: Vec::new(), ..row })),
            }
            Ok(())
        })?;
        Ok((count, served, shadows))
    }

    fn periods(&self, judged: &[Judged]) -> Result<Vec<Period>, ServeError> {
        let (Some(first), Some(last)) = (judged.first(), judged.last()) else { return Ok(Vec::new()) };
        let every = self.every.0.max(1);
        // Periods lie where they lie whatever the range is, so that two reports can be laid side by side.
        let number = |at: Timestamp| at.0.div_euclid(every);
        if number(last.at) - number(first.at) >= MOST_PERIODS {
            let message = format!("`every` makes more than {MOST_PERIODS} periods; take a longer one");
            return Err(ServeError::InvalidField { message, nearest: None });
        }
        let groups = judged.chunk_by(|a, b| number(a.at) == number(b.at));
        Ok(groups.map(|rows| period(rows, Timestamp(number(rows[0].at) * every))).collect())
    }

    fn drift(&self, model: &str, judged: &[Judged]) -> Result<Vec<Drift>, ServeError> {
        let mut versions: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for row in judged {
            versions.entry(row.version).or_default().push(row.output);
        }
        if versions.is_empty() {
            return Ok(Vec::new());
        }
        let name = ModelName::new(model)
            .map_err(|error| ServeError::InvalidField { message: error.to_string(), nearest: None })?;
        let records = self.registry.versions(&name)?;
        let drift = |(version, outputs): (u32, Vec<f64>)| {
            let record = records.iter().find(|record| record.version.0 == version);
            Drift::of(version, &outputs, record.map(|record| &record.metrics))
        };
        Ok(versions.into_iter().map(drift).collect())
    }
}

fn period(rows: &[Judged], from: Timestamp) -> Period {
    let sum: f64 = rows.iter().map(|row| row.output).sum();
    Period { from, counted: rows.len(), mean_score: sum / rows.len() as f64, quality: Quality::of(rows) }
}
