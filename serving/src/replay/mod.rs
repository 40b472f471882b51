//! Does what was served agree with what history says now?
//!
//! Every score in the log is computed again from the offline store, as of the moment it was computed for: the
//! point-in-time engine that makes training sets gives the inputs, the same version of the model the score. Inputs
//! and scores are compared bit for bit. Scores for which the request gave values in place of stored ones are
//! read through the online kernel over a base made of the same history, since only that takes such values.
//!
//! Recommendations are made again over such a base: by the same version, under the rules as they are declared now, for
//! the same basket and request. What they were made from was kept in short, so that a list that comes out otherwise
//! can be told apart by its cause: the customer's past, a feature, a rule.

mod compare;
mod lists;
mod rebuilt;
mod recompute;
mod report;

use scorehouse_features::definition::Project;
use scorehouse_features::ids::ModelName;
use scorehouse_models::{ModelVersion, Registry, ScoringModel};
use scorehouse_offline::OfflineStore;

pub use report::{Example, FeatureSkew, ScoreSkew, SkewReport, Skipped};

use crate::error::ServeError;
use crate::score_log::folder;
use crate::score_log::read::{LoggedScore, Range, lists, models, scores};
use compare::Comparison;
use lists::Lists;
use rebuilt::Rebuilt;
use recompute::Recompute;

/// Rows that are computed again at a time.
const ROWS_AT_ONCE: usize = 100_000;

/// What to replay.
pub struct Replay<'a> {
    /// The project.
    pub project: &'a Project,
    /// History, with what was pushed taken over.
    pub store: &'a OfflineStore,
    /// Where versions come from.
    pub registry: &'a dyn Registry,
    /// The moments of answering that count.
    pub range: Range,
}

impl Replay<'_> {
    /// Replays the answers of one model, or of all: scores, and lists of products.
    ///
    /// # Errors
    /// What reading the log and history report. A version that cannot be loaded is no error: its rows are
    /// counted as skipped, with the reason.
    pub fn run(&self, model: Option<&str>) -> Result<SkewReport, ServeError> {
        let folder = folder(&self.project.state);
        let named = match model {
            Some(name) => vec![name.to_owned()],
            None => models(&folder)?,
        };
        let mut report = SkewReport::default();
        let rebuilt = Rebuilt::new(self.project, self.store);
        for name in named {
            let (rows, report) = (Vec::new(), &mut report);
            let mut job = Job { replay: self, rebuilt: &rebuilt, model: &name, version: 0, rows, report };
            scores(&folder, &name, self.range, &mut |row| job.take(row))?;
            job.settle()?;
            self.lists(&name, &rebuilt, report)?;
        }
        report.sort();
        Ok(report)
    }
}

impl Replay<'_> {
    fn lists(&self, model: &str, rebuilt: &Rebuilt<'_>, report: &mut SkewReport) -> Result<(), ServeError> {
        // What is no name has no version, and so no answers that could be made again.
        let Ok(name) = ModelName::new(model) else { return Ok(()) };
        let mut again = None;
        lists(&folder(&self.project.state), model, self.range, &mut |list| {
            let again = match &mut again {
                Some(again) => again,
                none => none.insert(Lists::new((self.project, self.registry), rebuilt.store()?, &name)?),
            };
            again.compare(&list, report)
        })
    }
}

/// One model's rows, gathered by version.
struct Job<'a, 'r> {
    replay: &'a Replay<'a>,
    rebuilt: &'a Rebuilt<'a>,
    model: &'a str,
    version: u32,
    rows: Vec<LoggedScore>,
    report: &'r mut SkewReport,
}

impl Job<'_, '_> {
    fn take(&mut self, row: LoggedScore) -> Result<(), ServeError> {
        if row.head.version != self.version || self.rows.len() >= ROWS_AT_ONCE {
            self.settle()?;
            self.version = row.head.version;
        }
        self.rows.push(row);
        Ok(())
    }

    /// Computes what was gathered again, and compares.
    fn settle(&mut self) -> Result<(), ServeError> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(());
        }
        let scoring = match self.load() {
            Ok(scoring) => scoring,
            Err(reason) => {
                self.report.skip(self.model, self.version, rows.len(), reason);
                return Ok(());
            }
        };
        let Replay { project, store, .. } = self.replay;
        let values = Recompute { project, store, rebuilt: self.rebuilt, scoring: &scoring }.inputs(&rows)?;
        let comparison = Comparison { model: self.model, version: self.version, scoring: &scoring };
        comparison.compare(&rows, &values, self.report)
    }

    /// The version that answered, when it still reads what the project declares.
    fn load(&self) -> Result<ScoringModel, String> {
        let Replay { project, registry, .. } = self.replay;
        let name = ModelName::new(self.model).map_err(|error| error.to_string())?;
        let artifact =
            registry.artifact(&name, ModelVersion(self.version)).map_err(|error| error.to_string())?;
        let scoring = ScoringModel::load(&artifact).map_err(|error| error.to_string())?;
        if let Some(read) = &scoring.signature().feature_set {
            let now = project.feature_sets.get(&read.name).map(|set| set.hash.as_str());
            if now != Some(read.hash.as_str()) {
                return Err(format!("the project defines the feature set {} otherwise now", read.name));
            }
        }
        Ok(scoring)
    }
}
