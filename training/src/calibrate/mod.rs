//! From raw scores to honest probabilities, fitted to scores of rows that were not learnt from.
//!
//! [`calibrate`] chooses among identity, Platt, beta and isotonic maps, and with time also how fast rows lose
//! their weight, by the loss on rows that a map was not fitted to: the next block of time when the data has
//! time, other entities when it has not. [`support`] says how sure a probability can be.

mod maps;

use rustc_hash::FxHashSet;
use scorehouse_features::definition::Prior;
use scorehouse_features::time::{DAY, Timestamp};
use scorehouse_models::{Calibration, Scale};

use crate::metric::{clear_gain, loss_of_raw, own_level};
use maps::{Kind, Seen, fit};

/// Parts, dealt by entity, in which a map is fitted on others and judged on this; and blocks of time.
const PARTS: usize = 10;
const BLOCKS: usize = 5;
/// Rows of the rarer kind below which only the two-parameter map is tried.
const FEW: usize = 200;
/// Rows of the rarer kind below which isotonic regression is not tried.
const MANY: usize = 1000;
/// Half-lives tried, as shares of the time that the rows span.
const HALF_LIVES: [f64; 2] = [0.5, 0.25];

/// Probabilities nearer to 0 or 1 are taken to be this near, as in [`crate::metric::log_loss`].
const SURE: f64 = 1e-15;

/// Scores of rows by models that did not see them, beside what happened.
#[derive(Debug, Clone, Copy)]
pub struct Outcomes<'a> {
    /// Log-odds.
    pub raw: &'a [f64],
    /// 1 where it happened, else 0.
    pub label: &'a [f64],
    /// Rows of the same entity share a number.
    pub group: Option<&'a [u32]>,
    /// When each row was looked at, when its score is by a model that knew only what came before.
    pub time: Option<Course<'a>>,
}

/// When rows were looked at, and since when their outcomes are known.
#[derive(Debug, Clone, Copy)]
pub struct Course<'a> {
    /// The moment of each row.
    pub as_of: &'a [Timestamp],
    /// The moment from which its outcome is known.
    pub known_at: &'a [Timestamp],
}

/// A chosen map.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibrated {
    /// The map.
    pub map: Calibration,
    /// Its loss, in nats, on rows that it was not fitted to; blocks of time each at a level of their own.
    pub loss: f64,
    /// Its kind: `identity`, `platt`, `beta` or `isotonic`.
    pub kind: &'static str,
    /// Days over which a row came to count half; none: all rows counted alike.
    pub half_life: Option<f64>,
}

impl Calibrated {
    /// Rates that were given to everybody are taken as they are.
    #[must_use]
    pub fn of_rates(outcomes: Outcomes<'_>) -> Self {
        let recipe = Recipe { kind: Kind::Identity, half_life: None };
        // On the same rows as maps are judged by, so that the two can be compared.
        let loss = outcomes.compared(recipe, &outcomes.parts(), Prior::default());
        Self { map: Calibration::Identity, loss, kind: Kind::Identity.name(), half_life: None }
    }
}

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Recipe {
    kind: Kind,
    half_life: Option<f64>,
}

/// Fits the map with the least loss on rows that it was not fitted to, the simplest of equals. With time, a map or
/// an age by which rows count takes the place of a simpler one only where every later block, and there must be two of
/// them, is better for it: what one season shows need not last. The prior takes part as the rows it stands for,
/// spread over all scores.
#[must_use]
pub fn calibrate(outcomes: Outcomes<'_>, prior: Prior) -> Calibrated {
    let parts = outcomes.parts();
    let mut best: Option<(Recipe, Vec<Losses>)> = None;
    for recipe in outcomes.recipes() {
        let losses = outcomes.losses(recipe, &parts, prior);
        let better = |(_, least): &(Recipe, Vec<Losses>)| match outcomes.time {
            Some(_) => lasts(&losses, least),
            None => total(&losses) < total(least),
        };
        if best.as_ref().is_none_or(better) {
            best = Some((recipe, losses));
        }
    }
    let recipe = best.as_ref().map_or(Recipe { kind: Kind::Platt, half_life: None }, |(recipe, _)| *recipe);
    let loss = outcomes.compared(recipe, &parts, prior);
    let all: Vec<usize> = (0..outcomes.raw.len()).collect();
    let map = fit(recipe.kind, &outcomes.seen(&all, recipe.half_life, prior));
    Calibrated { map, loss, kind: recipe.kind.name(), half_life: recipe.half_life }
}

