//! Cross-validation over a set of rows.

use rayon::prelude::*;

use crate::error::TrainingError;

/// Rows dealt into folds.
#[derive(Debug, Clone)]
pub(crate) struct Folds {
    /// The rows, ascending.
    pub rows: Vec<u32>,
    /// The fold of each row of the data; `u8::MAX` outside `rows`.
    pub fold: Vec<u8>,
    /// Number of folds.
    pub count: usize,
}

impl Folds {
    /// Rows of every fold but `part`, and those of `part`.
    pub fn parts(&self, part: usize) -> (Vec<u32>, Vec<u32>) {
        self.rows.iter().partition(|row| self.fold[**row as usize] as usize != part)
    }

    /// Gives every fold's rows to `judge` with the others to learn from; the answers come back in the order of
    /// `rows`.
    pub fn each(
        &self,
        judge: impl Fn(&[u32], &[u32]) -> Result<Vec<f64>, TrainingError> + Send + Sync,
    ) -> Result<Vec<f64>, TrainingError> {
        let parts: Result<Vec<_>, TrainingError> = (0..self.count)
            .into_par_iter()
            .map(|part| {
                let (learn, asked) = self.parts(part);
                let answers = judge(&learn, &asked)?;
                Ok((asked, answers))
            })
            .collect();
        let mut all = vec![0.0; self.fold.len()];
        for (rows, answers) in parts? {
            rows.iter().zip(answers).for_each(|(row, answer)| all[*row as usize] = answer);
        }
        Ok(self.rows.iter().map(|row| all[*row as usize]).collect())
    }

    /// At most about `most` of the rows, evenly chosen, in the same folds.
    pub fn thinned(&self, most: usize) -> Self {
        let step = self.rows.len().div_ceil(most).max(1);
        Self { rows: self.rows.iter().step_by(step).copied().collect(), ..self.clone() }
    }
}
