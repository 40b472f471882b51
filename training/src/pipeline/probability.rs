//! The part that every probability pipeline shares: from a dataset to a trained model.

use indexmap::IndexMap;
use scorehouse_features::definition::{ActionableSpec, Candidate, Prior};
use scorehouse_features::value::Value;
use scorehouse_models::{Artifact, Encoder, Scale, Signature, Support};
use serde_json::json;

use crate::calibrate::{Calibrated, Course, Outcomes, calibrate, support};
use crate::dataset::{ColumnNote, Dataset, baseline};
use crate::error::TrainingError;
use crate::fit::{Contest, Cut, Fitted, Folds, Learner, Settings, assemble};
use crate::gate::{Champion, Check, Gate};
use crate::leak::find_leaks;
use crate::metric::{Estimate, Evaluation, Scored, evaluate};
use crate::pipeline::contender::Contender;
use crate::pipeline::levers::levers;
use crate::pipeline::trust::Held;
use crate::progress::Progress;
use crate::report::{ReportInput, html, input_weights};
use crate::split::{Split, hold_out};
use crate::trained::{CandidateResult, Trained, TrainingWindow};

/// Rows of the rarer kind below which everybody gets the rate of the outcome.
const PRIOR_BELOW: usize = 10;
/// Rows of the rarer kind below which only the linear model is tried.
const LINEAR_BELOW: usize = 50;
/// Rows of the rarer kind below which the rate of the outcome for everybody is a candidate too.
const PRIOR_COMPETES: usize = 200;
/// Rows up to which the last calibration rests on a cross-validation of its own over all rows.
const CALIBRATED_APART: usize = 20_000;
/// Bootstrap draws behind an interval, and rows measured above which there are fewer.
const RESAMPLES: usize = 200;
const RESAMPLED_ROWS: usize = 20_000;
/// Slopes of the calibration line that are as good as 1, whatever their interval.
const SLOPE: [f64; 2] = [0.95, 1.05];
/// Rows kept as golden samples.
const GOLDEN: usize = 5;

/// The name of the loss by which candidates are compared, among the metrics.
const CROSS_VALIDATED: &str = "cross_validated_log_loss";

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
    /// What is taken for true before there are outcomes.
    pub prior: Prior,
    /// True when an entity with a row in the holdout is not learnt from.
    pub whole_groups: bool,
    /// What people can change, by column.
    pub actionable: IndexMap<String, ActionableSpec>,
    /// Kept in the artifact.
    pub details: serde_json::Value,
    pub seed: u64,
    /// The model that is live now.
    pub champion: Option<Champion<'a>>,
    pub progress: &'a dyn Progress,
}

/// What came of a task.
struct Learnt {
    artifact: Artifact,
    calibrated: Calibrated,
    contenders: Vec<Contender>,
    /// How each contender did on the holdout.
    judged: Vec<Evaluation>,
    /// The chosen one's probabilities there.
    held: Held,
    chosen: usize,
}

