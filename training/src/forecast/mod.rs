//! What open deals come to: the amount won in a period, by simulation.
//!
//! In the order of the work: the period ([`period`]); every deal as it was known at a moment (`book`, `sheet`); how
//! forecasts of open deals came out of late (`standing`); deals yet to come, from those that came before (`newcomers`,
//! `pace`, by group `shares` and `credibility`); how far both would have been off (`level`); drawing all of it many times (`draws`); what it is held against
//! (`plan`); and whether past forecasts were right ([`backtest`]). `docs/decisions/forecast.md` says why it is so.

mod backtest;
mod book;
mod credibility;
mod draws;
mod level;
mod newcomers;
mod pace;
mod period;
mod plan;
mod shares;
mod sheet;
mod standing;

use scorehouse_features::definition::{ForecastSpec, Pipeline, Project, WinSpec};
use scorehouse_features::ids::{EntityKey, FeatureName, ModelName};
use scorehouse_features::time::Timestamp;
use scorehouse_models::Artifact;
use serde::{Deserialize, Serialize};

pub use backtest::{Backtest, BacktestRequest, Checked, Summary, backtest};
pub use period::Period;

use crate::error::TrainingError;
use crate::history::History;
use crate::progress::Progress;
use book::Book;
use draws::{Drawn, Draws};
use level::Level;
use newcomers::Newcomers;
use standing::Standing;

/// What is to be forecast.
#[derive(Clone, Copy)]
pub struct ForecastRequest<'a> {
    /// The checked project.
    pub project: &'a Project,
    /// A model of pipeline `win` whose section says what deals are worth.
    pub model: &'a ModelName,
    /// The version that judges them.
    pub artifact: &'a Artifact,
    /// Where rows and features are read.
    pub history: &'a dyn History,
    /// The moment whose knowledge counts.
    pub as_of: Timestamp,
    /// The time in which a win counts.
    pub period: &'a Period,
    /// A feature by which deals are told apart; none: only the total.
    pub by: Option<&'a FeatureName>,
    /// Which deals count: those that whoever asks may see.
    pub seen: &'a (dyn Fn(&EntityKey) -> bool + Sync),
    /// Seed of the draws; the same request gives the same answer.
    pub seed: u64,
    /// Who is told of the progress.
    pub progress: &'a dyn Progress,
}

/// The amount won in a period, as far as it can be told at a moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// The moment whose knowledge counted.
    pub as_of: Timestamp,
    /// The time in which a win counts.
    pub period: Period,
    /// Wins of open deals of late for each that the version would have expected: those that are open now are told by as
    /// much more or less; 1 where nothing was tried.
    pub level: f64,
    /// How much deals of the same time hang together: the correlation of what decides them, 0 to 0.5.
    pub correlation: f64,
    /// How often it was drawn.
    pub draws: usize,
    /// Open deals without an amount; they count nothing.
    pub without_amount: usize,
    /// All deals.
    pub total: Line,
    /// The deals of each value of the feature asked for, the greatest first.
    pub groups: Vec<Line>,
}

/// What some deals come to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Line {
    /// The value they share; none for all deals, and for those without a value.
    pub group: Option<String>,
    /// Already won in the period.
    pub won: f64,
    /// Number of deals that are open.
    pub open_deals: usize,
    /// What they are worth together, if all were won.
    pub open_amount: f64,
    /// What is won of the deals that are open, on average.
    pub from_open: f64,
    /// What is won of deals that are yet to come, on average.
    pub from_new: f64,
    /// The whole, already won included, on average.
    pub mean: f64,
    /// One time in ten it is less.
    pub p10: f64,
    /// As often less as more.
    pub p50: f64,
    /// One time in ten it is more.
    pub p90: f64,
    /// What was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    /// What was promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<f64>,
    /// The probability that the target is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaches_target: Option<f64>,
    /// The probability that what was promised is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaches_commit: Option<f64>,
    /// Every draw, ascending.
    #[serde(skip)]
    pub(crate) drawn: Vec<f64>,
}

