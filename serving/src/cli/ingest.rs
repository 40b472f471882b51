//! `scorehouse ingest`: new rows of the sources into history, and the online store's snapshot after them.

use scorehouse_features::ids::SourceName;
use scorehouse_offline::{FileOutcome, IngestReport, IngestRequest, OfflineStore, SourceReport};
use serde::Serialize;

use crate::cli::args::IngestArgs;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::history::open_store;
use crate::cli::output::{Report, count, show, table};
use crate::cli::progress::Bars;
use crate::cli::session::Session;
use crate::stores;

/// Runs `scorehouse ingest`.
///
/// # Errors
/// A failure with its fault; nothing of a source that failed is kept.
pub fn run(session: &Session, args: &IngestArgs) -> Outcome<()> {
    let names: Vec<SourceName> = args
        .sources
        .iter()
        .map(|text| SourceName::new(text).map_err(Failure::caller))
        .collect::<Outcome<_>>()?;
    let report = ingest(session, &names, args.replace, args.compact)?;
    Ok(show(&report, session.json)?)
}

/// What an ingest came to.
#[derive(Serialize)]
pub struct Ingested {
    #[serde(flatten)]
    report: IngestReport,
    /// True when the online store's snapshot was built anew.
    pub materialized: bool,
}

/// Reads the files of `names` (all sources with files when empty) and brings the snapshot up to date.
///
/// # Errors
/// A failure with its fault.
pub fn ingest(session: &Session, names: &[SourceName], replace: bool, compact: bool) -> Outcome<Ingested> {
    let store = open_store(&session.project)?;
    let bars = Bars::new("ingest", session.quiet);
    let request = IngestRequest { sources: names, replace, now: session.clock.now() };
    let report = store.ingest(&session.project, &request, &bars)?;
    if compact {
        bars.start("merging small files", 0);
        store.compact()?;
    }
    let stale = report.changed || !stores::base_path(&session.project).exists();
    if stale {
        bars.start("building the online snapshot", 0);
        materialize(session, &store)?;
    }
    bars.finish();
    Ok(Ingested { report, materialized: stale })
}

/// Builds the online store's snapshot from history and saves it.
///
/// # Errors
/// A failure with its fault.
pub fn materialize(session: &Session, store: &OfflineStore) -> Outcome<()> {
    let base = store.materialize(&session.project)?;
    let path = stores::base_path(&session.project);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    base.save(&path)?;
    Ok(())
}

impl Report for Ingested {
    fn human(&self) -> String {
        let rows = self.report.sources.iter().map(line);
        let mut text = table(
            &["source", "files", "new rows", "left out", "rejected", "rows in history"],
            &[1, 2, 3, 4, 5],
            rows,
        );
        for source in self.report.sources.iter().filter(|s| s.files.iter().any(|f| f.rejected > 0)) {
            text.push_str(&format!(
                "\n{}: rejected rows are kept in {}",
                source.source,
                source.rejects.display()
            ));
            for reason in source.files.iter().flat_map(|file| &file.reasons).take(5) {
                text.push_str(&format!("\n  {} × {}", count(reason.count), reason.what));
            }
        }
        for source in self.report.sources.iter().filter(|s| !s.gone.is_empty()) {
            text.push_str(&format!("\n{}: gone, their rows stay: {}", source.source, source.gone.join(", ")));
        }
        if !self.report.changed {
            text.push_str("\nnothing new");
        }
        text
    }
}

fn line(source: &SourceReport) -> Vec<String> {
    let sum = |pick: fn(&scorehouse_offline::FileReport) -> u64| count(source.files.iter().map(pick).sum());
    let fresh =
        source.files.iter().filter(|f| !matches!(f.outcome, FileOutcome::Unchanged | FileOutcome::SameAs(_)));
    vec![
        source.source.to_string(),
        format!("{} of {} new", fresh.count(), source.files.len()),
        sum(|f| f.kept),
        sum(|f| f.filtered),
        sum(|f| f.rejected),
        count(source.rows),
    ]
}
