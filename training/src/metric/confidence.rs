//! How sure a metric is: bootstrap intervals, and what perfection would measure on as many rows.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::metric::calibration::ece_in;
use crate::metric::classification::ascending;
use crate::metric::evaluation::Estimate;

/// Rows to measure on.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// Probabilities.
    pub probability: &'a [f64],
    /// Outcomes, 0 or 1.
    pub label: &'a [f64],
    /// Rows of one entity share a number and are drawn together.
    pub group: Option<&'a [u32]>,
}

/// Figures of probabilities and outcomes, always as many and in the same order.
pub type Measure = fn(&[f64], &[f64]) -> Vec<f64>;

/// Figures on all rows with 95 % percentile-bootstrap intervals (Efron 1979) from `resamples` draws; whole
/// groups are drawn when there are any. Draws in which a figure is undefined do not count for it.
#[must_use]
pub fn bootstrap(sample: Sample<'_>, measure: Measure, resamples: usize, seed: u64) -> Vec<Estimate> {
    let members = members_of(sample);
    let draws: Vec<Vec<f64>> = (0..resamples)
        .into_par_iter()
        .map(|draw| {
            let (p, y) = resample(sample, &members, stream(seed, draw as u64));
            measure(&p, &y)
        })
        .collect();
    let estimate = |(index, value): (usize, f64)| {
        let drawn = draws.iter().filter_map(|draw| draw.get(index).copied());
        let mut values: Vec<f64> = drawn.filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let (low, high) = match values.len() {
            0 => (value, value),
            _ => (quantile(&values, 0.025), quantile(&values, 0.975)),
        };
        Estimate { value, low, high }
    };
    measure(sample.probability, sample.label).into_iter().enumerate().map(estimate).collect()
}

/// The expected calibration error that a perfectly calibrated forecaster with these very probabilities stays
/// below in 95 of 100 sets of outcomes. Measured error below this says nothing against a model.
///
/// Rows draw their outcomes independently; but where every entity has one outcome in all its rows, as a deal looked
/// at several times has, an entity's rows draw theirs together.
#[must_use]
pub fn perfect_ece(sample: Sample<'_>, bins: usize, draws: usize, seed: u64) -> f64 {
    let shared = shared_outcomes(sample);
    let order = ascending(sample.probability);
    let mut values: Vec<f64> = (0..draws.max(1))
        .into_par_iter()
        .map(|draw| {
            let mut rng = stream(seed ^ 0x5eed_0ece, draw as u64);
            let label: Vec<f64> = match &shared {
                None => sample.probability.iter().map(|p| happens(rng.random(), *p)).collect(),
                Some((unit, units)) => {
                    let fates: Vec<f64> = (0..*units).map(|_| rng.random()).collect();
                    let fate = |(p, unit): (&f64, &usize)| happens(fates[*unit], *p);
                    sample.probability.iter().zip(unit).map(fate).collect()
                }
            };
            ece_in(&order, sample.probability, &label, bins)
        })
        .collect();
    values.sort_by(f64::total_cmp);
    quantile(&values, 0.95)
}

fn happens(fate: f64, probability: f64) -> f64 {
    f64::from(u8::from(fate < probability))
}

/// The entity of each row, counted from 0, and their number, when entities repeat and each has one outcome.
fn shared_outcomes(sample: Sample<'_>) -> Option<(Vec<usize>, usize)> {
    let groups = sample.group?;
    let mut index: rustc_hash::FxHashMap<u32, (usize, f64)> = rustc_hash::FxHashMap::default();
    let mut unit = Vec::with_capacity(groups.len());
    for (group, label) in groups.iter().zip(sample.label) {
        let next = index.len();
        let (at, outcome) = *index.entry(*group).or_insert((next, *label));
        if outcome != *label {
            return None;
        }
        unit.push(at);
    }
    (index.len() < groups.len()).then_some((unit, index.len()))
}

/// A generator of its own for each draw, so that the order in which threads work does not matter.
fn stream(seed: u64, draw: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(draw);
    rng
}

fn members_of(sample: Sample<'_>) -> Option<Vec<Vec<u32>>> {
    let groups = sample.group?;
    let mut index: rustc_hash::FxHashMap<u32, usize> = rustc_hash::FxHashMap::default();
    let mut members: Vec<Vec<u32>> = Vec::new();
    for (row, group) in groups.iter().enumerate() {
        let slot = *index.entry(*group).or_insert_with(|| {
            members.push(Vec::new());
            members.len() - 1
        });
        members[slot].push(row as u32);
    }
    Some(members)
}

