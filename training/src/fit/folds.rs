//! Cross-validation over a set of rows.

use rayon::prelude::*;

use crate::dataset::Dataset;
use crate::error::TrainingError;
use crate::metric::own_level;
use crate::split::{Part, folds_of, forward_parts};

/// How rows are to be cut into parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    /// Number of parts.
    pub parts: usize,
    /// True when an entity that is asked is not learnt from, in data with time. Without time it never is.
    pub whole_groups: bool,
    pub seed: u64,
}

/// Rows cut into parts, each to be asked of what other rows taught.
#[derive(Debug, Clone)]
pub(crate) struct Folds {
    /// The rows, ascending.
    pub rows: Vec<u32>,
    /// For data without time, the fold of each row of the data; `u8::MAX` outside `rows`.
    pub fold: Vec<u8>,
    /// What is asked of what. No row is asked twice; with time, the earliest are never asked.
    pub parts: Vec<Part>,
    /// True when every part is asked of what was known before it began.
    pub forward: bool,
}

impl Folds {
    /// Parts one after the other in time when the data has it; else dealt at random, entities whole.
    pub fn new(data: &Dataset, rows: Vec<u32>, cut: Cut) -> Self {
        let count = cut.parts.min(rows.len().max(2));
        let fold = folds_of(data, &rows, count, cut.seed);
        let forward = forward_parts(data, &rows, count, cut.whole_groups);
        let is_forward = forward.is_some();
        let dealt = || {
            let part = |part: usize| {
                let (learn, asked) = rows.iter().partition(|row| fold[**row as usize] as usize != part);
                Part { learn, asked }
            };
            (0..count).map(part).filter(|part: &Part| !part.learn.is_empty()).collect()
        };
        let parts = forward.unwrap_or_else(dealt);
        Self { rows, fold, parts, forward: is_forward }
    }

    /// The rows that are asked, ascending.
    pub fn asked(&self) -> Vec<u32> {
        let mut asked: Vec<u32> = self.parts.iter().flat_map(|part| part.asked.iter().copied()).collect();
        asked.sort_unstable();
        asked
    }

    /// Log-odds of the rows asked, each part of time raised to the level that suits it best: which learner tells rows
    /// apart better does not depend on how often it happened in one season.
    pub fn levelled(&self, raw: &[f64], label: &[f64]) -> Vec<f64> {
        let mut levelled = raw.to_vec();
        if !self.forward {
            return levelled;
        }
        let asked = self.asked();
        for part in &self.parts {
            let at: Vec<usize> = part.asked.iter().filter_map(|row| asked.binary_search(row).ok()).collect();
            let pick = |of: &[f64]| -> Vec<f64> { at.iter().map(|at| of[*at]).collect() };
            let level = own_level(&pick(raw), &pick(label));
            at.iter().for_each(|at| levelled[*at] += level);
        }
        levelled
    }

    /// Gives every part to `judge`; the answers come back in the order of [`Folds::asked`].
    pub fn each(
        &self,
        judge: impl Fn(&Part) -> Result<Vec<f64>, TrainingError> + Send + Sync,
    ) -> Result<Vec<f64>, TrainingError> {
        let answers: Result<Vec<Vec<f64>>, TrainingError> = self.parts.par_iter().map(judge).collect();
        let asked = self.parts.iter().zip(answers?);
        let mut all: Vec<(u32, f64)> =
            asked.flat_map(|(part, answers)| part.asked.iter().copied().zip(answers)).collect();
        all.sort_unstable_by_key(|(row, _)| *row);
        Ok(all.into_iter().map(|(_, answer)| answer).collect())
    }

    /// At most about `most` of the rows, evenly chosen, in the same parts.
    pub fn thinned(&self, most: usize) -> Self {
        let step = self.rows.len().div_ceil(most.max(1)).max(1);
        if step == 1 {
            return self.clone();
        }
        let rows: Vec<u32> = self.rows.iter().step_by(step).copied().collect();
        let kept = |of: &[u32]| of.iter().filter(|row| rows.binary_search(row).is_ok()).copied().collect();
        let parts = self.parts.iter().map(|part| Part { learn: kept(&part.learn), asked: kept(&part.asked) });
        Self { parts: parts.collect(), fold: self.fold.clone(), forward: self.forward, rows }
    }
}
