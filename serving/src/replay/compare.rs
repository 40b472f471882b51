//! Logged rows beside what was computed again.

use scorehouse_features::value::Value;
use scorehouse_models::{ScoringModel, Scratch};

use super::recompute::{MISSING, same};
use super::report::{Example, SkewReport};
use crate::error::ServeError;
use crate::score_log::read::LoggedScore;

/// Compares the scores of one version.
pub struct Comparison<'a> {
    /// The model.
    pub model: &'a str,
    /// The version.
    pub version: u32,
    /// What computes its scores.
    pub scoring: &'a ScoringModel,
}

impl Comparison<'_> {
    /// Adds every difference to `report`.
    ///
    /// # Errors
    /// What scoring reports.
    pub fn compare(
        &self,
        rows: &[LoggedScore],
        values: &[Vec<Value>],
        report: &mut SkewReport,
    ) -> Result<(), ServeError> {
        let mut scratch = Scratch::default();
        for (row, now) in rows.iter().zip(values) {
            let moved = self.features(row, now, report);
            let score = self.scoring.score(now, row.head.as_of, 0, &mut scratch)?;
            let equal =
                score.raw.to_bits() == row.raw.to_bits() && score.output.to_bits() == row.output.to_bits();
            if !equal {
                report.score(self.model, self.version, (row.output - score.output).abs());
            }
            report.row(!moved && equal);
        }
        Ok(())
    }

    /// True when an input differs.
    fn features(&self, row: &LoggedScore, now: &[Value], report: &mut SkewReport) -> bool {
        let mut differs = false;
        for (place, input) in self.scoring.signature().inputs.iter().enumerate() {
            let found = row.inputs.get(place).filter(|(name, _)| *name == input.name);
            let served = found.map_or(&MISSING, |(_, value)| value);
            let now = now.get(place).unwrap_or(&MISSING);
            if same(served, now) {
                continue;
            }
            differs = true;
            report.feature(self.model, &input.name, || Example {
                key: row.head.key.clone(),
                as_of: row.head.as_of,
                version: row.head.version,
                served: served.to_json(),
                now: now.to_json(),
            });
        }
        differs
    }
}