impl Task<'_> {
    /// Learns, compares, chooses, learns again on everything.
    pub fn learn(self) -> Result<Trained, TrainingError> {
        // A mistake is told before the work begins.
        levers(&self.data, &self.actionable)?;
        let split = hold_out(&self.data, self.holdout, self.whole_groups, self.seed);
        let folds = self.folds(split.train.clone());
        let contenders = self.contest(&split, &folds)?;
        let asked = folds.asked();
        let maps: Vec<Calibrated> =
            contenders.iter().map(|one| self.map(one, (&asked, folds.forward), &one.out_of_fold)).collect();
        let chosen = choose(&contenders, &maps, &self.labels(&asked), folds.forward);
        self.progress.stage("measuring candidates", contenders.len() as u64);
        let mut held: Vec<Held> = contenders
            .iter()
            .zip(&maps)
            .map(|(contender, map)| self.held(contender, map, &asked, &split))
            .collect();
        let judge = |(held, map): (&Held, &Calibrated)| {
            self.progress.advance(1);
            self.judge(held, map)
        };
        let judged: Vec<Evaluation> = held.iter().zip(&maps).map(judge).collect();
        let held = held.swap_remove(chosen);
        let (calibrated, support) = self.final_calibration(&contenders[chosen], &asked, &folds, &split)?;
        self.progress.stage("learning from all rows", contenders[chosen].members.len() as u64);
        let members = self.refit(&contenders[chosen])?;
        let artifact = self.artifact(&members, &calibrated, support)?;
        let learnt = Learnt { artifact, calibrated, contenders, judged, held, chosen };
        self.finish(learnt, &split)
    }

    fn learner(&self) -> Learner<'_> {
        Learner { data: &self.data, notes: &self.notes, prior: self.prior, seed: self.seed }
    }

    fn folds(&self, rows: Vec<u32>) -> Folds {
        let parts = match rows.len() {
            ..5_000 => 5,
            5_000..20_000 => 4,
            _ => 3,
        };
        Folds::new(&self.data, rows, Cut { parts, whole_groups: self.whole_groups, seed: self.seed ^ 0xf01d })
    }

    fn rarer(&self, rows: &[u32]) -> usize {
        let with = rows.iter().filter(|row| self.data.label[**row as usize] > 0.5).count();
        with.min(rows.len() - with)
    }

    fn tried(&self, rows: &[u32]) -> Vec<Candidate> {
        let rarer = self.rarer(rows);
        if rarer < PRIOR_BELOW || self.data.columns.is_empty() {
            self.progress.message(&format!(
                "only {rarer} of {} rows are of the rarer kind: everybody gets their rate, drawn towards the prior",
                rows.len()
            ));
            return Vec::new();
        }
        if !self.data.monotone.is_empty() {
            self.progress.message("only boosted trees can promise a direction: no other candidate is tried");
            return vec![Candidate::Boosting];
        }
        if rarer < LINEAR_BELOW {
            self.progress.message("few outcomes: only a strongly penalised linear model is tried");
            return vec![Candidate::Logistic];
        }
        self.candidates.clone()
    }

    fn contest(&self, split: &Split, folds: &Folds) -> Result<Vec<Contender>, TrainingError> {
        let contest =
            Contest { learner: self.learner(), folds, held_out: &split.holdout, progress: self.progress };
        let mut contenders = Vec::new();
        if self.rarer(&split.train) < PRIOR_COMPETES {
            contenders.push(Contender::alone(contest.enter_with(Settings::Prior)?));
        }
        let entries: Result<Vec<Contender>, TrainingError> = self
            .tried(&split.train)
            .into_iter()
            .map(|candidate| Ok(Contender::alone(contest.enter(candidate)?)))
            .collect();
        let entries = entries?;
        let average = Contender::average(&entries, &self.labels(&folds.asked()), folds);
        if contenders.is_empty() && entries.is_empty() {
            contenders.push(Contender::alone(contest.enter_with(Settings::Prior)?));
        }
        Ok(contenders.into_iter().chain(entries).chain(average).collect())
    }

    fn labels(&self, rows: &[u32]) -> Vec<f64> {
        rows.iter().map(|row| self.data.label[*row as usize]).collect()
    }

    fn groups(&self, rows: &[u32]) -> Option<Vec<u32>> {
        let group = self.data.group.as_ref()?;
        Some(rows.iter().map(|row| group[*row as usize]).collect())
    }

    /// The map for scores of rows that the contender did not learn from; of earlier rows only, if `forward`.
    fn map(&self, contender: &Contender, (rows, forward): (&[u32], bool), raw: &[f64]) -> Calibrated {
        let (label, group) = (self.labels(rows), self.groups(rows));
        let as_of: Vec<_> = rows.iter().map(|row| self.data.as_of[*row as usize]).collect();
        let known_at: Vec<_> = rows.iter().map(|row| self.data.known_at(*row)).collect();
        let time = forward.then_some(Course { as_of: &as_of, known_at: &known_at });
        let outcomes = Outcomes { raw, label: &label, group: group.as_deref(), time };
        if contender.is_prior() {
            return Calibrated::of_rates(outcomes);
        }
        calibrate(outcomes, self.prior)
    }

    /// A contender on the holdout; without one, on the rows it was cross-validated on.
    fn held(&self, contender: &Contender, map: &Calibrated, asked: &[u32], split: &Split) -> Held {
        let (raw, rows) = match split.holdout.as_slice() {
            [] => (&contender.out_of_fold, asked),
            holdout => (&contender.held_out, holdout),
        };
        let probability = raw.iter().map(|raw| map.map.apply(*raw, Scale::LogOdds).get()).collect();
        Held { rows: rows.to_vec(), probability }
    }

    fn judge(&self, held: &Held, map: &Calibrated) -> Evaluation {
        let Held { rows, probability } = held;
        let (label, group) = (self.labels(rows), self.groups(rows));
        let scored = Scored { probability, label: &label, group: group.as_deref() };
        let resamples = (RESAMPLES * RESAMPLED_ROWS / rows.len().max(RESAMPLED_ROWS)).max(50);
        let mut evaluation = evaluate(scored, resamples, self.seed);
        let loss = Estimate { value: map.loss, low: map.loss, high: map.loss };
        evaluation.metrics.insert(CROSS_VALIDATED.to_owned(), loss);
        evaluation
    }

    /// The map of the final model and what supports its scores: every row scored by a model that did not see it
    /// speaks. With time these are the later blocks and the holdout, each asked of what was known before it. Without,
    /// and with few rows, all of them are asked once more of models that learnt from nearly as many as the final one.
    fn final_calibration(
        &self,
        contender: &Contender,
        asked: &[u32],
        folds: &Folds,
        split: &Split,
    ) -> Result<(Calibrated, f64), TrainingError> {
        let all: Vec<u32> = (0..self.data.rows as u32).collect();
        let apart = !folds.forward && !split.holdout.is_empty() && all.len() <= CALIBRATED_APART;
        let (rows, raw) = if apart {
            self.progress.stage("calibrating", contender.members.len() as u64);
            let folds = self.folds(all);
            (folds.asked(), self.cross_validate(contender, &folds)?)
        } else {
            let raw = [contender.out_of_fold.as_slice(), &contender.held_out].concat();
            ([asked, &split.holdout].concat(), raw)
        };
        let (label, group) = (self.labels(&rows), self.groups(&rows));
        let outcomes = Outcomes { raw: &raw, label: &label, group: group.as_deref(), time: None };
        Ok((self.map(contender, (&rows, folds.forward), &raw), support(outcomes, self.prior)))
    }

    fn cross_validate(&self, contender: &Contender, folds: &Folds) -> Result<Vec<f64>, TrainingError> {
        let contest = Contest { learner: self.learner(), folds, held_out: &[], progress: self.progress };
        let mut sum = vec![0.0; folds.asked().len()];
        for (share, settings) in &contender.members {
            let entry = contest.enter_with(settings.clone())?;
            sum.iter_mut().zip(entry.out_of_fold).for_each(|(sum, raw)| *sum += share * raw);
            self.progress.advance(1);
        }
        Ok(sum)
    }

    fn refit(&self, contender: &Contender) -> Result<Vec<(f64, Fitted)>, TrainingError> {
        let rows: Vec<u32> = (0..self.data.rows as u32).collect();
        let fit = |(share, settings): &(f64, Settings)| {
            let fitted = self.learner().fit(settings, &rows)?;
            self.progress.advance(1);
            Ok((*share, fitted))
        };
        contender.members.iter().map(fit).collect()
    }

    fn artifact(
        &self,
        members: &[(f64, Fitted)],
        calibrated: &Calibrated,
        support: f64,
    ) -> Result<Artifact, TrainingError> {
        let broken = |error: scorehouse_models::ModelError| TrainingError::Artifact(error.to_string());
        let assembled = assemble(members).map_err(broken)?;
        let encoder = Encoder::new(assembled.columns, &self.signature).map_err(broken)?;
        let map = calibrated.map.clone();
        let artifact = Artifact::new(self.signature.clone(), encoder, assembled.predictor, map);
        let golden: Vec<_> = (0..GOLDEN.min(self.data.rows))
            .map(|sample| {
                let row = sample * self.data.rows / GOLDEN.min(self.data.rows);
                let values: Vec<Value> = self.data.columns.iter().map(|column| column.value(row)).collect();
                (values, self.data.as_of[row])
            })
            .collect();
        let artifact = artifact
            .map_err(broken)?
            .with_support(Support::new(support).map_err(broken)?)
            .with_levers(levers(&self.data, &self.actionable)?)
            .map_err(broken)?
            .with_baseline(baseline(&self.data))
            .map_err(broken)?
            .with_golden(&golden)
            .map_err(broken)?;
        Ok(artifact.with_details(self.details.clone()))
    }

    fn finish(self, learnt: Learnt, split: &Split) -> Result<Trained, TrainingError> {
        let Learnt { artifact, calibrated, contenders, judged, held, chosen } = learnt;
        self.progress.stage("writing the report", 0);
        let weights = input_weights(&artifact, &self.data)?;
        let leaks = find_leaks(&self.data, &self.notes);
        self.warn(&leaks);
        let trust = self.trust(&held, &leaks, split, contenders[chosen].is_prior());
        let gate = self.gate(&contenders, &judged, chosen, split).with(trust.checks, Some(trust.comparison));
        let metrics = Evaluation { drift: trust.drift.clone(), ..judged[chosen].clone() };
        let params = json!({
            "chosen": contenders[chosen].name,
            "settings": contenders[chosen].settings(),
            "prior": self.prior,
            "calibration": { "kind": calibrated.kind, "half_life_days": calibrated.half_life },
            "support": artifact.support,
        });
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
        let loss = |at: usize| judged[at].value(CROSS_VALIDATED).unwrap_or(f64::NAN);
        let others: Vec<String> = (0..contenders.len())
            .filter(|at| *at != chosen)
            .map(|at| format!("{} {:.4}", contenders[at].name, loss(at)))
            .collect();
        let name = &contenders[chosen].name;
        let is_least = !(0..contenders.len()).any(|at| loss(at) < loss(chosen));
        let merit = match (is_least, contenders[chosen].members.len()) {
            (true, _) => "lost least in cross-validation",
            (false, 2..) => {
                "lost clearly less than each of its members over all blocks of time; on the later ones"
            }
            (false, _) => "lost least in cross-validation of those that tell rows apart",
        };
        let why = match others.is_empty() {
            true => format!("{name} was the only one that the data allowed"),
            false => format!(
                "{name} {merit}: {:.4} nats; {}. It is measured on {on}",
                loss(chosen),
                others.join(", ")
            ),
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
    if let Some(slope) = metrics.metrics.get("calibration_slope").filter(|slope| slope.value.is_finite()) {
        checks.push(Check {
            name: "neither too sure nor too timid".to_owned(),
            passed: (SLOPE[0]..=SLOPE[1]).contains(&slope.value) || (slope.low <= 1.0 && slope.high >= 1.0),
            decisive: false,
            detail: format!(
                "calibration slope {:.3} [{:.3}, {:.3}]; 1 is right",
                slope.value, slope.low, slope.high
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

/// The contender that loses least in cross-validation; the first of equals. With time, an average that was clearly
/// better than each of its members over all blocks is preferred: the few later blocks that maps are judged by say
/// less. Rates for everybody, which lose least
/// where rates change from block to block, do not stand in the way of one that tells rows apart: what it says is
/// calibrated on the latest rows in the end.
fn choose(contenders: &[Contender], maps: &[Calibrated], label: &[f64], forward: bool) -> usize {
    let loss = |at: usize| if maps[at].loss.is_finite() { maps[at].loss } else { f64::INFINITY };
    let least = |one: usize, other: usize| if loss(other) < loss(one) { other } else { one };
    let best = (0..maps.len()).reduce(least).unwrap_or(0);
    if !contenders.get(best).is_some_and(Contender::is_prior) {
        let average = contenders.iter().position(|contender| contender.members.len() > 1);
        return average.filter(|_| forward).unwrap_or(best);
    }
    (0..maps.len()).filter(|at| contenders[*at].tells_apart(label)).reduce(least).unwrap_or(best)
}
