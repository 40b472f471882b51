//! Numbers whose neighbours have nothing to do with them.
//!
//! What is measured changes by degrees: customers of 23 and of 24 months leave about equally often. A number of days
//! that was counted up to the end of a deal does not: deals are closed in batches, and every batch leaves its
//! own rate at its own number. Codes of categories look alike, but they are neither as close nor as even.

use crate::leak::odds::{Count, percent};
use crate::leak::view::{View, Views, short};
use crate::leak::{Found, LeakSign};

/// Different whole numbers needed, and the share of the range that they must cover.
const NUMBERS: usize = 20;
const COVERED: f64 = 0.9;
/// Share of the rows at either end that is not looked at.
const END: f64 = 0.025;
/// Typical difference between the logarithms of neighbouring counts above which it is a code.
const UNEVEN: f64 = 0.7;
/// Rows a number needs.
const ROWS: f64 = 20.0;
/// Neighbours on each side that a number is compared with.
const REACH: usize = 4;
/// Standard deviation of the log-odds around the neighbours' (chance taken off) from which numbers are stamps.
const ROUGH: f64 = 0.5;
/// Standard errors above chance.
const SURE: f64 = 8.0;

pub(super) fn find(views: &Views<'_>, found: &mut Found) {
    for (at, view) in views.columns.iter().enumerate() {
        if let Some(detail) = stamped(views, view) {
            found.entry(at).or_default().push(LeakSign::Stamped { detail });
        }
    }
}

fn stamped(views: &Views<'_>, view: &View<'_>) -> Option<String> {
    let grid = grid(views, view.numbers.as_ref()?)?;
    let Roughness { spread, sure } = roughness(&grid, views.independent);
    if spread < ROUGH || !sure {
        return None;
    }
    let (low, high) = extremes(&grid)?;
    Some(format!(
        "each number has a rate of its own, whatever its neighbours have, as a stamp of the end has or a code: {} of the rows at {} have the outcome, {} at {}",
        percent(low.1.rate()),
        short(low.0),
        percent(high.1.rate()),
        short(high.0)
    ))
}

/// Rows and outcomes of each whole number in the bulk of a column that is a measurement by its looks.
fn grid(views: &Views<'_>, numbers: &[f64]) -> Option<Vec<(f64, Count)>> {
    let mut sorted: Vec<(f64, f64)> =
        numbers.iter().zip(&views.label).filter(|(x, _)| !x.is_nan()).map(|(x, y)| (*x, *y)).collect();
    if sorted.len() < NUMBERS * ROWS as usize || sorted.iter().any(|(x, _)| x.fract() != 0.0) {
        return None;
    }
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let end = (END * sorted.len() as f64) as usize;
    let bulk = &sorted[end..sorted.len() - end];
    let runs: Vec<(f64, Count)> = bulk
        .chunk_by(|a, b| a.0 == b.0)
        .map(|run| {
            let mut count = Count::default();
            run.iter().for_each(|(_, y)| count.add(*y));
            (run[0].0, count)
        })
        .collect();
    let range = runs.last()?.0 - runs.first()?.0 + 1.0;
    let close = runs.len() >= NUMBERS && runs.len() as f64 >= COVERED * range;
    (close && even(&runs)).then(|| runs.into_iter().filter(|run| run.1.rows >= ROWS).collect())
}

fn even(runs: &[(f64, Count)]) -> bool {
    let mut steps: Vec<f64> = runs.windows(2).map(|two| (two[0].1.rows / two[1].1.rows).ln().abs()).collect();
    steps.sort_by(f64::total_cmp);
    steps.get(steps.len() / 2).is_some_and(|middle| *middle <= UNEVEN)
}

struct Roughness {
    /// Standard deviation of the log-odds around those of the neighbours, chance taken off.
    spread: f64,
    /// True when chance alone would not do.
    sure: bool,
}

fn roughness(grid: &[(f64, Count)], independent: f64) -> Roughness {
    let (mut excess, mut scale, mut chi, mut terms) = (0.0, 0.0, 0.0, 0.0);
    for at in 0..grid.len() {
        let around =
            (at.saturating_sub(REACH)..(at + REACH + 1).min(grid.len())).filter(|other| *other != at);
        let around = around.map(|other| grid[other].1).fold(Count::default(), Count::and);
        let own = grid[at].1;
        let rate = (around.with + 0.5) / (around.rows + 1.0);
        // Variance of the difference by chance; rows that are not independent vary more together.
        let chance = own.rows * rate * (1.0 - rate) * (1.0 + own.rows / around.rows.max(1.0)) / independent;
        let square = (own.with - own.rows * rate).powi(2);
        excess += square - chance;
        scale += (own.rows * rate * (1.0 - rate)).powi(2);
        chi += square / chance;
        terms += 1.0;
    }
    let spread = (excess / f64::max(scale, 1e-9)).max(0.0).sqrt();
    Roughness { spread, sure: terms >= NUMBERS as f64 / 2.0 && chi - terms > SURE * f64::sqrt(2.0 * terms) }
}

/// Of the frequent numbers, those with the lowest and the highest rate.
fn extremes(grid: &[(f64, Count)]) -> Option<((f64, Count), (f64, Count))> {
    let mut rows: Vec<f64> = grid.iter().map(|run| run.1.rows).collect();
    rows.sort_by(f64::total_cmp);
    let usual = *rows.get(rows.len() / 2)?;
    let frequent = || grid.iter().filter(|run| run.1.rows >= usual).copied();
    let by_rate = |a: &(f64, Count), b: &(f64, Count)| a.1.rate().total_cmp(&b.1.rate());
    Some((frequent().min_by(by_rate)?, frequent().max_by(by_rate)?))
}
