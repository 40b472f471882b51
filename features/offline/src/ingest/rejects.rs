//! Rejected rows, kept aside with file, line and reason.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use scorehouse_features::ids::SourceName;
use scorehouse_features::source::Reject;
use scorehouse_features::source::reject::cut;

use crate::error::OfflineError;
use crate::report::Counted;

/// Bytes of a rejected record that are kept.
const RAW_LIMIT: usize = 4096;

/// The rejected rows of one source in one run: written to a file of this run, which joins the source's file
/// when the run is committed.
pub(super) struct Rejects {
    final_path: PathBuf,
    stopped_path: PathBuf,
    partial_path: PathBuf,
    to: Option<csv::Writer<BufWriter<File>>>,
}

impl Rejects {
    pub(super) fn new(state: &Path, source: &SourceName) -> Self {
        let folder = state.join("rejects");
        Self {
            final_path: folder.join(format!("{source}.csv")),
            stopped_path: folder.join(format!("{source}.stopped.csv")),
            partial_path: folder.join(format!("{source}.partial")),
            to: None,
        }
    }

    /// Where the source's rejected rows are kept.
    pub(super) fn path(&self) -> &Path {
        &self.final_path
    }

    pub(super) fn push(&mut self, reject: &Reject) -> Result<(), OfflineError> {
        let failed = |cause| OfflineError::Io { path: self.partial_path.clone(), cause };
        if self.to.is_none() {
            if let Some(folder) = self.partial_path.parent() {
                std::fs::create_dir_all(folder).map_err(OfflineError::io(folder))?;
            }
            let file = File::create(&self.partial_path).map_err(failed)?;
            self.to = Some(csv::WriterBuilder::new().from_writer(BufWriter::new(file)));
        }
        let Some(to) = &mut self.to else { return Ok(()) };
        let line = reject.line.to_string();
        let reason = reject.reason.to_string();
        to.write_record([reject.file.as_str(), &line, &reason, cut(&reject.raw, RAW_LIMIT)])
            .map_err(|error| failed(std::io::Error::other(error)))
    }

    fn close(&mut self) -> Result<bool, OfflineError> {
        let Some(to) = self.to.take() else { return Ok(false) };
        let failed = |cause: std::io::Error| OfflineError::Io { path: self.partial_path.clone(), cause };
        let mut file = to.into_inner().map_err(|e| failed(std::io::Error::other(e.to_string())))?;
        file.flush().map_err(failed)?;
        Ok(true)
    }

    /// Joins this run's rejected rows to the source's file; `anew` drops those of earlier runs.
    pub(super) fn commit(mut self, anew: bool) -> Result<(), OfflineError> {
        if anew {
            remove(&self.final_path)?;
        }
        remove(&self.stopped_path)?;
        if self.close()? {
            append(&self.partial_path, &self.final_path)?;
            remove(&self.partial_path)?;
        }
        Ok(())
    }

    /// Keeps the rejected rows of a run that was stopped in a file of their own, and tells where.
    pub(super) fn stop(mut self) -> Result<PathBuf, OfflineError> {
        remove(&self.stopped_path)?;
        if self.close()? {
            append(&self.partial_path, &self.stopped_path)?;
            remove(&self.partial_path)?;
        }
        Ok(self.stopped_path)
    }
}

fn remove(path: &Path) -> Result<(), OfflineError> {
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(OfflineError::Io { path: path.to_owned(), cause })
        }
        _ => Ok(()),
    }
}

fn append(from: &Path, to: &Path) -> Result<(), OfflineError> {
    let new = !to.exists();
    let failed = OfflineError::io(to);
    let run = || -> std::io::Result<()> {
        let mut source = File::open(from)?;
        let mut target = File::options().create(true).append(true).open(to)?;
        if new {
            target.write_all(b"file,line,reason,raw\n")?;
        }
        std::io::copy(&mut source, &mut target)?;
        target.sync_all()
    };
    run().map_err(failed)
}

/// Counts, most frequent first, then by text.
pub(super) fn counted(counts: HashMap<String, u64>) -> Vec<Counted> {
    let mut out: Vec<Counted> = counts.into_iter().map(|(what, count)| Counted { what, count }).collect();
    out.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.what.cmp(&b.what)));
    out
}
