//! `scorehouse train`: from history to a registered version, and to `champion` when the gate agrees.

use std::path::Path;

use scorehouse_features::definition::Pipeline;
use scorehouse_features::ids::ModelName;
use scorehouse_features::time::Timestamp;
use scorehouse_models::registry::{AliasMove, Parents, RegisterRequest, TrainingWindow};
use scorehouse_models::signature::Output;
use scorehouse_models::{AliasName, Artifact, ModelVersion, Registry, SqliteRegistry};
use scorehouse_training::{
    CandidateResult, Champion, Drift, Gate, History, LeakWarning, TrainRequest, Trained, Verdict,
};
use serde::Serialize;

use crate::cli::args::TrainArgs;
use crate::cli::evaluation;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::history::StoreHistory;
use crate::cli::output::{Report, show};
use crate::cli::progress::Bars;
use crate::cli::session::{Session, actor, model_name};

/// Runs `scorehouse train`.
///
/// # Errors
/// A failure with its fault; models trained before it stay registered.
pub fn run(session: &Session, args: &TrainArgs) -> Outcome<()> {
    let models = chosen(session, &args.models)?;
    let now = session.moment(args.as_of.as_deref())?;
    let history = StoreHistory::open(session, now)?;
    let mut done = Vec::new();
    for model in &models {
        done.push(train_one(
            session,
            &history,
            model,
            &Order { now, promote: !args.no_promote, report: args.report.as_deref() },
        )?);
    }
    Ok(show(&TrainReport { models: done }, session.json)?)
}

/// How one model is to be trained.
pub struct Order<'a> {
    /// The present moment.
    pub now: Timestamp,
    /// Move `champion` when the gate agrees.
    pub promote: bool,
    /// Folder for a second copy of the report.
    pub report: Option<&'a Path>,
}

/// What training one model came to.
#[derive(Serialize)]
pub struct TrainedLine {
    /// The model.
    pub model: ModelName,
    /// The version that holds it.
    pub version: ModelVersion,
    /// False when this very artifact was registered before.
    pub new: bool,
    /// True when `champion` points to it now.
    pub champion: bool,
    /// The gate's word.
    pub gate: Gate,
    /// Every candidate.
    pub candidates: Vec<CandidateResult>,
    /// Rows learnt from.
    pub rows: usize,
    /// Rows of the holdout.
    pub holdout_rows: usize,
    /// Columns that seem to know the outcome.
    pub leaks: Vec<LeakWarning>,
    /// How the latest rows differ from those learnt from.
    pub drift: Option<Drift>,
    /// Where the report lies.
    pub report: Option<String>,
}

/// What training came to.
#[derive(Serialize)]
pub struct TrainReport {
    /// One line a model.
    pub models: Vec<TrainedLine>,
}

impl Report for TrainReport {
    fn human(&self) -> String {
        let mut text = evaluation::table_of(&evaluation::candidates(&self.models));
        for line in &self.models {
            let fate = if line.champion { "champion" } else { "registered, not promoted" };
            text.push_str(&format!("\n{} version {}: {fate}. {}", line.model, line.version, line.gate.why));
            for check in line.gate.checks.iter().filter(|check| !check.passed) {
                text.push_str(&format!("\n  {}: {}", check.name, check.detail));
            }
            // A worse one is told among the checks that failed.
            if let Some(comparison) = line.gate.comparison.as_ref().filter(|c| c.verdict != Verdict::Worse) {
                text.push_str(&format!("\n  {}", comparison.words));
            }
            for leak in &line.leaks {
                text.push_str(&format!("\n  {} seems to know the outcome: {}", leak.column, leak.words()));
            }
            if let Some(report) = &line.report {
                text.push_str(&format!("\n  report: {report}"));
            }
        }
        text
    }
}

fn chosen(session: &Session, names: &[String]) -> Outcome<Vec<ModelName>> {
    if names.is_empty() {
        let trained = |p: &Pipeline| !matches!(p, Pipeline::Registered(_));
        let all: Vec<ModelName> = session
            .project
            .models
            .values()
            .filter(|m| trained(&m.pipeline))
            .map(|m| m.name.clone())
            .collect();
        return if all.is_empty() {
            Err(Failure::data("the project declares no model to train; add a [model.…] section"))
        } else {
            Ok(all)
        };
    }
    names
        .iter()
        .map(|text| {
            let name = model_name(text)?;
            if session.project.models.contains_key(&name) {
                return Ok(name);
            }
            let known: Vec<&str> = session.project.models.keys().map(ModelName::as_str).collect();
            Err(Failure::caller(format!(
                "the project declares no model `{name}`; it declares {}",
                known.join(", ")
            )))
        })
        .collect()
}