fn resample(
    sample: Sample<'_>,
    members: &Option<Vec<Vec<u32>>>,
    mut rng: ChaCha8Rng,
) -> (Vec<f64>, Vec<f64>) {
    let rows = sample.label.len();
    let (mut p, mut y) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let mut take = |row: usize| {
        p.push(sample.probability[row]);
        y.push(sample.label[row]);
    };
    match members {
        None => (0..rows).for_each(|_| take(rng.random_range(0..rows))),
        Some(groups) => {
            for _ in 0..groups.len() {
                groups[rng.random_range(0..groups.len())].iter().for_each(|row| take(*row as usize));
            }
        }
    }
    (p, y)
}

/// The mean of row-by-row gains when it is more than chance gives once in twenty times, else none.
#[must_use]
pub(crate) fn clear_gain(gains: &[f64]) -> Option<f64> {
    /// The 95 % point of the normal distribution.
    const CLEARLY: f64 = 1.645;
    let count = gains.len().max(2) as f64;
    let mean = gains.iter().sum::<f64>() / count;
    let variance = gains.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (count - 1.0);
    (mean > CLEARLY * (variance / count).sqrt()).then_some(mean)
}

/// Linear interpolation between order statistics of ascending values.
pub(crate) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len().saturating_sub(1)) as f64;
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * (at - at.floor())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::classification::brier;

    fn briers(p: &[f64], y: &[f64]) -> Vec<f64> {
        vec![brier(p, y)]
    }

    #[test]
    fn a_gain_is_clear_when_it_is_more_than_chance() {
        let gains = |mean: f64| (0..400).map(|i| mean + f64::from(i % 2) - 0.5).collect::<Vec<_>>();
        assert_eq!(clear_gain(&gains(0.03)), None);
        assert!((clear_gain(&gains(0.06)).unwrap() - 0.06).abs() < 1e-12);
        assert_eq!((clear_gain(&[]), clear_gain(&gains(-1.0))), (None, None));
    }

    #[test]
    fn a_bootstrap_interval_holds_the_value_and_narrows_with_rows() {
        let make = |rows: usize| -> (Vec<f64>, Vec<f64>) {
            (0..rows).map(|i| ((i % 10) as f64 / 10.0, f64::from(u8::from(i % 3 == 0)))).unzip()
        };
        let width = |rows| {
            let (p, y) = make(rows);
            let e = bootstrap(Sample { probability: &p, label: &y, group: None }, briers, 200, 7)[0];
            assert!(e.low <= e.value && e.value <= e.high);
            e.high - e.low
        };
        assert!(width(4000) < width(200) / 2.0);
    }

    #[test]
    fn repeated_rows_of_one_entity_do_not_narrow_a_grouped_interval() {
        let (p, y): (Vec<f64>, Vec<f64>) =
            (0..100).map(|i| (f64::from(i) / 100.0, f64::from(u8::from(i % 2 == 0)))).unzip();
        let once = bootstrap(Sample { probability: &p, label: &y, group: None }, briers, 300, 1)[0];
        let (p10, y10) = (p.repeat(10), y.repeat(10));
        let groups: Vec<u32> = (0..1000).map(|row| row % 100).collect();
        let grouped =
            bootstrap(Sample { probability: &p10, label: &y10, group: Some(&groups) }, briers, 300, 1)[0];
        assert!((grouped.high - grouped.low) > 0.8 * (once.high - once.low));
    }

    fn alone(probability: &[f64]) -> Sample<'_> {
        Sample { probability, label: probability, group: None }
    }

    #[test]
    fn perfection_measures_more_error_on_fewer_rows() {
        let p: Vec<f64> = (0..2000).map(|i| f64::from(i) / 2000.0).collect();
        assert!(perfect_ece(alone(&p), 15, 100, 3) < perfect_ece(alone(&p[..200]), 15, 100, 3));
    }

    #[test]
    fn rows_that_share_an_outcome_measure_like_fewer_rows() {
        let p: Vec<f64> = (0..2000).map(|i| f64::from(i % 400) / 400.0).collect();
        let label: Vec<f64> = (0..2000).map(|i| f64::from(i % 400 % 2)).collect();
        let group: Vec<u32> = (0..2000).map(|i| i % 400).collect();
        let of =
            |label: &[f64]| perfect_ece(Sample { probability: &p, label, group: Some(&group) }, 15, 200, 3);
        let once = perfect_ece(alone(&p[..400]), 15, 200, 3);
        assert!((of(&label) - once).abs() < 0.01, "{} {once}", of(&label));
        // Entities whose rows differ do not share one outcome.
        let mixed: Vec<f64> = (0..2000).map(|i| f64::from(u8::from(i < 400))).collect();
        assert!(of(&mixed) < 0.7 * once);
    }
}
