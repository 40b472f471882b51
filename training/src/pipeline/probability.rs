//! The part that every probability pipeline shares: from a dataset to a trained model.

use scorehouse_features::definition::Candidate;
use scorehouse_features::value::Value;
use scorehouse_models::{Artifact, Calibration, Encoder, Scale, Signature};
use serde_json::json;

use crate::calibrate::calibrate;
use crate::dataset::{ColumnNote, Dataset};
use crate::error::TrainingError;
use crate::fit::{Contest, Design, Entry, Fitted, Folds, Settings, assemble, blend, mixed};
use crate::gate::{Champion, Check, Gate};
use crate::leak::find_leaks;
use crate::metric::{Evaluation, Scored, evaluate};
use crate::pipeline::trust::Held;
use crate::progress::Progress;
use crate::report::{ReportInput, html, input_weights};
use crate::split::{Split, folds_of, hold_out};
use crate::trained::{CandidateResult, Trained, TrainingWindow};

/// Rows of the rarer kind below which everybody gets the rate of the outcome.
const PRIOR_BELOW: usize = 10;
/// Rows of the rarer kind below which only the linear model is tried.
const LINEAR_BELOW: usize = 50;
/// Bootstrap draws behind an interval, and rows measured above which there are fewer.
const RESAMPLES: usize = 200;
const RESAMPLED_ROWS: usize = 20_000;
/// Rows kept as golden samples.
const GOLDEN: usize = 5;

/// What is to be learnt.
pub(crate) struct Task<'a> {
    /// The model's name, for the report.
    pub title: String,
    /// What label 1 means, for readers.
    pub outcome: String,
    pub data: Dataset,
    /// One for each column of the data.
    pub notes: Vec<ColumnNote>,
    /// Columns that are not in the data at all, and why.
    pub left_out: Vec<ColumnNote>,
    pub signature: Signature,
    pub candidates: Vec<Candidate>,
    pub holdout: f64,
    /// True when an entity with a row in the holdout is not learnt from.
    pub whole_groups: bool,
    /// Kept in the artifact.
    pub details: serde_json::Value,
    pub seed: u64,
    /// The model that is live now.
    pub champion: Option<Champion<'a>>,
    pub progress: &'a dyn Progress,
}

/// A candidate or average, scored on rows that it did not see.
struct Contender {
    name: String,
    members: Vec<(f64, Settings)>,
    /// Log-odds of the training rows, then those held out.
    out_of_fold: Vec<f64>,
    held_out: Vec<f64>,
}

