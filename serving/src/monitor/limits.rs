//! Which of a model's limits are crossed.

use std::collections::BTreeSet;

use scorehouse_features::definition::MonitorSpec;
use serde::Serialize;
use utoipa::ToSchema;

use super::drift::{Drift, FeatureShift, MovedShare};

/// Outcomes of either kind below which an AUC says nothing.
const OF_EITHER_KIND: usize = 20;

/// A limit of `[model.X.monitor]` that a version's scores have crossed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Crossed {
    /// The limit: `score_psi`, `feature_psi`, `auc`, `log_loss` or `calibration_error`.
    pub limit: String,
    /// The input, of a `feature_psi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// The version.
    pub version: u32,
    /// What was found; of an index, what goes beyond chance counts.
    pub value: f64,
    /// The limit's own value.
    pub allowed: f64,
    /// Scores, or known outcomes, behind it.
    pub rows: usize,
    /// Where most of a feature's shift lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<MovedShare>,
}

impl Crossed {
    /// The limit's name, which is the same at every look.
    #[must_use]
    pub fn name(&self) -> String {
        self.feature
            .as_ref()
            .map_or_else(|| self.limit.clone(), |feature| format!("{} {feature}", self.limit))
    }

    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { value, allowed, rows, version, .. } = self;
        let place = self.most.as_ref().map_or_else(String::new, |most| {
            format!("; {} went from {:.1} % to {:.1} %", most.of, most.before * 100.0, most.now * 100.0)
        });
        format!(
            "{} is {value:.3} over {rows} rows of version {version}, {allowed} is the limit{place}",
            self.name()
        )
    }
}

/// What can be said of one version's limits.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdict {
    /// Those crossed, in the order of the limits, the most shifted feature first.
    pub crossed: Vec<Crossed>,
    /// The names of those kept.
    pub kept: BTreeSet<String>,
}

/// Judges a version by what it served. Of limits for which there are too few rows nothing is said.
#[must_use]
pub fn judge(drift: &Drift, spec: &MonitorSpec) -> Verdict {
    let mut verdict = Verdict::default();
    let mut add =
        |limit: &str, found: Option<(f64, usize)>, allowed: Option<f64>, bad: fn(f64, f64) -> bool| {
            let (Some((value, rows)), Some(allowed)) = (found, allowed) else { return };
            let (limit, version) = (limit.to_owned(), drift.version);
            let crossed = Crossed { limit, feature: None, version, value, allowed, rows, most: None };
            if bad(value, allowed) {
                verdict.crossed.push(crossed);
            } else {
                verdict.kept.insert(crossed.name());
            }
        };
    let (limits, quality) = (&spec.limits, &drift.quality);
    let above = |value: f64, limit: f64| value > limit;
    let enough = drift.counted >= spec.at_least;
    let score = drift.psi.zip(drift.by_chance).filter(|_| enough);
    add("score_psi", score.map(|(psi, chance)| (psi - chance, drift.counted)), limits.score_psi, above);
    let known =
        |figure: Option<f64>| figure.filter(|_| quality.known >= spec.at_least).map(|f| (f, quality.known));
    let rarer = quality.positives.min(quality.known - quality.positives);
    let auc = quality.auc.filter(|_| rarer >= OF_EITHER_KIND);
    add("auc", known(auc), limits.auc, |value, limit| value < limit);
    add("log_loss", known(quality.log_loss), limits.log_loss, above);
    add("calibration_error", known(quality.ece), limits.calibration_error, above);
    if let (Some(allowed), true) = (limits.feature_psi, enough) {
        for shift in &drift.features {
            let crossed = of_feature(shift, drift, allowed);
            if crossed.value > allowed {
                verdict.crossed.push(crossed);
            } else {
                verdict.kept.insert(crossed.name());
            }
        }
    }
    verdict
}

fn of_feature(shift: &FeatureShift, drift: &Drift, allowed: f64) -> Crossed {
    Crossed {
        limit: "feature_psi".to_owned(),
        feature: Some(shift.feature.clone()),
        version: drift.version,
        value: shift.psi - shift.by_chance,
        allowed,
        rows: drift.counted,
        most: shift.most.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::Quality;
    use scorehouse_features::definition::Limits;
    use scorehouse_features::time::{DAY, Span};

    fn spec(limits: Limits) -> MonitorSpec {
        MonitorSpec { every: Span(DAY), window: Span(DAY), at_least: 100, limits, retrain: None }
    }

    fn drift(counted: usize, psi: f64) -> Drift {
        let shift = |feature: &str, psi| FeatureShift {
            feature: feature.into(),
            psi,
            by_chance: 0.1,
            missing_before: 0.0,
            missing: 0.0,
            most: None,
        };
        Drift {
            version: 3,
            counted,
            psi: Some(psi),
            by_chance: Some(0.1),
            quality: Quality::default(),
            features: vec![shift("deal.amount", 0.6), shift("deal.stage", 0.2)],
        }
    }

    #[test]
    fn only_what_goes_beyond_chance_crosses_a_limit_of_stability() {
        let limits = spec(Limits { score_psi: Some(0.25), feature_psi: Some(0.25), ..Limits::default() });
        let verdict = judge(&drift(100, 0.3), &limits);
        let names: Vec<String> = verdict.crossed.iter().map(Crossed::name).collect();
        assert_eq!(names, ["feature_psi deal.amount"]);
        assert_eq!(verdict.kept, ["feature_psi deal.stage".to_owned(), "score_psi".to_owned()].into());
        assert!(verdict.crossed[0].words().contains("0.500 over 100 rows of version 3"));
        assert_eq!(judge(&drift(99, 9.0), &limits), Verdict::default(), "too few rows say nothing");
    }

    #[test]
    fn quality_is_judged_by_known_outcomes_of_both_kinds() {
        let limits = spec(Limits { auc: Some(0.7), log_loss: Some(0.5), ..Limits::default() });
        let quality = |positives| Quality {
            known: 100,
            positives,
            auc: Some(0.65),
            log_loss: Some(0.4),
            ..Quality::default()
        };
        let verdict = judge(&Drift { quality: quality(30), ..drift(100, 0.0) }, &limits);
        assert_eq!(verdict.crossed.iter().map(Crossed::name).collect::<Vec<_>>(), ["auc"]);
        assert_eq!(verdict.kept, ["log_loss".to_owned()].into());
        let few = judge(&Drift { quality: quality(10), ..drift(100, 0.0) }, &limits);
        assert!(few.crossed.is_empty(), "{few:?}");
    }
}
