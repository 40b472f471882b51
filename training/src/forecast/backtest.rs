//! Whether forecasts would have been right: made at past moments from what was known then, held against what came.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use scorehouse_features::definition::{ForecastSpec, Project, WinSpec};
use scorehouse_features::ids::{EntityKey, FeatureName, ModelName};
use scorehouse_features::time::{Span, Timestamp};
use scorehouse_models::Artifact;
use serde::{Deserialize, Serialize};

use crate::error::TrainingError;
use crate::forecast::book::Book;
use crate::forecast::{Forecast, ForecastRequest, Line, Period, forecast, specs};
use crate::history::History;
use crate::progress::{Progress, Silent};
use crate::trained::TrainRequest;

/// Deals that ended before the first forecast, at least.
const LEARNT: usize = 200;
/// The interval that is checked: the ends of the middle 80 %.
const ENDS: [f64; 2] = [0.1, 0.9];

/// Which past forecasts are made.
#[derive(Clone, Copy)]
pub struct BacktestRequest<'a> {
    /// The checked project.
    pub project: &'a Project,
    /// A model of pipeline `win` whose section says what deals are worth.
    pub model: &'a ModelName,
    /// Where rows and features are read.
    pub history: &'a dyn History,
    /// The present: what came is what is known now.
    pub now: Timestamp,
    /// The first forecast; none: as soon as enough deals have ended.
    pub from: Option<Timestamp>,
    /// How far ahead each forecast looks.
    pub length: Span,
    /// Time from one forecast to the next.
    pub every: Span,
    /// Time after which the model is learnt anew, from what was known by then.
    pub refit: Span,
    /// Features by each of which deals are told apart, besides the total.
    pub by: &'a [FeatureName],
    /// Seed of everything random.
    pub seed: u64,
    /// Worker threads of training; 0 means one per core.
    pub threads: usize,
    /// Who is told of the progress.
    pub progress: &'a dyn Progress,
}

/// One past forecast and what came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// The moment whose knowledge counted, where the period begins.
    pub from: Timestamp,
    /// The feature and the value by which deals were told apart; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The forecast's interval and middle.
    pub p10: f64,
    /// The middle.
    pub p50: f64,
    /// The upper end.
    pub p90: f64,
    /// What came.
    pub actual: f64,
    /// What was expected of deals that were open, and what came of them.
    pub open: [f64; 2],
    /// What was expected of deals that were yet to come, and what came of them.
    pub new: [f64; 2],
    /// Share of the draws below what came. Draws equal to it, as of no win at all, count by a random share, so that right
    /// forecasts give evenly spread numbers (Czado, Gneiting, Held 2009).
    pub rank: f64,
}

/// Past forecasts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Backtest {
    /// Every one of them.
    pub checked: Vec<Checked>,
    /// How those of all deals did.
    pub total: Summary,
    /// How those of groups did, by feature.
    pub groups: BTreeMap<String, Summary>,
}

/// How past forecasts did.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// How many there are.
    pub forecasts: usize,
    /// Share of them whose middle 80 % held what came: 0.8 is right.
    pub coverage: f64,
    /// Sum of what came over the sum of the middles: 1 is right.
    pub level: f64,
    /// Sum of what came of deals that were open over the sum of what was expected of them: 1 is right.
    pub open: f64,
    /// The same of deals that were yet to come.
    pub new: f64,
}

/// Forecasts again and again in the past, each time from what was known then, with models learnt from what was known.
///
/// # Errors
/// As [`forecast`], and what training reports.
pub fn backtest(request: &BacktestRequest<'_>) -> Result<Backtest, TrainingError> {
    let (win, spec) = specs(request.project, request.model)?;
    let starts = request.starts(win)?;
    request.progress.stage("forecasting the past", starts.len() as u64);
    let mut live: Option<(Timestamp, Artifact)> = None;
    let mut test = Backtest::default();
    let mut rng = ChaCha8Rng::seed_from_u64(request.seed ^ 0xbac);
    let mut by_feature: BTreeMap<String, Vec<Checked>> = BTreeMap::new();
    let mut totals = Vec::new();
    for start in starts {
        let due = live.as_ref().is_none_or(|(at, _)| at.after(request.refit) <= start);
        if due {
            live = Some((start, request.learn(start)?));
        }
        let Some((_, artifact)) = &live else { continue };
        let period = Period::between(start, start.after(request.length))?;
        for by in std::iter::once(None).chain(request.by.iter().map(Some)) {
            let told = request.told(artifact, &period, by)?;
            let came = request.came(&period, by, (win, spec), artifact)?;
            let lines = match by {
                None => vec![&told.total],
                Some(_) => told.groups.iter().filter(|line| line.group.is_some()).collect(),
            };
            for line in lines {
                let actual = match by {
                    None => came.values().fold([0.0; 2], |sum, one| [sum[0] + one[0], sum[1] + one[1]]),
                    Some(_) => came.get(&line.group).copied().unwrap_or_default(),
                };
                let checked = Checked::of(line, start, actual, rng.random());
                match by {
                    None => totals.push(checked),
                    Some(name) => by_feature.entry(name.to_string()).or_default().push(checked),
                }
            }
        }
        request.progress.advance(1);
    }
    test.total = Summary::of(&totals);
    test.groups = by_feature.iter().map(|(name, checked)| (name.clone(), Summary::of(checked))).collect();
    let named = by_feature.into_iter().flat_map(|(name, checked)| {
        checked
            .into_iter()
            .map(move |one| Checked { group: one.group.map(|group| format!("{name} = {group}")), ..one })
    });
    test.checked = totals.into_iter().chain(named).collect();
    Ok(test)
}

