//! Raw files join the history: read in order, rejects kept aside, all of a run or none of it.

mod columnar;
mod plan;
mod read;
mod rejects;
mod sink;
mod takeout;

use std::collections::HashSet;

use scorehouse_features::definition::{Project, Source};
use scorehouse_features::ids::SourceName;
use scorehouse_features::time::Timestamp;

use crate::error::OfflineError;
use crate::manifest::{self, Content, IngestedFile, Manifest, SourceHistory};
use crate::progress::Progress;
use crate::report::{FileOutcome, FileReport, IngestReport, SourceReport};
use crate::scan::stale;
use crate::store::{OfflineStore, find_source};
use plan::{RawFile, Task, raw_files, task};
use read::{Findings, read_file};
use rejects::{Rejects, counted};
use sink::Sink;

/// What is to be ingested.
#[derive(Debug, Clone, Copy)]
pub struct IngestRequest<'a> {
    /// The sources; none means all that have files.
    pub sources: &'a [SourceName],
    /// Take out and read anew what has changed, instead of refusing it.
    pub replace: bool,
    /// The present moment, for the record.
    pub now: Timestamp,
}

/// What changes while a run goes on, and becomes the history if it ends well.
struct Run<'a> {
    store: &'a OfflineStore,
    project: &'a Project,
    request: &'a IngestRequest<'a>,
    progress: &'a dyn Progress,
    manifest: Manifest,
    /// Files that this run no longer needs.
    retired: Vec<String>,
    rejects: Vec<(Rejects, bool)>,
    changed: bool,
}

impl OfflineStore {
    /// Takes the files of sources into the history: new files, new lines of files that have grown, and, if
    /// asked to, files that have changed. What was taken in before is left alone. Nothing is committed unless
    /// every source could be read and stays within its share of rejected rows; rejected rows are in
    /// `state/rejects` either way.
    ///
    /// Rows pushed before are taken over first, so that arrival numbers tell the order of arrival.
    ///
    /// # Errors
    /// [`OfflineError`], which says what to do; the history is then as it was.
    pub fn ingest(
        &self,
        project: &Project,
        request: &IngestRequest<'_>,
        progress: &dyn Progress,
    ) -> Result<IngestReport, OfflineError> {
        let _lock = self.storage().lock()?;
        let before = self.manifest()?;
        let mut run = Run {
            store: self,
            project,
            request,
            progress,
            manifest: before.clone(),
            retired: Vec::new(),
            rejects: Vec::new(),
            changed: false,
        };
        match run.all() {
            Ok(report) => run.commit(report),
            Err(error) => {
                run.give_up(&before)?;
                Err(error)
            }
        }
    }
}