/// True when what is `new` loses less than what is `old` in each of two or more blocks, and clearly so in all.
fn lasts(new: &[Losses], old: &[Losses]) -> bool {
    let gains = old.iter().zip(new).map(|(old, new)| old.iter().zip(new).map(|(old, new)| old - new));
    let every = gains.clone().all(|block| block.sum::<f64>() > 0.0);
    new.len() >= 2 && every && clear_gain(&gains.flatten().collect::<Vec<f64>>()).is_some()
}

/// What a map loses on each row of one part.
type Losses = Vec<f64>;

/// The mean loss over all parts' rows.
fn total(losses: &[Losses]) -> f64 {
    let rows: usize = losses.iter().map(Vec::len).sum();
    losses.iter().flatten().sum::<f64>() / rows.max(1) as f64
}

/// Rows to fit a map on, and rows to judge it by.
type Judged = (Vec<usize>, Vec<usize>);

impl Outcomes<'_> {
    fn recipes(&self) -> Vec<Recipe> {
        let with = self.label.iter().filter(|y| **y > 0.5).count();
        let rarer = with.min(self.label.len() - with);
        let kinds: &[Kind] = match rarer {
            ..FEW => &[Kind::Platt],
            FEW..MANY => &[Kind::Identity, Kind::Platt, Kind::Beta],
            _ => &[Kind::Identity, Kind::Platt, Kind::Beta, Kind::Isotonic],
        };
        let days = self.span().filter(|_| rarer >= FEW);
        let half_lives = days.into_iter().flat_map(|days| HALF_LIVES.map(|share| Some(share * days)));
        let recipe = |half_life: Option<f64>| {
            // An identity has nothing to weigh.
            let fitted = kinds.iter().filter(move |kind| **kind != Kind::Identity || half_life.is_none());
            fitted.map(move |kind| Recipe { kind: *kind, half_life })
        };
        std::iter::once(None).chain(half_lives).flat_map(recipe).collect()
    }

    /// Days between the first and the last row.
    fn span(&self) -> Option<f64> {
        let as_of = self.time?.as_of;
        let days = as_of.iter().max()?.days_since(*as_of.iter().min()?);
        (days > 0.0).then_some(days)
    }

    fn parts(&self) -> Vec<Judged> {
        self.time.map_or_else(|| self.dealt(), |course| self.forward(course))
    }

    /// The later blocks of time, each judged by what was known before it: they are most like what comes next.
    fn forward(&self, Course { as_of, known_at }: Course<'_>) -> Vec<Judged> {
        let mut moments = as_of.to_vec();
        moments.sort_unstable();
        let mut cuts: Vec<Timestamp> = (BLOCKS / 2..BLOCKS)
            .filter_map(|block| moments.get(block * moments.len() / BLOCKS))
            .copied()
            .collect();
        cuts.dedup();
        let ends = cuts.iter().skip(1).copied().chain([Timestamp::MAX]);
        let part = |(from, until): (&Timestamp, Timestamp)| -> Judged {
            let rows = 0..as_of.len();
            let known = rows.clone().filter(|row| as_of[*row] < *from && known_at[*row] < *from);
            let asked = rows.filter(|row| as_of[*row] >= *from && as_of[*row] < until);
            (known.collect(), asked.collect())
        };
        let parts = cuts.iter().zip(ends).map(part);
        let parts: Vec<Judged> = parts.filter(|part| part.0.len() >= FEW && !part.1.is_empty()).collect();
        // Where nothing was known before any block, all rows tell what the simplest map loses.
        if parts.is_empty() { vec![(Vec::new(), (0..as_of.len()).collect())] } else { parts }
    }

    fn dealt(&self) -> Vec<Judged> {
        let unit = |row: usize| self.group.map_or(row as u32, |group| group[row]);
        // Spread by multiplication (Knuth): neighbours fall into different parts.
        let part = |row: usize| (unit(row).wrapping_mul(2_654_435_761) >> 16) as usize % PARTS;
        let rows = 0..self.raw.len();
        (0..PARTS).map(|judged| rows.clone().partition(|row| part(*row) != judged)).collect()
    }

    fn losses(&self, recipe: Recipe, parts: &[Judged], prior: Prior) -> Vec<Losses> {
        let losses = |(raw, label): (Vec<f64>, Vec<f64>)| {
            raw.iter().zip(label).map(|(raw, label)| loss_of_raw(*raw, label)).collect()
        };
        parts.iter().map(|part| losses(self.mapped(recipe, part, prior))).collect()
    }

    /// The loss by which learners are compared. Blocks of time are judged at a level of their own: how often it
    /// happened in one season says nothing about who tells better to whom.
    fn compared(&self, recipe: Recipe, parts: &[Judged], prior: Prior) -> f64 {
        let levelled = |part: &Judged| -> Losses {
            let (raw, label) = self.mapped(recipe, part, prior);
            let level = self.time.map_or(0.0, |_| own_level(&raw, &label));
            raw.iter().zip(label).map(|(raw, label)| loss_of_raw(raw + level, label)).collect()
        };
        total(&parts.iter().map(levelled).collect::<Vec<_>>())
    }

    /// Log-odds of the judged rows by the map of the others, beside what happened.
    fn mapped(&self, recipe: Recipe, (learn, judge): &Judged, prior: Prior) -> (Vec<f64>, Vec<f64>) {
        let map = fit(recipe.kind, &self.seen(learn, recipe.half_life, prior));
        let one = |row: &usize| {
            let p = map.apply(self.raw[*row], Scale::LogOdds).get().clamp(SURE, 1.0 - SURE);
            ((p / (1.0 - p)).ln(), self.label[*row])
        };
        judge.iter().map(one).unzip()
    }

    /// Rows with their weights; every one also bears its share of the prior's rows.
    fn seen(&self, rows: &[usize], half_life: Option<f64>, prior: Prior) -> Vec<Seen> {
        let weight = self.weights(rows, half_life);
        let stated = prior.rows / rows.len().max(1) as f64;
        let one = |(row, weight): (&usize, f64)| Seen {
            raw: self.raw[*row],
            label: (weight * self.label[*row] + stated * prior.rate) / (weight + stated),
            weight: weight + stated,
        };
        rows.iter().zip(weight).map(one).collect()
    }

    /// Weights that halve every `half_life` days before the latest of `rows`; 1 without it.
    fn weights(&self, rows: &[usize], half_life: Option<f64>) -> Vec<f64> {
        let (Some(days), Some(Course { as_of, .. })) = (half_life, self.time) else {
            return vec![1.0; rows.len()];
        };
        let latest = rows.iter().map(|row| as_of[*row]).max().unwrap_or_default();
        let age = |row: &usize| latest.0.saturating_sub(as_of[*row].0) as f64 / DAY as f64;
        rows.iter().map(|row| (-age(row) / days).exp2()).collect()
    }
}

/// Bands of scores in which outcomes are counted, at most, and entities in a band, at least.
const BANDS: usize = 15;
const IN_A_BAND: usize = 50;

/// How many outcomes stand behind one probability: the entities whose scores fall into the same of up to 15 bands
/// of equal count (fewer when a band would hold less than 50), and the prior's rows. The interval of a score is
/// that of a rate seen on as many rows.
#[must_use]
pub fn support(outcomes: Outcomes<'_>, prior: Prior) -> f64 {
    let entities = match outcomes.group {
        Some(group) => group.iter().collect::<FxHashSet<_>>().len(),
        None => outcomes.raw.len(),
    };
    let bands = (entities / IN_A_BAND).clamp(1, BANDS);
    entities as f64 / bands as f64 + prior.rows
}

#[cfg(test)]
mod parity;
#[cfg(test)]
mod tests;