/// Forecasts the amount won in a period.
///
/// # Errors
/// [`TrainingError::UnknownModel`] and [`TrainingError::Definition`] for a model that forecasts nothing, an unknown
/// feature, and a version that does not know when deals end; what the history reports.
pub fn forecast(request: &ForecastRequest<'_>) -> Result<Forecast, TrainingError> {
    let (win, spec) = specs(request.project, request.model)?;
    request.progress.stage("reading deals", 0);
    let book = Book::read(request, win, spec)?;
    let newcomers = Newcomers::of(&book, request.as_of, request.period);
    request.progress.stage("drawing what they come to", 0);
    let level = Level::of(&book.tries);
    let standing = Standing::of(&book.open, level);
    let drawn = Draws { book: &book, newcomers: &newcomers, standing, seed: request.seed }.draw();
    let mut lines = lines(&book, drawn);
    plan::hold_against(request, spec, &book, &mut lines)?;
    let total = lines.pop().unwrap_or_default();
    lines.sort_by(|a, b| b.mean.total_cmp(&a.mean).then_with(|| a.group.cmp(&b.group)));
    let draws = total.drawn.len();
    Ok(Forecast {
        as_of: request.as_of,
        period: request.period.clone(),
        level: level.factor,
        correlation: standing.correlation,
        draws,
        without_amount: book.without_amount,
        total,
        groups: if request.by.is_some() { lines } else { Vec::new() },
    })
}

/// The model's section, and what it says of amounts.
fn specs<'a>(
    project: &'a Project,
    model: &ModelName,
) -> Result<(&'a WinSpec, &'a ForecastSpec), TrainingError> {
    let Some(declared) = project.models.get(model) else {
        let known = project.models.keys().cloned().collect();
        return Err(TrainingError::UnknownModel { name: model.clone(), known });
    };
    let refuse = |why: &str| Err(TrainingError::Definition(format!("no forecast for {model}: {why}")));
    let Pipeline::Win(win) = &declared.pipeline else {
        return refuse("only models of pipeline \"win\" do");
    };
    match &win.forecast {
        Some(forecast) => Ok((win, forecast)),
        None => refuse(&format!(
            "the project file does not say what a deal is worth; add [model.{model}.forecast] with `amount`"
        )),
    }
}

/// A line for each group, and last the total.
fn lines(book: &Book, drawn: Vec<Drawn>) -> Vec<Line> {
    let names = book.groups.iter().cloned().chain([None]);
    let last = book.groups.len();
    let mut lines: Vec<Line> = names.zip(drawn).map(|(group, drawn)| Line::of(group, drawn)).collect();
    for open in &book.open {
        for at in [open.group, last] {
            lines[at].open_deals += 1;
            lines[at].open_amount += open.amount;
        }
    }
    lines
}

impl Line {
    fn of(group: Option<String>, drawn: Drawn) -> Self {
        let Drawn { won, from_open, from_new, mut sums } = drawn;
        sums.sort_unstable_by(f64::total_cmp);
        let mean = sums.iter().sum::<f64>() / sums.len().max(1) as f64;
        let at = |share: f64| {
            let place = share * (sums.len().max(1) - 1) as f64;
            let (below, rest) = (place.floor() as usize, place.fract());
            let value = |at: usize| sums.get(at).or(sums.last()).copied().unwrap_or(won);
            value(below) + rest * (value(below + 1) - value(below))
        };
        let (p10, p50, p90) = (at(0.1), at(0.5), at(0.9));
        Self { group, won, from_open, from_new, mean, p10, p50, p90, drawn: sums, ..Self::default() }
    }

    /// Share of the draws that reach an amount.
    fn reaches(&self, amount: f64) -> f64 {
        let below = self.drawn.partition_point(|drawn| *drawn < amount);
        1.0 - below as f64 / self.drawn.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests;