/// Trains one model and registers it.
///
/// # Errors
/// A failure with its fault.
pub fn train_one(
    session: &Session,
    history: &dyn History,
    model: &ModelName,
    order: &Order<'_>,
) -> Outcome<TrainedLine> {
    let bars = Bars::new(model.as_str(), session.quiet);
    let live = Live::find(session, model)?;
    let trained = scorehouse_training::train(TrainRequest {
        project: &session.project,
        model,
        history,
        seed: session.project.seed,
        threads: session.project.settings.threads,
        now: order.now,
        champion: live.as_ref().map(Live::champion),
        progress: &bars,
    })
    .map_err(|error| Failure::from(error).during(format!("training {model}")))?;
    bars.finish();
    register(session, model, trained, order)
}

/// The version that is live before training.
struct Live {
    name: String,
    artifact: Artifact,
    learnt_to: Option<Timestamp>,
}

impl Live {
    /// The champion, if there is one of a kind that can be compared.
    fn find(session: &Session, model: &ModelName) -> Outcome<Option<Self>> {
        let registry = session.registry()?;
        if !registry.list()?.iter().any(|record| record.name == *model) {
            return Ok(None);
        }
        let Some(version) = registry.aliases(model)?.get(&AliasName::champion()).copied() else {
            return Ok(None);
        };
        let record = registry.get(model, version)?;
        if record.signature.output != Output::Probability {
            return Ok(None);
        }
        let artifact = registry.artifact(model, version)?;
        let learnt_to = record.window.map(|window| window.to);
        Ok(Some(Self { name: format!("version {version}"), artifact, learnt_to }))
    }

    fn champion(&self) -> Champion<'_> {
        Champion { artifact: &self.artifact, name: &self.name, learnt_to: self.learnt_to }
    }
}

fn register(
    session: &Session,
    model: &ModelName,
    trained: Trained,
    order: &Order<'_>,
) -> Outcome<TrainedLine> {
    let registry = session.registry()?;
    let report = write_report(session, model, &trained, order.report)?;
    let window = trained.window.from.zip(trained.window.to).map(|(from, to)| TrainingWindow { from, to });
    let request = RegisterRequest {
        model: model.clone(),
        artifact: trained.artifact.to_bytes()?,
        metrics: serde_json::to_value(&trained.metrics)
            .map_err(|e| Failure::new(scorehouse_features::Fault::Bug, e))?,
        window,
        parents: Parents {
            feature_set: trained.artifact.signature.feature_set.clone(),
            data_digest: Some(trained.data_digest.clone()),
        },
        params: trained.params.clone(),
        report: report.clone(),
        who: actor(),
        when: session.clock.now(),
    };
    let registered = registry.register(&request)?;
    let champion = promote(session, &registry, model, registered.version, &trained.gate, order)?;
    Ok(TrainedLine {
        model: model.clone(),
        version: registered.version,
        new: registered.created,
        champion,
        gate: trained.gate,
        candidates: trained.candidates,
        rows: trained.window.rows,
        holdout_rows: trained.window.holdout_rows,
        leaks: trained.leaks,
        drift: trained.drift,
        report,
    })
}

/// Moves `champion` when the gate passed; says whether it points to `version` afterwards.
fn promote(
    session: &Session,
    registry: &SqliteRegistry,
    model: &ModelName,
    version: ModelVersion,
    gate: &Gate,
    order: &Order<'_>,
) -> Outcome<bool> {
    let champion = AliasName::champion();
    if order.promote && gate.passed {
        registry.move_alias(&AliasMove {
            model: model.clone(),
            alias: champion.clone(),
            to: Some(version),
            who: actor(),
            when: session.clock.now(),
            why: gate.why.clone(),
        })?;
    }
    Ok(registry.aliases(model)?.get(&champion) == Some(&version))
}

fn write_report(
    session: &Session,
    model: &ModelName,
    trained: &Trained,
    copy: Option<&Path>,
) -> Outcome<Option<String>> {
    let Some(html) = &trained.report_html else { return Ok(None) };
    let folder = session.project.state.join("reports");
    std::fs::create_dir_all(&folder)?;
    let digest: String = trained.data_digest.chars().take(12).collect();
    let path = folder.join(format!("{model}-{digest}.html"));
    std::fs::write(&path, html)?;
    if let Some(copy) = copy {
        std::fs::create_dir_all(copy)?;
        std::fs::write(copy.join(format!("{model}.html")), html)?;
    }
    Ok(Some(path.display().to_string()))
}
