//! `scorehouse monitor`: what became of the answers.

mod lists;

use scorehouse_features::ids::ModelName;
use scorehouse_features::time::Timestamp;

use crate::changes::ChangeStore;
use crate::cli::args::MonitorArgs;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::history::{StoreHistory, open_store};
use crate::cli::output::{Report, count, show, table};
use crate::cli::session::{Session, model_name};
use crate::cli::train::{Order, train_one};
use crate::monitor::{
    Alarm, Crossed, Drift, Figure, Monitor, MonitorReport, Monitored, Quality, Retrained, Watches, champion,
    judge,
};
use crate::score_log::read::Range;
use crate::service::monitor::{PeriodAsked, grouped};
use crate::stores::registry_path;

/// Features of a version that are shown.
const MOST_FEATURES: usize = 10;

/// Runs `scorehouse monitor`.
///
/// # Errors
/// A data failure when limits are to be checked and one is crossed, after the report is written; a failure with its fault.
pub fn run(session: &Session, args: &MonitorArgs) -> Outcome<()> {
    let (since, until, every) = (args.since.clone(), args.until.clone(), args.every.clone());
    let (range, every) = grouped(&PeriodAsked { since, until, every })?;
    let registry = session.registry()?;
    let store = open_store(&session.project)?;
    let now = session.clock.now();
    let monitor =
        Monitor { project: &session.project, store: &store, registry: &registry, now, range, every };
    if !args.check && !args.retrain {
        return Ok(show(&monitor.run(&args.model)?, session.json)?);
    }
    check(session, args, &monitor)
}

/// Looks as the server does: over the declared window, telling what crossed a limit. Over a range of one's own nothing is told.
fn check(session: &Session, args: &MonitorArgs, monitor: &Monitor<'_>) -> Outcome<()> {
    let model = model_name(&args.model)?;
    let Some(spec) = session.project.models.get(&model).and_then(|model| model.serving.monitor.as_ref())
    else {
        return Err(Failure::caller(format!("the project sets no limits: declare [model.{model}.monitor]")));
    };
    let Monitor { project, store, registry, now, every, .. } = *monitor;
    let chosen = args.since.is_some() || args.until.is_some();
    let range = match chosen {
        true => monitor.range,
        false => Range { since: now.before(spec.window), until: Timestamp::MAX },
    };
    let report = Monitor { project, store, registry, now, range, every }.scores(model.clone())?;
    show(&report, session.json)?;
    let Some(drift) = champion(registry, &model, &report)? else { return Ok(()) };
    let changes = ChangeStore::open(&project.state)?;
    let watches = Watches::open(&registry_path(project))?;
    let alarm = Alarm { project, store: &changes, watches: &watches, model: &model, spec, now };
    // What another range than the declared one crosses says nothing of where the model stands now.
    let crossed = if chosen { judge(drift, spec).crossed } else { alarm.raise(drift)? };
    if crossed.is_empty() {
        return Ok(());
    }
    if args.retrain {
        let done = retrain(session, &model, now);
        let told = done.as_ref().map_err(|failure| failure.message.clone()).cloned();
        alarm.retrained(&crossed, &told, session.clock.as_ref())?;
        eprintln!("{}", done?.why);
        return Ok(());
    }
    Err(Failure::data(format!("{model} has crossed {} of its limits", crossed.len())))
}

fn retrain(session: &Session, model: &ModelName, now: Timestamp) -> Outcome<Retrained> {
    let history = StoreHistory::open(session, now)?;
    let line = train_one(session, &history, model, &Order { now, promote: true, report: None })?;
    Ok(Retrained { version: line.version.0.into(), champion: line.champion, why: line.gate.why })
}

fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"))
}

fn line(name: String, counted: usize, quality: &Quality) -> Vec<String> {
    vec![
        name,
        count(counted as u64),
        count(quality.known as u64),
        figure(quality.expected),
        figure(quality.observed),
        figure(quality.auc),
        figure(quality.log_loss),
        figure(quality.ece),
    ]
}

/// How far a version's scores and their inputs lie from training.
fn shifts(drift: &Drift) -> String {
    let mut text = format!(
        "\nversion {}: {} scores, PSI against training {}",
        drift.version,
        count(drift.counted as u64),
        figure(drift.psi)
    );
    if drift.features.is_empty() {
        return text;
    }
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let rows = drift.features.iter().take(MOST_FEATURES).map(|shift| {
        let most = shift
            .most
            .as_ref()
            .map(|most| format!("{}: {} to {}", most.of, percent(most.before), percent(most.now)));
        vec![
            shift.feature.clone(),
            figure(Some(shift.psi)),
            figure(Some(shift.by_chance)),
            percent(shift.missing_before),
            percent(shift.missing),
            most.unwrap_or_default(),
        ]
    });
    let header = ["feature", "PSI", "by chance", "missing before", "missing now", "most of it"];
    text.push('\n');
    text.push_str(&table(&header, &[1, 2, 3, 4], rows));
    let more = drift.features.len().saturating_sub(MOST_FEATURES);
    if more > 0 {
        text.push_str(&format!("\n{more} more features have moved less (`--json` has them all)"));
    }
    text
}

fn interval(figure: Option<Figure>) -> String {
    let shown = |f: Figure| format!("{:.3} ({:.3} to {:.3})", f.value, f.low, f.high);
    figure.map_or_else(|| "–".to_owned(), shown)
}

/// Champion and challenger side by side, where one was tried out.
fn beside(report: &MonitorReport) -> String {
    let Some(comparison) = &report.comparison else { return String::new() };
    let lines = report.variants.iter().map(|variant| {
        let versions: Vec<String> = variant.versions.iter().map(ToString::to_string).collect();
        vec![
            format!("{} (version {})", variant.variant, versions.join(", ")),
            count(variant.counted as u64),
            count(variant.known as u64),
            figure(variant.expected),
            figure(variant.observed),
            interval(variant.auc),
            interval(variant.log_loss),
            interval(variant.ece),
        ]
    });
    let header = ["variant", "scores", "known", "expected", "observed", "AUC", "log loss", "ECE"];
    let shown = table(&header, &[1, 2, 3, 4, 5, 6, 7], lines);
    format!("\n{shown}\nthe challenger: {}", comparison.words)
}

impl Report for Monitored {
    fn human(&self) -> String {
        match self {
            Self::Scores(report) => report.human(),
            Self::Lists(report) => report.human(),
        }
    }
}

impl Report for MonitorReport {
    fn human(&self) -> String {
        let mut text = format!(
            "{}: {} scores in the log, {} count (the last of an entity on a day), {} of them pending",
            self.model,
            count(self.scores as u64),
            count(self.counted as u64),
            count(self.pending as u64)
        );
        if self.counted == 0 && self.drift.is_empty() {
            return text;
        }
        let periods = self.periods.iter().map(|period| {
            let from: String = period.from.to_string().chars().take(10).collect();
            line(format!("from {from}"), period.counted, &period.quality)
        });
        let all = line("all".to_owned(), self.counted, &self.quality);
        let header = ["period", "scores", "known", "expected", "observed", "AUC", "log loss", "ECE"];
        text.push('\n');
        text.push_str(&table(&header, &[1, 2, 3, 4, 5, 6, 7], periods.chain([all])));
        self.drift.iter().for_each(|drift| text.push_str(&shifts(drift)));
        text.push_str(&beside(self));
        for crossed in &self.crossed {
            text.push_str(&format!("\ncrossed: {}", Crossed::words(crossed)));
        }
        text
    }
}