impl Task<'_> {
    /// Learns, compares, chooses, learns again on everything.
    pub fn learn(self) -> Result<Trained, TrainingError> {
        let split = hold_out(&self.data, self.holdout, self.whole_groups, self.seed);
        let folds = self.folds(split.train.clone());
        let contenders = self.contest(&split, &folds)?;
        self.progress.stage("comparing candidates", contenders.len() as u64);
        let judged: Vec<Evaluation> = contenders
            .iter()
            .map(|contender| {
                self.progress.advance(1);
                self.judge(contender, &split)
            })
            .collect();
        let chosen = best_of(&judged);
        let calibration = self.final_calibration(&contenders[chosen], &split);
        self.progress.stage("learning from all rows", contenders[chosen].members.len() as u64);
        let members = self.refit(&contenders[chosen])?;
        let artifact = self.artifact(&members, calibration)?;
        self.finish(artifact, contenders, judged, chosen, &split)
    }

    fn folds(&self, rows: Vec<u32>) -> Folds {
        let count = match rows.len() {
            ..5_000 => 5,
            5_000..20_000 => 4,
            _ => 3,
        };
        let count = count.min(rows.len().max(2));
        let fold = folds_of(&self.data, &rows, count, self.seed ^ 0xf01d);
        Folds { rows, fold, count }
    }

    fn tried(&self, rows: &[u32]) -> Vec<Candidate> {
        let with = rows.iter().filter(|row| self.data.label[**row as usize] > 0.5).count();
        let rarer = with.min(rows.len() - with);
        if rarer < PRIOR_BELOW || self.data.columns.is_empty() {
            self.progress.message(&format!(
                "only {rarer} of {} rows are of the rarer kind: everybody gets the rate of the outcome",
                rows.len()
            ));
            return Vec::new();
        }
        if rarer < LINEAR_BELOW {
            self.progress.message("few outcomes: only a strongly penalised linear model is tried");
            return vec![Candidate::Logistic];
        }
        self.candidates.clone()
    }

    fn contest(&self, split: &Split, folds: &Folds) -> Result<Vec<Contender>, TrainingError> {
        let design = Design { data: &self.data, notes: &self.notes, rows: &split.train };
        let contest =
            Contest { design, folds, held_out: &split.holdout, seed: self.seed, progress: self.progress };
        let tried = self.tried(&split.train);
        if tried.is_empty() {
            return Ok(vec![Contender::alone(contest.enter_prior()?)]);
        }
        let entries: Result<Vec<Entry>, _> =
            tried.iter().map(|candidate| contest.enter(*candidate)).collect();
        let entries = entries?;
        let average = self.average(&entries, split);
        Ok(entries.into_iter().map(Contender::alone).chain(average).collect())
    }

    fn average(&self, entries: &[Entry], split: &Split) -> Option<Contender> {
        let raw: Vec<&[f64]> = entries.iter().map(|entry| entry.out_of_fold.as_slice()).collect();
        let held: Vec<&[f64]> = entries.iter().map(|entry| entry.held_out.as_slice()).collect();
        let shares = blend(&raw, &self.labels(&split.train))?;
        let members = entries.iter().zip(&shares).filter(|(_, share)| **share > 0.0);
        Some(Contender {
            name: "average".to_owned(),
            members: members.map(|(entry, share)| (*share, entry.settings.clone())).collect(),
            out_of_fold: mixed(&raw, &shares),
            held_out: mixed(&held, &shares),
        })
    }

    fn labels(&self, rows: &[u32]) -> Vec<f64> {
        rows.iter().map(|row| self.data.label[*row as usize]).collect()
    }

    /// A contender on the holdout; without one, on the rows it was cross-validated on.
    fn held(&self, contender: &Contender, split: &Split) -> Held {
        let map = contender.map(&self.labels(&split.train));
        let (raw, rows) = if split.holdout.is_empty() {
            (&contender.out_of_fold, &split.train)
        } else {
            (&contender.held_out, &split.holdout)
        };
        let probability = raw.iter().map(|raw| map.apply(*raw, Scale::LogOdds).get()).collect();
        Held { rows: rows.clone(), probability }
    }

    fn judge(&self, contender: &Contender, split: &Split) -> Evaluation {
        let Held { rows, probability } = &self.held(contender, split);
        let group: Option<Vec<u32>> =
            self.data.group.as_ref().map(|group| rows.iter().map(|row| group[*row as usize]).collect());
        let label = self.labels(rows);
        let scored = Scored { probability, label: &label, group: group.as_deref() };
        let resamples = (RESAMPLES * RESAMPLED_ROWS / rows.len().max(RESAMPLED_ROWS)).max(50);
        evaluate(scored, resamples, self.seed)
    }

    /// Every row scored by a model that did not see it speaks for the map of the final model.
    fn final_calibration(&self, contender: &Contender, split: &Split) -> Calibration {
        if contender.is_prior() {
            return Calibration::Identity;
        }
        let raw = [contender.out_of_fold.as_slice(), &contender.held_out].concat();
        let label = [self.labels(&split.train), self.labels(&split.holdout)].concat();
        calibrate(&raw, &label)
    }

    fn refit(&self, contender: &Contender) -> Result<Vec<(f64, Fitted)>, TrainingError> {
        let rows: Vec<u32> = (0..self.data.rows as u32).collect();
        let folds = self.folds(rows.clone());
        let design = Design { data: &self.data, notes: &self.notes, rows: &rows };
        let contest =
            Contest { design, folds: &folds, held_out: &[], seed: self.seed, progress: self.progress };
        let fit = |(share, settings): &(f64, Settings)| {
            let fitted = contest.refit(settings)?;
            self.progress.advance(1);
            Ok((*share, fitted))
        };
        contender.members.iter().map(fit).collect()
    }

    fn artifact(
        &self,
        members: &[(f64, Fitted)],
        calibration: Calibration,
    ) -> Result<Artifact, TrainingError> {
        let broken = |error: scorehouse_models::ModelError| TrainingError::Artifact(error.to_string());
        let assembled = assemble(members).map_err(broken)?;
        let encoder = Encoder::new(assembled.columns, &self.signature).map_err(broken)?;
        let artifact = Artifact::new(self.signature.clone(), encoder, assembled.predictor, calibration);
        let golden: Vec<_> = (0..GOLDEN.min(self.data.rows))
            .map(|sample| {
                let row = sample * self.data.rows / GOLDEN.min(self.data.rows);
                let values: Vec<Value> = self.data.columns.iter().map(|column| column.value(row)).collect();
                (values, self.data.as_of[row])
            })
            .collect();
        let artifact = artifact.map_err(broken)?.with_golden(&golden).map_err(broken)?;
        Ok(artifact.with_details(self.details.clone()))
    }

    fn finish(
        self,
        artifact: Artifact,
        contenders: Vec<Contender>,
        judged: Vec<Evaluation>,
        chosen: usize,
        split: &Split,
    ) -> Result<Trained, TrainingError> {
        self.progress.stage("writing the report", 0);
        let weights = input_weights(&artifact, &self.data)?;
        let held = self.held(&contenders[chosen], split);
        let leaks = find_leaks(&self.data, &self.notes);
        self.warn(&leaks);
        let trust = self.trust(&held, &leaks, split, contenders[chosen].is_prior());
        let gate = self.gate(&contenders, &judged, chosen, split).with(trust.checks, Some(trust.comparison));
        let metrics = Evaluation { drift: trust.drift.clone(), ..judged[chosen].clone() };
        let params = json!({ "chosen": contenders[chosen].name, "settings": contenders[chosen].settings() });
        let candidates: Vec<CandidateResult> = contenders
            .iter()
            .zip(judged)
            .enumerate()
            .map(|(at, (contender, metrics))| CandidateResult {
                name: contender.name.clone(),
                settings: contender.settings(),
                metrics,
                chosen: at == chosen,
            })
            .collect();
        let timed = self.data.known_at.is_some();
        let window = TrainingWindow {
            from: self.data.as_of.iter().min().copied().filter(|_| timed),
            to: self.data.as_of.iter().max().copied().filter(|_| timed),
            holdout_from: split.from,
            rows: self.data.rows,
            holdout_rows: split.holdout.len(),
        };
        let notes: Vec<ColumnNote> = self.notes.iter().chain(&self.left_out).cloned().collect();
        let data_digest = self.data.digest();
        let page = html(&ReportInput {
            title: &self.title,
            outcome: &self.outcome,
            gate: &gate,
            candidates: &candidates,
            window: &window,
            notes: &notes,
            weights: &weights,
            leaks: &leaks,
            drift: trust.drift.as_ref(),
            held: &held,
            data: &self.data,
            data_notes: &self.notes,
            data_digest: &data_digest,
            seed: self.seed,
        });
        let report_html = Some(page);
        Ok(Trained {
            artifact,
            metrics,
            gate,
            candidates,
            window,
            data_digest,
            params,
            report_html,
            notes,
            leaks,
            drift: trust.drift,
        })
    }

    fn gate(&self, contenders: &[Contender], judged: &[Evaluation], chosen: usize, split: &Split) -> Gate {
        let metrics = &judged[chosen];
        let on = if split.holdout.is_empty() {
            format!("{} cross-validated rows (too few to hold any out)", metrics.rows)
        } else if split.from.is_some() {
            format!("the {} latest rows", metrics.rows)
        } else {
            format!("{} rows held out", metrics.rows)
        };
        let loss = |at: usize| judged[at].value("log_loss").unwrap_or(f64::NAN);
        let others: Vec<String> = (0..contenders.len())
            .filter(|at| *at != chosen)
            .map(|at| format!("{} {:.4}", contenders[at].name, loss(at)))
            .collect();
        let name = &contenders[chosen].name;
        let why = match others.is_empty() {
            true => format!("{name} was the only one that the data allowed"),
            false => format!("{name} lost least on {on}: {:.4} nats; {}", loss(chosen), others.join(", ")),
        };
        Gate::new(name.clone(), why, checks(metrics))
    }
}