impl BacktestRequest<'_> {
    /// The moments at which forecasts are made: enough was known before, and all is known of what came after.
    fn starts(&self, win: &WinSpec) -> Result<Vec<Timestamp>, TrainingError> {
        let first = match self.from {
            Some(from) => from,
            None => {
                let training = self.training(self.now);
                let entity = &crate::pipeline::feature_set(&training, &win.fit)?.entity;
                let closed = crate::pipeline::read_events(&training, entity, &win.closed, Some(&win.won))?;
                let mut ends: Vec<Timestamp> =
                    closed.values().filter_map(|rows| rows.first()).map(|end| end.known).collect();
                ends.sort_unstable();
                let enough = ends.get(LEARNT).copied();
                enough.ok_or_else(|| {
                    let ended = ends.len();
                    TrainingError::Definition(format!(
                        "only {ended} deals have ended; a backtest needs {LEARNT}"
                    ))
                })?
            }
        };
        if self.every.0 <= 0 || self.length.0 <= 0 {
            return Err(TrainingError::Definition("a backtest needs spans above 0".to_owned()));
        }
        let starts = std::iter::successors(Some(first), |start| Some(start.after(self.every)));
        let starts: Vec<Timestamp> =
            starts.take_while(|start| start.after(self.length) <= self.now).collect();
        if starts.is_empty() {
            let why = format!("no period of {} lies between {first} and {}", self.length, self.now);
            return Err(TrainingError::Definition(why));
        }
        Ok(starts)
    }

    fn training(&self, now: Timestamp) -> TrainRequest<'_> {
        TrainRequest {
            project: self.project,
            model: self.model,
            history: self.history,
            seed: self.seed,
            threads: self.threads,
            now,
            champion: None,
            progress: &Silent,
        }
    }

    fn learn(&self, now: Timestamp) -> Result<Artifact, TrainingError> {
        self.progress.message(&format!("learning from what was known on {now}"));
        Ok(crate::train(self.training(now))?.artifact)
    }

    fn told(
        &self,
        artifact: &Artifact,
        period: &Period,
        by: Option<&FeatureName>,
    ) -> Result<Forecast, TrainingError> {
        forecast(&self.asked(artifact, period, by, period.from))
    }

    /// What was won in the period, by group, as is known now: of deals that were open when it began, and of others.
    fn came(
        &self,
        period: &Period,
        by: Option<&FeatureName>,
        (win, spec): (&WinSpec, &ForecastSpec),
        artifact: &Artifact,
    ) -> Result<BTreeMap<Option<String>, [f64; 2]>, TrainingError> {
        let book = Book::read_past(&self.asked(artifact, period, by, self.now), win, spec)?;
        let mut came = vec![[0.0; 2]; book.groups.len()];
        for deal in &book.past {
            came[deal.group][usize::from(deal.appeared > period.from)] += deal.amount;
        }
        Ok(book.groups.into_iter().zip(came).collect())
    }

    fn asked<'r>(
        &'r self,
        artifact: &'r Artifact,
        period: &'r Period,
        by: Option<&'r FeatureName>,
        as_of: Timestamp,
    ) -> ForecastRequest<'r> {
        let everyone: &(dyn Fn(&EntityKey) -> bool + Sync) = &|_| true;
        ForecastRequest {
            project: self.project,
            model: self.model,
            artifact,
            history: self.history,
            as_of,
            period,
            by,
            seen: everyone,
            seed: self.seed,
            progress: &Silent,
        }
    }
}

impl Checked {
    fn of(line: &Line, from: Timestamp, came: [f64; 2], random: f64) -> Self {
        let actual = came[0] + came[1];
        // Amounts are sums of floats in another order.
        let near = 1e-9 * actual.abs().max(1.0);
        let below = line.drawn.partition_point(|drawn| *drawn < actual - near) as f64;
        let up_to = line.drawn.partition_point(|drawn| *drawn <= actual + near) as f64;
        let rank = (below + random * (up_to - below)) / line.drawn.len().max(1) as f64;
        let (group, p10, p50, p90) = (line.group.clone(), line.p10, line.p50, line.p90);
        let (open, new) = ([line.from_open, came[0]], [line.from_new, came[1]]);
        Self { from, group, p10, p50, p90, actual, open, new, rank }
    }
}

impl Summary {
    fn of(checked: &[Checked]) -> Self {
        let held = checked.iter().filter(|one| (ENDS[0]..=ENDS[1]).contains(&one.rank)).count();
        let level = |of: fn(&Checked) -> [f64; 2]| {
            let sum = |part: usize| checked.iter().map(|one| of(one)[part]).sum::<f64>();
            sum(1) / sum(0).max(f64::MIN_POSITIVE)
        };
        Self {
            forecasts: checked.len(),
            coverage: held as f64 / checked.len().max(1) as f64,
            level: level(|one| [one.p50, one.actual]),
            open: level(|one| one.open),
            new: level(|one| one.new),
        }
    }
}
