//! `[model.X.monitor]`.

use crate::definition::raw::{Finding, Section};
use crate::definition::read::learning::number;
use crate::definition::{Limits, MonitorSpec};
use crate::time::{DAY, Span};

const LIMITS: [&str; 5] = ["score_psi", "feature_psi", "auc", "log_loss", "calibration_error"];
const KEYS: [&str; 5] = ["every", "window", "at_least", "retrain", "rest"];

/// What else decides how the section is read.
#[derive(Clone, Copy)]
pub(super) struct Of {
    /// Answers are kept in the score log.
    pub logged: bool,
    /// The model is trained here, so that it can be trained again.
    pub trained: bool,
}

/// Reads `[model.X.monitor]`.
pub(super) fn monitor((model, table): (&str, &Section<'_>), of: Of) -> Option<MonitorSpec> {
    const AT_LEAST: &str = "a whole number, 30 or more";
    table.only(&format!("model.{model}.monitor"), &[&LIMITS[..], &KEYS].concat());
    if !of.logged {
        let finding =
            Finding::at(table.at(), "a model is watched over by the score log, which is not enabled");
        table.findings().report(finding.expected("`[score_log] enabled = true`"));
    }
    let limits = limits(table);
    if limits.is_empty() && !LIMITS.iter().any(|key| table.get(key).is_some()) {
        let finding = Finding::at(table.at(), "no limit is set");
        table.findings().report(finding.expected(crate::nearest::listed(LIMITS)));
    }
    let span =
        |key: &str, days: i64| table.get(key).map_or(Some(Span(days * DAY)), |entry| entry.parsed::<Span>());
    let (every, window) = (span("every", 1), span("window", 30));
    let at_least = table.get("at_least").map_or(Some(200), |entry| {
        entry.whole(AT_LEAST).filter(|count| *count >= 30).or_else(|| {
            entry.refuse(AT_LEAST);
            None
        })
    });
    let retrain = retrain(table, of, span("rest", 7)?);
    Some(MonitorSpec { every: every?, window: window?, at_least: at_least? as usize, limits, retrain })
}

fn limits(table: &Section<'_>) -> Limits {
    const ABOVE: &str = "a number above 0, such as 0.25";
    const SHARE: &str = "a number above 0 and below 1";
    let above = |key: &str| table.get(key).and_then(|entry| number(&entry, ABOVE, |limit| limit > 0.0));
    let share = |key: &str| {
        table.get(key).and_then(|entry| number(&entry, SHARE, |limit| limit > 0.0 && limit < 1.0))
    };
    Limits {
        score_psi: above("score_psi"),
        feature_psi: above("feature_psi"),
        auc: share("auc"),
        log_loss: above("log_loss"),
        calibration_error: share("calibration_error"),
    }
}

fn retrain(table: &Section<'_>, of: Of, rest: Span) -> Option<Span> {
    let wanted = table.get("retrain").is_some_and(|entry| {
        let wanted = entry.flag().unwrap_or(false);
        if wanted && !of.trained {
            let finding = Finding::at(entry.at(), "a registered model is trained elsewhere");
            entry.findings().report(finding.expected("`retrain = false`"));
        }
        wanted
    });
    if let (false, Some(rest)) = (wanted, table.get("rest")) {
        let finding = Finding::at(rest.key_at(), "`rest` needs `retrain = true`");
        table.findings().report(finding);
    }
    wanted.then_some(rest)
}