fn checks(metrics: &Evaluation) -> Vec<Check> {
    let mut checks = Vec::new();
    if let (Some(ece), Some(perfect)) = (metrics.value("ece"), metrics.value("ece_of_perfection_95")) {
        checks.push(Check {
            name: "calibrated".to_owned(),
            passed: ece <= perfect,
            decisive: false,
            detail: format!(
                "ECE {ece:.4}; perfection stays below {perfect:.4} on as many rows in 95 of 100 cases"
            ),
        });
    }
    let positives = metrics.positives.unwrap_or(0);
    checks.push(Check {
        name: "enough outcomes to judge".to_owned(),
        passed: positives >= 100 && metrics.rows - positives >= 100,
        decisive: false,
        detail: format!("{positives} of {} rows have the outcome", metrics.rows),
    });
    checks
}

/// The contender with the least loss; the first of equals.
fn best_of(judged: &[Evaluation]) -> usize {
    let loss =
        |at: usize| judged[at].value("log_loss").filter(|loss| loss.is_finite()).unwrap_or(f64::INFINITY);
    (0..judged.len()).reduce(|best, at| if loss(at) < loss(best) { at } else { best }).unwrap_or(0)
}

impl Contender {
    fn alone(entry: Entry) -> Self {
        Self {
            name: entry.settings.name().to_owned(),
            members: vec![(1.0, entry.settings)],
            out_of_fold: entry.out_of_fold,
            held_out: entry.held_out,
        }
    }

    fn is_prior(&self) -> bool {
        self.members.iter().all(|(_, settings)| *settings == Settings::Prior)
    }

    fn map(&self, label: &[f64]) -> Calibration {
        if self.is_prior() { Calibration::Identity } else { calibrate(&self.out_of_fold, label) }
    }

    fn settings(&self) -> serde_json::Value {
        match &self.members[..] {
            [(_, settings)] => settings.to_json(),
            members => {
                let one = |(share, settings): &(f64, Settings)| json!({ "share": share, "name": settings.name(), "settings": settings.to_json() });
                members.iter().map(one).collect()
            }
        }
    }
}
