//! Two models on the same rows: the difference of their losses, with its interval, in words.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::metric::{Estimate, quantile};

/// Bootstrap draws.
const DRAWS: usize = 1000;
/// Rows, and rows of either outcome, below which nothing is said.
const ROWS: usize = 40;
const EITHER: usize = 8;

/// How a new model did beside what it would replace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What it was compared with: the champion by its version, or the rate of the outcome.
    pub against: String,
    /// Rows on which both were measured.
    pub rows: usize,
    /// Mean difference of the log loss on these rows in nats, new less other, with the 95 % interval of a paired
    /// bootstrap that draws whole entities; below 0 the new one is better. None when it could not be measured.
    pub difference: Option<Estimate>,
    /// What that says.
    pub verdict: Verdict,
    /// All of it in a sentence.
    pub words: String,
}

/// Which of two models is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The whole interval is on the new model's side.
    Better,
    /// The interval holds zero.
    Alike,
    /// The whole interval is on the other's side.
    Worse,
    /// They could not be compared, or not fairly.
    NotCompared,
}

/// Two models' probabilities of the same rows.
#[derive(Debug, Clone, Copy)]
pub struct Paired<'a> {
    /// The new model's, row by row.
    pub new: &'a [f64],
    /// The other's.
    pub other: &'a [f64],
    /// 1 where the outcome happened, else 0.
    pub label: &'a [f64],
    /// Rows of one entity share a number and are drawn together.
    pub group: Option<&'a [u32]>,
    /// What the other is called.
    pub against: &'a str,
    /// What the rows are, in words: "the 120 latest rows".
    pub on: &'a str,
    /// Seed of the draws.
    pub seed: u64,
}

impl Comparison {
    /// When there is nothing to say but why.
    pub(crate) fn not_made(against: &str, why: String) -> Self {
        let verdict = Verdict::NotCompared;
        Self { against: against.to_owned(), rows: 0, difference: None, verdict, words: why }
    }
}

/// Compares by the mean difference of the log losses (paired bootstrap, Efron and Tibshirani 1993).
#[must_use]
pub fn compare(paired: Paired<'_>) -> Comparison {
    let rows = paired.label.len();
    let with = paired.label.iter().filter(|label| **label > 0.5).count();
    if rows < ROWS || with.min(rows - with) < EITHER {
        let why = format!("{}, {with} of them with the outcome, are too few to compare on", paired.on);
        return Comparison { rows, ..Comparison::not_made(paired.against, why) };
    }
    let difference = difference(paired);
    let verdict = match difference {
        Estimate { high, .. } if high < 0.0 => Verdict::Better,
        Estimate { low, .. } if low > 0.0 => Verdict::Worse,
        _ => Verdict::Alike,
    };
    let words = words(paired, difference, verdict);
    Comparison { against: paired.against.to_owned(), rows, difference: Some(difference), verdict, words }
}

fn words(paired: Paired<'_>, difference: Estimate, verdict: Verdict) -> String {
    let Estimate { value, low, high } = difference;
    let (against, on) = (paired.against, paired.on);
    let (much, interval) = match value <= 0.0 {
        true => (format!("{:.4} nats a row less", -value), format!("{:.4} to {:.4} less", -high, -low)),
        false => (format!("{value:.4} nats a row more"), format!("{low:.4} to {high:.4} more")),
    };
    let so = match verdict {
        Verdict::Better => "it is better",
        Verdict::Worse => "it is worse",
        Verdict::Alike | Verdict::NotCompared => "the difference may be chance",
    };
    format!("on {on} it loses {much} than {against} (95 % interval {interval}): {so}")
}

fn difference(paired: Paired<'_>) -> Estimate {
    let loss = |p: f64, y: f64| {
        let p = p.clamp(1e-15, 1.0 - 1e-15);
        -(y * p.ln() + (1.0 - y) * (1.0 - p).ln())
    };
    let each: Vec<f64> = (0..paired.label.len())
        .map(|row| loss(paired.new[row], paired.label[row]) - loss(paired.other[row], paired.label[row]))
        .collect();
    mean_difference(&each, paired.group, DRAWS, paired.seed)
}

