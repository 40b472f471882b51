//! `scorehouse monitor`: what became of the scores.

use crate::cli::args::MonitorArgs;
use crate::cli::failure::Outcome;
use crate::cli::history::open_store;
use crate::cli::output::{Report, count, show, table};
use crate::cli::session::Session;
use crate::monitor::{Figure, Monitor, MonitorReport, Quality};
use crate::service::monitor::{PeriodAsked, grouped};

/// Runs `scorehouse monitor`.
///
/// # Errors
/// A failure with its fault.
pub fn run(session: &Session, args: &MonitorArgs) -> Outcome<()> {
    let (since, until, every) = (args.since.clone(), args.until.clone(), args.every.clone());
    let (range, every) = grouped(&PeriodAsked { since, until, every })?;
    let registry = session.registry()?;
    let store = open_store(&session.project)?;
    let now = session.clock.now();
    let monitor =
        Monitor { project: &session.project, store: &store, registry: &registry, now, range, every };
    Ok(show(&monitor.run(&args.model)?, session.json)?)
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

/// Champion and challenger side by side, where one was tried out.
fn beside(report: &MonitorReport) -> String {
    let Some(comparison) = &report.comparison else { return String::new() };
    let interval = |figure: Option<Figure>| {
        let shown = |f: Figure| format!("{:.3} ({:.3} to {:.3})", f.value, f.low, f.high);
        figure.map_or_else(|| "–".to_owned(), shown)
    };
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

impl Report for MonitorReport {
    fn human(&self) -> String {
        let mut text = format!(
            "{}: {} scores in the log, {} count (the last of an entity on a day), {} of them pending",
            self.model,
            count(self.scores as u64),
            count(self.counted as u64),
            count(self.pending as u64)
        );
        if self.counted == 0 {
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
        for drift in &self.drift {
            let psi = figure(drift.psi);
            text.push_str(&format!(
                "\nversion {}: {} scores, PSI against training {psi}",
                drift.version,
                count(drift.counted as u64)
            ));
        }
        text.push_str(&beside(self));
        text
    }
}
