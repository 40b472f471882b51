//! How good are the answers that were served, now that reality has answered?
//!
//! Answers from the score log meet outcomes: those that the model's own source tells (`outcome`), else those of the
//! built-in log. An entity is counted once a day, by its last score of that day, so that a page that is looked at a
//! hundred times does not weigh a hundredfold. What is not known yet is pending, never negative. Lists of products are
//! judged by what was bought after them (`lists`).

mod beside;
mod drift;
mod follow;
mod limits;
mod lists;
mod outcome;
mod quality;
mod retrain;
mod tally;
mod variants;
mod watch;

use std::collections::BTreeMap;

use scorehouse_features::definition::{Pipeline, Project};
use scorehouse_features::ids::ModelName;
use scorehouse_features::time::{DAY, Span, Timestamp};
use scorehouse_models::Registry;
use scorehouse_offline::OfflineStore;
use serde::Serialize;
use utoipa::ToSchema;

pub use drift::{Drift, FeatureShift, MovedShare};
pub use follow::{Alarm, Following, champion, follow, look};
pub use limits::{Crossed, judge};
pub use lists::{ListComparison, ListDifference, ListPeriod, ListQuality, ListReport, ListVariant};
pub use quality::{Band, Quality};
pub use retrain::{Retrained, Trainer};
pub use variants::{Figure, VariantComparison, VariantReport};
pub use watch::Watches;

use crate::challenger::Variant;
use crate::error::ServeError;
use crate::score_log::folder;
use crate::score_log::read::{LoggedScore, Range, scores};
use outcome::Outcomes;
use tally::{Baselines, Places, Tally};

/// Periods of one report at most.
const MOST_PERIODS: usize = 1_000;

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

/// What a model served and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Monitored {
    /// Of a model that scores.
    Scores(Box<MonitorReport>),
    /// Of one that recommends.
    Lists(Box<ListReport>),
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
    /// Per version, how the scores and their inputs lie beside those of training.
    pub drift: Vec<Drift>,
    /// The limits of `[model.X.monitor]` that the champion's scores cross.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub crossed: Vec<Crossed>,
    /// Where a challenger was tried out: champion and challenger side by side.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<VariantReport>,
    /// How the challenger did beside the champion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<VariantComparison>,
}

/// Scores by entity and day.
type LastOfDay = BTreeMap<(String, i64), Seen>;

/// A score without its inputs, and where these lay.
struct Seen {
    score: LoggedScore,
    places: Places,
}

/// The scores of a model in a range.
#[derive(Default)]
struct Log {
    /// How many were given.
    count: usize,
    /// The last of them by entity and day.
    served: LastOfDay,
    /// The last that were not given.
    shadows: LastOfDay,
    /// By version, those that were given and name no entity.
    unnamed: BTreeMap<u32, Tally>,
}

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
struct Judged<'a> {
    at: Timestamp,
    version: u32,
    output: f64,
    /// None: not known yet.
    outcome: Option<bool>,
    places: &'a [u8],
}

