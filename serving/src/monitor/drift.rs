//! How served scores and their inputs lie beside those of training.

use scorehouse_models::baseline::{InputBaseline, stability_index};
use scorehouse_models::{Baseline, Signature};
use scorehouse_training::Evaluation;
use serde::Serialize;
use utoipa::ToSchema;

use super::quality::Quality;
use super::tally::Tally;

/// What one version served beside what it learnt from.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Drift {
    /// The version.
    pub version: u32,
    /// Scores that count: the last one of an entity on a day, and every one whose row named no entity.
    pub counted: usize,
    /// The population stability index of the scores against the holdout's, over the holdout's bands: below 0.1 they
    /// lie alike, above 0.25 they do not. Null where the registry has no bands for the version.
    pub psi: Option<f64>,
    /// What the index of the scores comes to on average when they lie alike.
    pub by_chance: Option<f64>,
    /// What its scores were worth, over all whose outcome is known.
    pub quality: Quality,
    /// Every input against training, the most shifted first; empty for a version that kept nothing of its training.
    pub features: Vec<FeatureShift>,
}

/// One input of served scores beside training.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct FeatureShift {
    /// The input.
    pub feature: String,
    /// The population stability index over its bins (or levels) and "missing", in nats.
    pub psi: f64,
    /// What the index comes to on average among as many scores that lie alike.
    pub by_chance: f64,
    /// Share of missing values in training, 0 to 1.
    pub missing_before: f64,
    /// Share of missing values among the scores.
    pub missing: f64,
    /// Where most of the difference lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<MovedShare>,
}

/// A range of numbers, or a level, with its share of the rows.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MovedShare {
    /// The range or level in words.
    pub of: String,
    /// Its share in training, 0 to 1.
    pub before: f64,
    /// Its share among the scores.
    pub now: f64,
}

impl Drift {
    /// Lays a version's scores beside what its metrics in the registry say, and their inputs beside its baseline.
    pub fn of(
        version: u32,
        tally: &Tally,
        (metrics, baseline): (Option<&serde_json::Value>, Option<&(Signature, Baseline)>),
    ) -> Self {
        let evaluation: Option<Evaluation> =
            metrics.and_then(|metrics| serde_json::from_value(metrics.clone()).ok());
        let bands: Vec<(usize, f64)> = evaluation
            .and_then(|evaluation| evaluation.curves)
            .map(|curves| curves.calibration.iter().map(|bin| (bin.rows, bin.predicted)).collect())
            .unwrap_or_default();
        let found = psi(&bands, &tally.outputs);
        Self {
            version,
            counted: tally.outputs.len(),
            psi: found.map(|(psi, _)| psi),
            by_chance: found.map(|(_, by_chance)| by_chance),
            quality: Quality::default(),
            features: baseline.map_or_else(Vec::new, |baseline| shifts(tally, baseline)),
        }
    }
}

/// Every input, the most shifted first.
fn shifts(tally: &Tally, (signature, baseline): &(Signature, Baseline)) -> Vec<FeatureShift> {
    let inputs = signature.inputs.iter().zip(baseline.inputs()).zip(&tally.places);
    let mut shifts: Vec<FeatureShift> =
        inputs.map(|((input, own), counts)| shift(&input.name, own, counts)).collect();
    shifts.sort_by(|a, b| b.psi.total_cmp(&a.psi).then_with(|| a.feature.cmp(&b.feature)));
    shifts
}

fn shift(feature: &str, own: &InputBaseline, counts: &[u64]) -> FeatureShift {
    let mut found = counts.to_vec();
    found.resize(own.places(), 0);
    let stability = own.stability(&found);
    let missing = |counts: &[u64]| {
        let all: u64 = counts.iter().sum();
        counts.last().map_or(0.0, |missing| *missing as f64 / all.max(1) as f64)
    };
    let part = |part: scorehouse_models::baseline::Part| MovedShare {
        of: own.words(part.place),
        before: part.before,
        now: part.now,
    };
    FeatureShift {
        feature: feature.to_owned(),
        psi: stability.index,
        by_chance: stability.by_chance,
        missing_before: missing(&own.counts()),
        missing: missing(&found),
        most: stability.most.map(part),
    }
}

/// The index over bands given by their rows and mean scores, ascending, and what chance makes of it; a band ends half-way
/// to the next mean.
fn psi(bands: &[(usize, f64)], outputs: &[f64]) -> Option<(f64, f64)> {
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
    let mut counts = vec![0.0; merged.len()];
    for output in outputs {
        counts[edges.partition_point(|edge| edge < output)] += 1.0;
    }
    let trained: Vec<f64> = merged.iter().map(|(rows, _)| *rows as f64).collect();
    let by_chance =
        edges.len() as f64 * (trained.iter().sum::<f64>().recip() + (outputs.len() as f64).recip());
    Some((stability_index(&trained, &counts), by_chance))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BANDS: [(usize, f64); 4] = [(100, 0.1), (100, 0.3), (100, 0.5), (100, 0.9)];

    #[test]
    fn scores_that_lie_as_in_training_have_next_to_no_drift() {
        let alike: Vec<f64> = [0.1, 0.3, 0.5, 0.9].repeat(100);
        let (index, by_chance) = psi(&BANDS, &alike).unwrap();
        assert!(index.abs() < 1e-12 && (by_chance - 3.0 * 2.0 / 400.0).abs() < 1e-12);
    }

    #[test]
    fn scores_that_moved_into_one_band_drift_far() {
        let moved = vec![0.95; 400];
        assert!(psi(&BANDS, &moved).unwrap().0 > 1.0);
        assert_eq!(psi(&[(100, 0.5), (100, 0.5)], &moved), None, "one band tells nothing");
        assert_eq!(psi(&BANDS, &[]), None);
    }
}