/// The mean of differences taken row by row, with the 95 % interval of a paired bootstrap of `draws` draws; rows of one
/// group are drawn together. NaN without a row.
#[must_use]
pub fn mean_difference(each: &[f64], group: Option<&[u32]>, draws: usize, seed: u64) -> Estimate {
    let units = units(each, group);
    let mut means: Vec<f64> = (0..draws as u64)
        .into_par_iter()
        .map(|draw| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x9a_17ed);
            rng.set_stream(draw);
            let (mut sum, mut rows) = (0.0, 0.0);
            for _ in 0..units.len() {
                let unit = units[rng.random_range(0..units.len())];
                sum += unit.0;
                rows += unit.1;
            }
            sum / rows
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let value = each.iter().sum::<f64>() / each.len() as f64;
    if means.is_empty() {
        return Estimate { value, low: value, high: value };
    }
    Estimate { value, low: quantile(&means, 0.025), high: quantile(&means, 0.975) }
}

/// Sum and number of rows of each entity, in the order of their first rows.
fn units(each: &[f64], group: Option<&[u32]>) -> Vec<(f64, f64)> {
    let Some(group) = group else { return each.iter().map(|value| (*value, 1.0)).collect() };
    let mut index: FxHashMap<u32, usize> = FxHashMap::default();
    let mut units: Vec<(f64, f64)> = Vec::new();
    for (value, group) in each.iter().zip(group) {
        let at = *index.entry(*group).or_insert_with(|| {
            units.push((0.0, 0.0));
            units.len() - 1
        });
        units[at].0 += value;
        units[at].1 += 1.0;
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows with rates 0.2 and 0.8, and outcomes that follow them.
    fn rows() -> (Vec<f64>, Vec<f64>) {
        (0..400)
            .map(|i| {
                (if i % 2 == 0 { 0.2 } else { 0.8 }, f64::from(u8::from((i / 2 % 5 == 0) != (i % 2 == 1))))
            })
            .unzip()
    }

    fn against<'a>(new: &'a [f64], other: &'a [f64], label: &'a [f64]) -> Paired<'a> {
        Paired { new, other, label, group: None, against: "version 3", on: "the 400 latest rows", seed: 1 }
    }

    #[test]
    fn the_better_model_is_called_better_with_its_interval_in_words() {
        let (p, y) = rows();
        let half = vec![0.5; 400];
        let better = compare(against(&p, &half, &y));
        assert_eq!(better.verdict, Verdict::Better);
        let difference = better.difference.unwrap();
        assert!(difference.low < difference.value && difference.value < difference.high);
        assert!(better.words.starts_with("on the 400 latest rows it loses 0.19"), "{}", better.words);
        assert!(better.words.ends_with("less): it is better"), "{}", better.words);
        assert_eq!(compare(against(&half, &p, &y)).verdict, Verdict::Worse);
    }

    #[test]
    fn a_difference_that_may_be_chance_is_not_called_one() {
        let (p, y) = rows();
        let nearly: Vec<f64> =
            p.iter().enumerate().map(|(i, p)| p + if i % 7 < 3 { 0.01 } else { -0.008 }).collect();
        assert_eq!(compare(against(&nearly, &p, &y)).verdict, Verdict::Alike);
        assert_eq!(compare(against(&p, &p, &y)).difference.unwrap().value, 0.0);
    }

    #[test]
    fn repeated_rows_of_one_entity_do_not_narrow_the_interval() {
        let (p, y) = rows();
        let other: Vec<f64> = p.iter().map(|p| 0.5 + (p - 0.5) * 0.8).collect();
        let once = compare(against(&p, &other, &y)).difference.unwrap();
        let (p, other, y) = (p.repeat(10), other.repeat(10), y.repeat(10));
        let group: Vec<u32> = (0..4000).map(|row| row % 400).collect();
        let grouped = compare(Paired { group: Some(&group), ..against(&p, &other, &y) }).difference.unwrap();
        assert!((grouped.high - grouped.low) > 0.8 * (once.high - once.low));
    }

    #[test]
    fn too_few_rows_are_not_compared() {
        let few = compare(against(&[0.5; 10], &[0.5; 10], &[1.0; 10]));
        assert_eq!((few.verdict, few.rows), (Verdict::NotCompared, 10));
    }
}