impl Monitor<'_> {
    /// Looks at one model.
    ///
    /// # Errors
    /// [`ServeError::Unknown`] for the model, and what reading the log and history report.
    pub fn run(&self, model: &str) -> Result<Monitored, ServeError> {
        let name = ModelName::new(model)
            .map_err(|error| ServeError::InvalidField { message: error.to_string(), nearest: None })?;
        match self.project.models.get(&name).map(|spec| &spec.pipeline) {
            Some(pipeline @ (Pipeline::Upsell(_) | Pipeline::Interactions(_))) => {
                Ok(Monitored::Lists(Box::new(self.lists(&name, pipeline)?)))
            }
            _ => Ok(Monitored::Scores(Box::new(self.scores(name)?))),
        }
    }

    /// Looks at the scores of one model.
    ///
    /// # Errors
    /// [`ServeError::Unknown`] for the model, [`ServeError::NotSuited`] for one that recommends, and what reading the log
    /// and history report.
    pub fn scores(&self, name: ModelName) -> Result<MonitorReport, ServeError> {
        let model = name.as_str();
        let outcomes = Outcomes::of(self, model)?;
        let mut baselines = Baselines::new(self.registry, name.clone());
        let log = self.read(model, &mut baselines)?;
        let outcome = |key: &str, row: &LoggedScore| outcomes.of_score(key, row.head.as_of, self.now);
        let mut judged: Vec<Judged> = log
            .served
            .iter()
            .filter_map(|((key, _), Seen { score, places })| {
                let outcome = outcome(key, score)?.known();
                Some(Judged {
                    at: score.head.as_of,
                    version: score.head.version,
                    output: score.output,
                    outcome,
                    places,
                })
            })
            .collect();
        let (variants, comparison) = beside::variants(&log.served, &log.shadows, &outcome);
        judged.sort_by_key(|row| row.at);
        let mut report = MonitorReport {
            model: model.to_owned(),
            scores: log.count,
            counted: judged.len(),
            pending: judged.iter().filter(|row| row.outcome.is_none()).count(),
            quality: Quality::of(judged.iter().copied()),
            periods: self.periods(&judged),
            drift: self.drift(&name, (&judged, log.unnamed), &mut baselines)?,
            crossed: Vec::new(),
            variants,
            comparison,
        };
        let spec = self.project.models.get(&name).and_then(|model| model.serving.monitor.as_ref());
        if let (Some(spec), Some(drift)) = (spec, champion(self.registry, &name, &report)?) {
            report.crossed = judge(drift, spec).crossed;
        }
        Ok(report)
    }

    fn read(&self, model: &str, baselines: &mut Baselines<'_>) -> Result<Log, ServeError> {
        let mut log = Log::default();
        scores(&folder(&self.project.state), model, self.range, &mut |row| {
            let shadow = row.head.variant.as_deref() == Some(Variant::Shadow.as_str());
            log.count += usize::from(!shadow);
            let Some(key) = row.head.key.clone() else {
                if !shadow {
                    let places = baselines.places(&row);
                    log.unnamed.entry(row.head.version).or_default().add(row.output, &places);
                }
                return Ok(());
            };
            let last = if shadow { &mut log.shadows } else { &mut log.served };
            let day = row.head.as_of.0.div_euclid(DAY);
            match last.get(&(key.clone(), day)) {
                Some(known) if known.score.head.at > row.head.at => {}
                _ => {
                    let places = if shadow { Places::default() } else { baselines.places(&row) };
                    let score = LoggedScore { inputs: Vec::new(), ..row };
                    last.insert((key, day), Seen { score, places });
                }
            }
            Ok(())
        })?;
        Ok(log)
    }

    fn periods(&self, judged: &[Judged<'_>]) -> Vec<Period> {
        let groups = self.grouped(judged, |row| row.at);
        groups.into_iter().map(|(from, rows)| period(rows, from)).collect()
    }

    /// Rows, in order of time, by period, each with its beginning; of more than [`MOST_PERIODS`] that have any, the
    /// first holds all rows of before, too. Whoever may ask for scores may ask as of any moment: that must not keep
    /// anybody from looking at them.
    fn grouped<'r, R>(&self, rows: &'r [R], at: impl Fn(&R) -> Timestamp) -> Vec<(Timestamp, &'r [R])> {
        let every = self.every.0.max(1);
        // Periods lie where they lie whatever the range is, so that two reports can be laid side by side.
        let number = |row: &R| at(row).0.div_euclid(every);
        let lengths: Vec<usize> = rows.chunk_by(|a, b| number(a) == number(b)).map(<[R]>::len).collect();
        let early = lengths.len().saturating_sub(MOST_PERIODS - 1).max(1).min(lengths.len());
        let (first, others) = lengths.split_at(early);
        let mut left = rows;
        let lengths = std::iter::once(first.iter().sum()).chain(others.iter().copied());
        let mut groups = Vec::with_capacity(others.len() + 1);
        for length in lengths {
            let (group, rest) = left.split_at(length);
            left = rest;
            groups.extend(group.first().map(|row| (Timestamp(number(row) * every), group)));
        }
        groups
    }

    /// Each version's scores and inputs beside its training.
    fn drift(
        &self,
        name: &ModelName,
        (judged, mut tallies): (&[Judged<'_>], BTreeMap<u32, Tally>),
        baselines: &mut Baselines<'_>,
    ) -> Result<Vec<Drift>, ServeError> {
        for row in judged {
            tallies.entry(row.version).or_default().add(row.output, row.places);
        }
        if tallies.is_empty() {
            return Ok(Vec::new());
        }
        let records = self.registry.versions(name)?;
        let mut drift = |(version, tally): (u32, Tally)| {
            let record = records.iter().find(|record| record.version.0 == version);
            let trained = (record.map(|record| &record.metrics), baselines.of(version));
            let own = judged.iter().filter(|row| row.version == version).copied();
            Drift { quality: Quality::of(own), ..Drift::of(version, &tally, trained) }
        };
        Ok(tallies.into_iter().map(&mut drift).collect())
    }
}

fn period(rows: &[Judged<'_>], from: Timestamp) -> Period {
    let sum: f64 = rows.iter().map(|row| row.output).sum();
    Period {
        from,
        counted: rows.len(),
        mean_score: sum / rows.len() as f64,
        quality: Quality::of(rows.iter().copied()),
    }
}
