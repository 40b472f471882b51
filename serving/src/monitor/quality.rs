//! What scores were worth.

use scorehouse_training::metric::{auc, brier, calibration_bins, ece, log_loss};
use serde::Serialize;
use utoipa::ToSchema;

use super::Judged;

/// Bands of calibration.
const BANDS: usize = 10;

/// What scores were worth. Figures are null where nothing, or only one kind of outcome, is known.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
pub struct Quality {
    /// Scores whose outcome is known.
    pub known: usize,
    /// Those with the outcome.
    pub positives: usize,
    /// Mean of these scores, 0 to 1.
    pub expected: Option<f64>,
    /// Share with the outcome, 0 to 1: a calibrated model has both alike.
    pub observed: Option<f64>,
    /// Area under the ROC curve, 0 to 1; 0.5 is chance.
    pub auc: Option<f64>,
    /// Mean negative log-likelihood in nats; lower is better.
    pub log_loss: Option<f64>,
    /// Mean squared error; lower is better.
    pub brier: Option<f64>,
    /// Expected calibration error over ten bands of equal count, 0 to 1.
    pub ece: Option<f64>,
    /// Bands of equally many scores, ascending.
    pub calibration: Vec<Band>,
}

/// One band of equally many scores.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Band {
    /// Scores in it.
    pub rows: usize,
    /// Their mean.
    pub predicted: f64,
    /// Share with the outcome.
    pub observed: f64,
    /// Lower end of the 95 % Wilson interval of the share.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Quality {
    /// The worth of those scores whose outcome is known.
    pub(super) fn of<'a>(rows: impl Iterator<Item = Judged<'a>>) -> Self {
        let known = rows.filter_map(|row| Some((row.output, f64::from(u8::from(row.outcome?)))));
        let (scores, labels): (Vec<f64>, Vec<f64>) = known.unzip();
        if scores.is_empty() {
            return Self::default();
        }
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
        let positives = labels.iter().filter(|label| **label > 0.5).count();
        let both = positives > 0 && positives < labels.len();
        // A model that answers with a value on a scale of its own has no calibration to speak of.
        let probable = scores.iter().all(|score| (0.0..=1.0).contains(score));
        let band = |bin: scorehouse_training::metric::CalibrationBin| Band {
            rows: bin.rows,
            predicted: bin.predicted,
            observed: bin.observed,
            low: bin.low,
            high: bin.high,
        };
        Self {
            known: scores.len(),
            positives,
            expected: probable.then(|| mean(&scores)),
            observed: Some(mean(&labels)),
            auc: both.then(|| auc(&scores, &labels)),
            log_loss: probable.then(|| log_loss(&scores, &labels)),
            brier: probable.then(|| brier(&scores, &labels)),
            ece: probable.then(|| ece(&scores, &labels, BANDS)),
            calibration: match probable {
                true => calibration_bins(&scores, &labels, BANDS).into_iter().map(band).collect(),
                false => Vec::new(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scorehouse_features::time::Timestamp;

    fn row(output: f64, outcome: Option<bool>) -> Judged<'static> {
        Judged { at: Timestamp(0), version: 1, output, outcome, places: &[] }
    }

    #[test]
    fn only_known_outcomes_count_and_one_kind_has_no_auc() {
        let rows = [row(0.9, Some(true)), row(0.2, Some(false)), row(0.99, None), row(0.4, Some(false))];
        let quality = Quality::of(rows.into_iter());
        assert_eq!((quality.known, quality.positives, quality.auc), (3, 1, Some(1.0)));
        assert!((quality.expected.unwrap() - 0.5).abs() < 1e-12);
        assert!((quality.observed.unwrap() - 1.0 / 3.0).abs() < 1e-12);
        let losses = Quality::of(rows[1..].iter().copied());
        assert_eq!((losses.auc, losses.known), (None, 2));
        assert_eq!(Quality::of(rows[2..3].iter().copied()), Quality::default());
    }
}
