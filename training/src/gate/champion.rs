//! The model that is live now, scored on the new model's holdout.

use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_models::{Artifact, ScoringModel, Scratch};

use crate::dataset::{Column, Dataset};
use crate::gate::paired::{Comparison, Paired, Verdict, compare};
use crate::split::Split;

/// Rows scored at once.
const BATCH: usize = 1024;

/// The model that is live now.
#[derive(Debug, Clone, Copy)]
pub struct Champion<'a> {
    /// The frozen model.
    pub artifact: &'a Artifact,
    /// What readers know it as, such as `version 3`.
    pub name: &'a str,
    /// The latest moment among the rows that it learnt from, when they had time.
    pub learnt_to: Option<Timestamp>,
}

/// The new model's probabilities of some rows.
pub(crate) struct New<'a> {
    pub rows: &'a [u32],
    pub probability: &'a [f64],
}

impl Champion<'_> {
    /// Compares on the rows of the holdout that this model did not learn from. Without such rows it is measured on
    /// all of them, which flatters it: only a new model that is better even so is called better.
    pub(crate) fn compare(&self, new: &New<'_>, data: &Dataset, split: &Split, seed: u64) -> Comparison {
        let against = format!("the champion ({})", self.name);
        let fresh = |row: &u32| {
            split.from.is_some() && self.learnt_to.is_some_and(|to| data.as_of[*row as usize] > to)
        };
        let unseen: Vec<usize> = (0..new.rows.len()).filter(|at| fresh(&new.rows[*at])).collect();
        let on = format!("the {} rows that are newer than what the champion learnt from", unseen.len());
        let fair = self.on(new, data, &unseen, (&against, &on, seed));
        if fair.verdict != Verdict::NotCompared || self.unreadable(data).is_some() {
            return fair;
        }
        let all: Vec<usize> = (0..new.rows.len()).collect();
        let on = format!("{} rows held out, which the champion may have learnt from,", all.len());
        let flattering = self.on(new, data, &all, (&against, &on, seed));
        if flattering.verdict == Verdict::Better {
            return flattering;
        }
        let words = format!(
            "not judged: only {} of the rows held out are newer than what {against} learnt from; {}",
            unseen.len(),
            flattering.words
        );
        Comparison { verdict: Verdict::NotCompared, words, ..flattering }
    }

    fn on(&self, new: &New<'_>, data: &Dataset, at: &[usize], told: (&str, &str, u64)) -> Comparison {
        let rows: Vec<u32> = at.iter().map(|at| new.rows[*at]).collect();
        let (against, on, seed) = told;
        let other = match self.score(data, &rows) {
            Ok(other) => other,
            Err(why) => return Comparison::not_made(against, format!("{against} cannot be scored: {why}")),
        };
        let probability: Vec<f64> = at.iter().map(|at| new.probability[*at]).collect();
        let label: Vec<f64> = rows.iter().map(|row| data.label[*row as usize]).collect();
        let group: Option<Vec<u32>> =
            data.group.as_ref().map(|group| rows.iter().map(|row| group[*row as usize]).collect());
        compare(Paired {
            new: &probability,
            other: &other,
            label: &label,
            group: group.as_deref(),
            against,
            on,
            seed,
        })
    }

    /// Why it cannot be scored on these data, if so.
    fn unreadable(&self, data: &Dataset) -> Option<String> {
        self.inputs(data).err()
    }

    /// The column of each of its inputs.
    fn inputs<'d>(&self, data: &'d Dataset) -> Result<Vec<&'d Column>, String> {
        let find = |input: &scorehouse_models::InputField| {
            let column = data.columns.iter().find(|column| column.name == input.name);
            let column =
                column.ok_or_else(|| format!("it reads {}, which these rows do not have", input.name))?;
            match column.value_type() == input.value_type {
                true => Ok(column),
                false => Err(format!("it reads {} as another type than these rows hold", input.name)),
            }
        };
        self.artifact.signature.inputs.iter().map(find).collect()
    }

    fn score(&self, data: &Dataset, rows: &[u32]) -> Result<Vec<f64>, String> {
        let inputs = self.inputs(data)?;
        let model = ScoringModel::load(self.artifact).map_err(|e| e.to_string())?;
        let (mut scratch, mut scores) = (Scratch::default(), Vec::new());
        let mut out = Vec::with_capacity(rows.len());
        for batch in rows.chunks(BATCH) {
            let values: Vec<(Vec<Value>, Timestamp)> = batch
                .iter()
                .map(|row| {
                    (inputs.iter().map(|c| c.value(*row as usize)).collect(), data.as_of[*row as usize])
                })
                .collect();
            let asked = values.iter().map(|(values, as_of)| (values.as_slice(), *as_of));
            model.score_batch(asked, 0, &mut scratch, &mut scores).map_err(|e| e.to_string())?;
            out.extend(scores.iter().map(|score| score.output));
        }
        Ok(out)
    }
}

/// The rate of the outcome among the rows learnt from, for everybody: what a first model must beat.
pub(crate) fn rate_of_learnt(new: &New<'_>, data: &Dataset, split: &Split, seed: u64) -> Comparison {
    let with: f64 = split.train.iter().map(|row| data.label[*row as usize]).sum();
    let rate = (with + 0.5) / (split.train.len() as f64 + 1.0);
    let label: Vec<f64> = new.rows.iter().map(|row| data.label[*row as usize]).collect();
    let group: Option<Vec<u32>> =
        data.group.as_ref().map(|group| new.rows.iter().map(|row| group[*row as usize]).collect());
    let on = match (split.holdout.is_empty(), split.from) {
        (true, _) => format!("{} cross-validated rows", label.len()),
        (false, Some(_)) => format!("the {} latest rows", label.len()),
        (false, None) => format!("{} rows held out", label.len()),
    };
    compare(Paired {
        new: new.probability,
        other: &vec![rate; label.len()],
        label: &label,
        group: group.as_deref(),
        against: "giving everybody the rate of the outcome",
        on: &on,
        seed,
    })
}
