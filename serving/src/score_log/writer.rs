//! The thread that writes the log.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_schema::SchemaRef;
use indexmap::IndexMap;
use scorehouse_features::definition::ScoreLogSettings;
use scorehouse_features::time::{Clock, Span};

use super::columns;
use super::queue::{Queue, Taken};
use super::record::Answered;
use super::roll::{self, Name, OPEN, day};
use super::segment::Segment;
use crate::error::ServeError;
use crate::telemetry::Metrics;

/// Bytes in memory after which a segment is rolled.
const SEGMENT_BYTES: usize = 64 << 20;
/// Age after which a segment is rolled.
const SEGMENT_AGE: Duration = Duration::from_secs(3600);

/// What the thread holds.
pub struct Writer {
    folder: PathBuf,
    flush: Duration,
    keep: Option<Span>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    open: IndexMap<(String, u32, String), Open>,
    /// Tells segments of one process apart.
    made: u64,
}

struct Open {
    segment: Segment,
    schema: SchemaRef,
    since: Instant,
}

impl Writer {
    /// A writer into `folder`, which is made if need be.
    ///
    /// # Errors
    /// [`ServeError::Io`].
    pub fn new(
        folder: PathBuf,
        settings: &ScoreLogSettings,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ServeError> {
        let open = folder.join(OPEN);
        std::fs::create_dir_all(&open)
            .map_err(|source| ServeError::Io { what: open.display().to_string(), source })?;
        let flush = Duration::from_micros(settings.flush.0.unsigned_abs());
        let keep = settings.keep;
        Ok(Self { folder, flush, keep, clock, metrics, open: IndexMap::new(), made: 0 })
    }

    /// Writes until the queue is closed.
    pub fn run(mut self, queue: &Queue) {
        self.roll_all();
        let mut failing = false;
        loop {
            let taken = queue.take(self.flush);
            self.metrics.score_log_waiting(taken.bytes);
            let written = self.write(&taken);
            if let Err(error) = &written {
                let rows = taken.answers.iter().map(|answered| answered.answers.rows()).sum();
                self.metrics.score_log_rows("lost", rows);
                if !failing {
                    tracing::error!(%error, "the score log cannot be written; answers go on without it");
                }
            }
            failing = written.is_err();
            queue.settle(&taken, failing);
            if taken.closed {
                self.open.clear();
                self.roll_all();
                return;
            }
            self.roll_due();
        }
    }

    /// Appends what was taken to the segments it belongs to.
    fn write(&mut self, taken: &Taken) -> Result<(), String> {
        let mut groups: IndexMap<(String, u32, String), Vec<&Answered>> = IndexMap::new();
        for answered in &taken.answers {
            let model = &answered.selected.model;
            let group = (model.name().to_owned(), model.version().0, day(answered.at));
            groups.entry(group).or_default().push(answered);
        }
        let mut failed = Ok(());
        for (group, answers) in groups {
            if let Err(error) = self.append(&group, &answers) {
                // What is torn is not written to again; the next answers begin a segment of their own.
                self.open.swap_remove(&group);
                failed = Err(error);
            }
        }
        failed
    }

    fn append(&mut self, group: &(String, u32, String), answers: &[&Answered]) -> Result<(), String> {
        let Some(first) = answers.first() else { return Ok(()) };
        let model = &first.selected.model;
        if !self.open.contains_key(group) {
            let schema = columns::schema(model);
            let path = self.next(group, first);
            let segment = Segment::create(path, &schema).map_err(|error| error.to_string())?;
            self.open.insert(group.clone(), Open { segment, schema, since: Instant::now() });
        }
        let Some(open) = self.open.get_mut(group) else { return Ok(()) };
        let batch = columns::batch(&open.schema, model, answers.iter().copied());
        let batch = batch.map_err(|error| error.to_string())?;
        open.segment.append(&batch).map_err(|error| error.to_string())?;
        self.metrics.score_log_rows("written", batch.num_rows());
        Ok(())
    }

    /// The file of a new segment.
    fn next(&mut self, (model, version, day): &(String, u32, String), first: &Answered) -> PathBuf {
        loop {
            self.made += 1;
            let own = format!("{version}-{:016x}-{}", first.at.0, self.made);
            let name = Name { model: model.clone(), day: day.clone(), own };
            let path = name.segment(&self.folder);
            if !path.exists() && !name.parquet(&self.folder).exists() {
                return path;
            }
        }
    }

    fn roll_due(&mut self) {
        let today = day(self.clock.now());
        let due = |(_, _, day): &(String, u32, String), open: &Open| {
            *day != today || open.segment.bytes() >= SEGMENT_BYTES || open.since.elapsed() >= SEGMENT_AGE
        };
        let groups: Vec<_> = self
            .open
            .iter()
            .filter(|(group, open)| due(group, open))
            .map(|(group, _)| group.clone())
            .collect();
        if !groups.is_empty() {
            self.forget();
        }
        for group in groups {
            if let Some(open) = self.open.swap_remove(&group) {
                match open.segment.finish() {
                    Ok(path) => self.roll(&path),
                    Err(error) => tracing::warn!(%error, "a segment of the score log could not be ended"),
                }
            }
        }
    }

    /// Rolls every segment there is, and forgets what is too old.
    fn roll_all(&self) {
        match roll::segments(&self.folder) {
            Ok(paths) => paths.iter().for_each(|path| self.roll(path)),
            Err(error) => tracing::warn!(%error, "the score log's segments cannot be listed"),
        }
        self.forget();
    }

    fn forget(&self) {
        if let Some(keep) = self.keep
            && let Err(error) = roll::forget(&self.folder, self.clock.now(), keep)
        {
            tracing::warn!(%error, "old answers cannot be removed from the score log");
        }
    }

    fn roll(&self, path: &std::path::Path) {
        if let Err(error) = roll::roll(&self.folder, path) {
            tracing::warn!(%error, segment = %path.display(), "a segment of the score log stays as it is");
        }
    }
}
