//! How served scores lie beside those of training.

use scorehouse_training::Evaluation;
use serde::Serialize;
use utoipa::ToSchema;

/// One version's scores beside those of its holdout.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Drift {
    /// The version.
    pub version: u32,
    /// Scores that count.
    pub counted: usize,
    /// The population stability index of the scores against the holdout's, over the holdout's bands: below 0.1 they
    /// lie alike, above 0.25 they do not. Null where the registry has no bands for the version.
    pub psi: Option<f64>,
}

impl Drift {
    /// The drift of `outputs` from what a version's metrics in the registry say.
    pub fn of(version: u32, outputs: &[f64], metrics: Option<&serde_json::Value>) -> Self {
        let evaluation: Option<Evaluation> =
            metrics.and_then(|metrics| serde_json::from_value(metrics.clone()).ok());
        let bands: Vec<(usize, f64)> = evaluation
            .and_then(|evaluation| evaluation.curves)
            .map(|curves| curves.calibration.iter().map(|bin| (bin.rows, bin.predicted)).collect())
            .unwrap_or_default();
        Self { version, counted: outputs.len(), psi: psi(&bands, outputs) }
    }
}

/// The index over bands given by their rows and mean scores, ascending; a band ends half-way to the next mean. Half a
/// row is added to every band, so that an empty one does not make it infinite.
fn psi(bands: &[(usize, f64)], outputs: &[f64]) -> Option<f64> {
    let mut merged: Vec<(usize, f64)> = Vec::new();
    for (rows, mean) in bands {
        match merged.last_mut() {
            Some((known, last)) if *mean <= *last => *known += rows,
            _ => merged.push((*rows, *mean)),
        }
    }
    if merged.len() < 2 || outputs.is_empty() {
        return None;
    }
    let edges: Vec<f64> = merged.windows(2).map(|pair| f64::midpoint(pair[0].1, pair[1].1)).collect();
    let mut counts = vec![0usize; merged.len()];
    for output in outputs {
        counts[edges.partition_point(|edge| edge < output)] += 1;
    }
    let share = |count: usize, of: usize| (count as f64 + 0.5) / (of as f64 + 0.5 * merged.len() as f64);
    let trained: usize = merged.iter().map(|(rows, _)| rows).sum();
    let term = |((rows, _), count): (&(usize, f64), &usize)| {
        let (expected, found) = (share(*rows, trained), share(*count, outputs.len()));
        (found - expected) * (found / expected).ln()
    };
    Some(merged.iter().zip(&counts).map(term).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BANDS: [(usize, f64); 4] = [(100, 0.1), (100, 0.3), (100, 0.5), (100, 0.9)];

    #[test]
    fn scores_that_lie_as_in_training_have_next_to_no_drift() {
        let alike: Vec<f64> = [0.1, 0.3, 0.5, 0.9].repeat(100);
        assert!(psi(&BANDS, &alike).unwrap().abs() < 1e-12);
    }

    #[test]
    fn scores_that_moved_into_one_band_drift_far() {
        let moved = vec![0.95; 400];
        assert!(psi(&BANDS, &moved).unwrap() > 1.0);
        assert_eq!(psi(&[(100, 0.5), (100, 0.5)], &moved), None, "one band tells nothing");
        assert_eq!(psi(&BANDS, &[]), None);
    }
}