impl Run<'_> {
    fn all(&mut self) -> Result<IngestReport, OfflineError> {
        let mut report = IngestReport::default();
        let wanted: Vec<SourceName> = if self.request.sources.is_empty() {
            let with_files = self.project.sources.values().filter(|s| s.path.is_some());
            with_files.map(|s| s.name.clone()).collect()
        } else {
            self.request.sources.to_vec()
        };
        self.changed |= !self.drain(&wanted)?.is_empty();
        for name in &wanted {
            let source = find_source(self.project, name)?;
            report.sources.push(self.source(source)?);
        }
        report.changed = self.changed;
        Ok(report)
    }

    /// Sources about to be rebuilt take their pushed rows over after that.
    fn drain(&mut self, wanted: &[SourceName]) -> Result<Vec<(SourceName, u64)>, OfflineError> {
        if self.request.replace {
            for name in wanted {
                let source = find_source(self.project, name)?;
                self.rebuild_if_stale(source)?;
            }
        }
        Ok(self.store.drain_into(self.project, &mut self.manifest)?.rows)
    }

    fn history(&mut self, source: &Source) -> &mut SourceHistory {
        self.manifest.sources.entry(source.name.clone()).or_default()
    }

    /// Takes out every row that came from a file, and recasts the others, when the source means something
    /// else than it did.
    fn rebuild_if_stale(&mut self, source: &Source) -> Result<(), OfflineError> {
        let definition = manifest::definition(source);
        if stale(self.history(source), &definition).is_none() {
            return Ok(());
        }
        let files = std::mem::take(&mut self.history(source).ingested);
        let ranges: Vec<(i64, i64)> = files.iter().flat_map(|f| f.arrivals.clone()).collect();
        let lost = takeout::rebuild(self, source, &ranges)?;
        if lost > 0 {
            let text = format!("source {}: {lost} pushed rows do not fit its new definition", source.name);
            self.progress.message(&text);
        }
        self.changed = true;
        Ok(())
    }

    fn source(&mut self, source: &Source) -> Result<SourceReport, OfflineError> {
        let definition = manifest::definition(source);
        if let Some(changes) = stale(self.history(source), &definition) {
            return Err(OfflineError::DefinitionChanged { source_name: source.name.clone(), changes });
        }
        let history = self.history(source);
        history.columns = manifest::columns(source);
        history.definition = definition;
        let files = raw_files(self.project, source)?;
        let replace = self.request.replace;
        let mut tasks = Vec::with_capacity(files.len());
        for (at, file) in files.iter().enumerate() {
            tasks.push(task(source, self.history(source), &files[..at], file, replace)?);
        }
        let total = files.iter().zip(&tasks).filter(|(_, t)| t.reads()).map(|(f, _)| f.bytes).sum();
        self.progress.stage(source.name.as_str(), total);
        let mut sink = Sink::new(self, source);
        let mut reports = Vec::with_capacity(files.len());
        let mut outcome = Ok(());
        for (file, task) in files.iter().zip(&tasks) {
            match self.file(source, file, task, &mut sink) {
                Ok(report) => reports.push(report),
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        self.finish(source, &files, reports, sink, outcome)
    }

    fn finish(
        &mut self,
        source: &Source,
        files: &[RawFile],
        reports: Vec<FileReport>,
        sink: Sink<'_>,
        outcome: Result<(), OfflineError>,
    ) -> Result<SourceReport, OfflineError> {
        let read: u64 = reports.iter().map(|f| f.read).sum();
        let rejected: u64 = reports.iter().map(|f| f.rejected).sum();
        if let Err(error) = outcome {
            let (written, rejects) = sink.abandon();
            self.history(source).files.extend(written);
            rejects.stop()?;
            return Err(error);
        }
        let (written, next_arrival, rejects) = sink.close()?;
        self.history(source).files.extend(written);
        self.manifest.next_arrival = next_arrival;
        let path = rejects.path().to_owned();
        if rejected as f64 > source.max_rejected * read as f64 {
            return Err(too_many(source, &reports, (rejected, read), rejects.stop()?));
        }
        let anew = reports.iter().all(|f| matches!(f.outcome, FileOutcome::Replaced | FileOutcome::Added));
        self.rejects.push((rejects, anew && read > 0));
        let names: HashSet<&str> = files.iter().map(|f| f.name.as_str()).collect();
        let history = self.history(source);
        let gone = history.ingested.iter().filter(|f| !names.contains(f.path.as_str()));
        let gone = gone.map(|f| f.path.clone()).collect();
        let rows = history.rows();
        Ok(SourceReport { source: source.name.clone(), files: reports, gone, rows, rejects: path })
    }

    fn file(
        &mut self,
        source: &Source,
        file: &RawFile,
        task: &Task,
        sink: &mut Sink<'_>,
    ) -> Result<FileReport, OfflineError> {
        let (outcome, skip) = match task {
            Task::Unchanged => return Ok(untouched(file, FileOutcome::Unchanged)),
            Task::SameAs(other) => return Ok(untouched(file, FileOutcome::SameAs(other.clone()))),
            Task::Add => (FileOutcome::Added, 0),
            Task::Extend(read) => (FileOutcome::Grown, *read),
            Task::Replace => (FileOutcome::Replaced, 0),
        };
        self.changed = true;
        if *task == Task::Replace {
            let history = self.history(source);
            let at = history.ingested.iter().position(|known| known.path == file.name);
            if let Some(known) = at.map(|at| history.ingested.remove(at)) {
                takeout::take_out(self, source, &known.arrivals)?;
            }
        }
        let first = sink.next_arrival();
        let mut found = read_file(source, file, skip, sink, self.progress)?;
        let arrivals = (first, sink.next_arrival() - 1);
        self.record(source, file, &found, arrivals);
        let nulls = found.nulls();
        Ok(FileReport {
            path: file.name.clone(),
            outcome,
            read: found.read,
            kept: found.kept,
            filtered: found.filtered,
            rejected: found.rejected,
            reasons: counted(std::mem::take(&mut found.reasons)),
            nulls,
            formats: found.formats,
            ignored: found.ignored,
            delimiter: found.delimiter.map(|d| char::from(d).to_string()),
            encoding: found.encoding,
        })
    }

    /// Notes a file's rows in the manifest.
    fn record(&mut self, source: &Source, file: &RawFile, found: &Findings, arrivals: (i64, i64)) {
        let now = self.request.now;
        let history = self.history(source);
        let at = history.ingested.iter().position(|known| known.path == file.name);
        let mut known = at.map(|at| history.ingested.remove(at)).unwrap_or(IngestedFile {
            path: file.name.clone(),
            digest: String::new(),
            bytes: 0,
            content: None,
            read: 0,
            kept: 0,
            filtered: 0,
            rejected: 0,
            arrivals: Vec::new(),
            at: now,
        });
        known.digest.clone_from(&file.digest);
        known.bytes = file.bytes;
        known.content = found.content.as_ref().map(|mark| Content {
            bytes: mark.bytes,
            digest: mark.digest.clone(),
            ends_line: mark.ends_line,
        });
        known.read += found.read;
        known.kept += found.kept;
        known.filtered += found.filtered;
        known.rejected += found.rejected;
        if arrivals.1 >= arrivals.0 {
            known.arrivals.push(arrivals);
        }
        known.at = now;
        history.ingested.push(known);
    }

    fn commit(self, report: IngestReport) -> Result<IngestReport, OfflineError> {
        if !self.changed {
            return Ok(report);
        }
        self.store.block_on(self.store.storage().commit(self.manifest, self.retired))?;
        for (rejects, anew) in self.rejects {
            rejects.commit(anew)?;
        }
        Ok(report)
    }

    /// Removes what the run has written; a file that cannot be removed is named by no manifest anyway.
    fn give_up(self, before: &Manifest) -> Result<(), OfflineError> {
        let known: HashSet<&str> =
            before.sources.values().flat_map(|s| s.files.iter().map(|f| f.path.as_str())).collect();
        let written: Vec<String> = self
            .manifest
            .sources
            .values()
            .flat_map(|s| s.files.iter().map(|f| f.path.clone()))
            .chain(self.retired)
            .filter(|path| !known.contains(path.as_str()))
            .collect();
        for path in written {
            self.store.block_on(self.store.storage().delete(&path))?;
        }
        for (rejects, _) in self.rejects {
            rejects.stop()?;
        }
        Ok(())
    }
}

fn untouched(file: &RawFile, outcome: FileOutcome) -> FileReport {
    FileReport {
        path: file.name.clone(),
        outcome,
        read: 0,
        kept: 0,
        filtered: 0,
        rejected: 0,
        reasons: Vec::new(),
        nulls: Vec::new(),
        formats: Vec::new(),
        ignored: Vec::new(),
        delimiter: None,
        encoding: None,
    }
}

fn too_many(
    source: &Source,
    reports: &[FileReport],
    (rejected, read): (u64, u64),
    rejects: std::path::PathBuf,
) -> OfflineError {
    let most = reports.iter().flat_map(|f| &f.reasons).max_by_key(|r| r.count);
    OfflineError::TooManyRejected {
        source_name: source.name.clone(),
        rejected,
        read,
        allowed: source.max_rejected * 100.0,
        first_reason: most.map(|r| format!("{} of them: {}", r.count, r.what)).unwrap_or_default(),
        rejects,
    }
}
