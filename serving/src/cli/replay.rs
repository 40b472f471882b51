//! `scorehouse replay`: does what was served agree with what history says now?

use scorehouse_features::time::Timestamp;

use crate::cli::args::ReplayArgs;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::history::open_store;
use crate::cli::output::{Report, count, show, table};
use crate::cli::session::Session;
use crate::replay::{Replay, SkewReport};
use crate::score_log::read::Range;

/// Runs `scorehouse replay`.
///
/// # Errors
/// A data failure when anything differs, after the report is written; a failure with its fault.
pub fn run(session: &Session, args: &ReplayArgs) -> Outcome<()> {
    let range = range(args.since.as_deref(), args.until.as_deref())?;
    let registry = session.registry()?;
    let store = open_store(&session.project)?;
    let replay = Replay { project: &session.project, store: &store, registry: &registry, range };
    let report = replay.run(args.model.as_deref())?;
    show(&report, session.json)?;
    if report.different > 0 {
        let message = format!("{} of {} answers differ from history", report.different, report.rows);
        return Err(Failure::data(message));
    }
    Ok(())
}

/// The moments between two options.
///
/// # Errors
/// A caller's failure for text that is no moment.
pub fn range(since: Option<&str>, until: Option<&str>) -> Outcome<Range> {
    let moment = |text: Option<&str>, otherwise| {
        text.map_or(Ok(otherwise), |text| Timestamp::parse(text).map_err(Failure::caller))
    };
    Ok(Range { since: moment(since, Timestamp::MIN)?, until: moment(until, Timestamp::MAX)? })
}

impl Report for SkewReport {
    fn human(&self) -> String {
        let mut text = format!(
            "{} answers computed again: {} the same to the last bit, {} not",
            count(self.rows as u64),
            count(self.same as u64),
            count(self.different as u64)
        );
        if !self.features.is_empty() {
            let rows = self.features.iter().map(|skew| {
                let example = skew.examples.first();
                let shown = |of: fn(&crate::replay::Example) -> String| example.map(of).unwrap_or_default();
                vec![
                    skew.model.clone(),
                    skew.feature.clone(),
                    count(skew.rows as u64),
                    shown(|example| example.key.clone().unwrap_or_default()),
                    shown(|example| example.as_of.to_string()),
                    shown(|example| example.served.to_string()),
                    shown(|example| example.now.to_string()),
                ]
            });
            let header = ["model", "feature", "rows", "such as", "as of", "served", "now"];
            text.push('\n');
            text.push_str(&table(&header, &[2], rows));
        }
        for skew in &self.scores {
            text.push_str(&format!(
                "\n{} version {}: {} scores differ, by {} at most",
                skew.model,
                skew.version,
                count(skew.rows as u64),
                skew.largest
            ));
        }
        for skipped in &self.skipped {
            text.push_str(&format!(
                "\n{} version {}: {} answers passed over: {}",
                skipped.model,
                skipped.version,
                count(skipped.rows as u64),
                skipped.reason
            ));
        }
        text
    }
}
