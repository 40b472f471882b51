//! A candidate or an average of some, scored on rows that it did not see.

use serde_json::json;

use crate::fit::{Entry, Folds, Settings, blend, mixed};
use crate::metric::auc;

/// Standard errors by which an AUC has to exceed one half before it counts as more than luck.
const BEYOND_LUCK: f64 = 3.0;

/// A candidate or average, scored on rows that it did not see.
pub(super) struct Contender {
    pub name: String,
    /// Shares, adding up to 1, and settings.
    pub members: Vec<(f64, Settings)>,
    /// Log-odds of the rows that cross-validation asks.
    pub out_of_fold: Vec<f64>,
    /// Log-odds of the rows held out.
    pub held_out: Vec<f64>,
}

impl Contender {
    pub fn alone(entry: Entry) -> Self {
        Self {
            name: entry.settings.name().to_owned(),
            members: vec![(1.0, entry.settings)],
            out_of_fold: entry.out_of_fold,
            held_out: entry.held_out,
        }
    }

    /// The average of single candidates that loses least in cross-validation; none when one alone is as good.
    pub fn average(entries: &[Self], label: &[f64], folds: &Folds) -> Option<Self> {
        let raw: Vec<&[f64]> = entries.iter().map(|entry| entry.out_of_fold.as_slice()).collect();
        let held: Vec<&[f64]> = entries.iter().map(|entry| entry.held_out.as_slice()).collect();
        let levelled: Vec<Vec<f64>> = raw.iter().map(|raw| folds.levelled(raw, label)).collect();
        let shares = blend(&levelled.iter().map(Vec::as_slice).collect::<Vec<_>>(), label)?;
        let shared = entries.iter().zip(&shares).filter(|(_, share)| **share > 0.0);
        let members = shared.flat_map(|(entry, share)| {
            entry.members.iter().map(move |(own, settings)| (share * own, settings.clone()))
        });
        Some(Self {
            name: "average".to_owned(),
            members: members.collect(),
            out_of_fold: mixed(&raw, &shares),
            held_out: mixed(&held, &shares),
        })
    }

    pub fn is_prior(&self) -> bool {
        self.members.iter().all(|(_, settings)| *settings == Settings::Prior)
    }

    /// True when its scores of rows it did not see rank those with the outcome above the others by more than luck.
    /// The standard error of the AUC is that of Hanley and McNeil (Radiology, 1982) where it is one half.
    pub fn tells_apart(&self, label: &[f64]) -> bool {
        let with: f64 = label.iter().sum();
        let without = label.len() as f64 - with;
        let error = ((with + without + 1.0) / (12.0 * with * without)).sqrt();
        auc(&self.out_of_fold, label) - 0.5 > BEYOND_LUCK * error
    }

    /// The settings for readers.
    pub fn settings(&self) -> serde_json::Value {
        match &self.members[..] {
            [(_, settings)] => settings.to_json(),
            members => {
                let one = |(share, settings): &(f64, Settings)| json!({ "share": share, "name": settings.name(), "settings": settings.to_json() });
                members.iter().map(one).collect()
            }
        }
    }
}
