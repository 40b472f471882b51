//! What speaks for and against a chosen model: columns that know the outcome, drift, and what it would replace.

use crate::drift::{Drift, find_drift};
use crate::gate::{Check, Comparison, New, Verdict, rate_of_learnt};
use crate::leak::LeakWarning;
use crate::pipeline::probability::Task;
use crate::split::Split;

/// Columns named in a check.
const NAMED: usize = 8;

/// The chosen model on rows that it did not learn from.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Held {
    pub rows: Vec<u32>,
    pub probability: Vec<f64>,
}

/// What was found.
pub(super) struct Trust {
    pub drift: Option<Drift>,
    pub comparison: Comparison,
    pub checks: Vec<Check>,
}

impl Task<'_> {
    /// Says of every column that seems to know the outcome that it does.
    pub(super) fn warn(&self, leaks: &[LeakWarning]) {
        for leak in leaks {
            self.progress.message(&format!(
                "column {} seems to know the outcome: {}",
                leak.column,
                leak.words()
            ));
        }
    }

    /// Looks at drift, and compares with the rate of the outcome and with the champion.
    pub(super) fn trust(&self, held: &Held, leaks: &[LeakWarning], split: &Split, prior: bool) -> Trust {
        let drift = find_drift(&self.data, &self.notes, split);
        let new = New { rows: &held.rows, probability: &held.probability };
        let rate = rate_of_learnt(&new, &self.data, split, self.seed);
        let mut checks = vec![better_than_rate(&rate, prior)];
        let comparison = match &self.champion {
            Some(champion) => {
                let comparison = champion.compare(&new, &self.data, split, self.seed);
                checks.push(no_worse(&comparison));
                comparison
            }
            None => rate,
        };
        checks.push(knows_nothing(leaks));
        checks.extend(drift.as_ref().map(like_the_latest));
        Trust { drift, comparison, checks }
    }
}

fn better_than_rate(rate: &Comparison, prior: bool) -> Check {
    let better = rate.difference.is_none_or(|difference| difference.value <= 1e-9);
    Check {
        name: "better than the rate of the outcome for everybody".to_owned(),
        passed: better || (prior && rate.verdict != Verdict::Worse),
        // A model that gives everybody the rate is never better than the rate.
        decisive: !prior,
        detail: rate.words.clone(),
    }
}

fn no_worse(comparison: &Comparison) -> Check {
    Check {
        name: "no worse than the champion".to_owned(),
        passed: comparison.verdict != Verdict::Worse,
        decisive: true,
        detail: comparison.words.clone(),
    }
}

/// A warning only: whether a fact was known in time is for people to say.
fn knows_nothing(leaks: &[LeakWarning]) -> Check {
    let named: Vec<&str> = leaks.iter().take(NAMED).map(|leak| leak.column.as_str()).collect();
    let more = leaks.len().saturating_sub(NAMED);
    let detail = match (leaks.len(), more) {
        (0, _) => "no column shows a mark of it".to_owned(),
        (_, 0) => format!("{}; leave out what is not known in time", named.join(", ")),
        _ => format!("{} and {more} more; leave out what is not known in time", named.join(", ")),
    };
    Check {
        name: "no column knows the outcome".to_owned(),
        passed: leaks.is_empty(),
        decisive: false,
        detail,
    }
}

fn like_the_latest(drift: &Drift) -> Check {
    let shifted: Vec<String> = drift
        .shifted()
        .take(NAMED)
        .map(|f| format!("{} ({}, PSI {:.2})", f.feature, f.shift.words(), f.psi))
        .collect();
    let detail = match shifted.is_empty() {
        true => format!("none of {} features has shifted", drift.features.len()),
        false => format!(
            "{} of {} features have shifted: {}",
            drift.shifted().count(),
            drift.features.len(),
            shifted.join(", ")
        ),
    };
    Check {
        name: "the latest rows are like those learnt from".to_owned(),
        passed: shifted.is_empty(),
        decisive: false,
        detail,
    }
}
