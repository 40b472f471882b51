//! The thread that writes the log.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use scorehouse_features::definition::ScoreLogSettings;
use scorehouse_features::time::{Clock, DAY, Timestamp};

use super::columns::Shape;
use super::queue::{Batch, Queue, Taken};
use super::roll::{Name, OPEN, day};
use super::roller::Roller;
use super::segment::Segment;
use super::syncer::{Due, Syncer};
use crate::error::ServeError;
use crate::telemetry::Metrics;

/// Bytes after which a segment is rolled.
const SEGMENT_BYTES: u64 = 256 << 20;
/// Bytes after which a sync begins before its time: the less lies in memory, the less a crash takes and the sooner the
/// memory is free for what comes next.
const SYNC_BYTES: u64 = 32 << 20;
/// Shortest time over which the pace of answers is measured.
const PACE: Duration = Duration::from_millis(50);
/// Age after which a segment is rolled.
const SEGMENT_AGE: Duration = Duration::from_secs(3600);

/// Model, version and day.
type Group = (String, u32, i64);

/// What the thread holds.
pub struct Writer {
    folder: PathBuf,
    flush: Duration,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    roller: Roller,
    syncer: Syncer,
    open: IndexMap<Group, Open>,
    /// Tells segments of one process apart.
    made: u64,
}

struct Open {
    segment: Segment,
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
        let roller = Roller::start(folder.clone(), settings.keep, clock.clone())?;
        let syncer = Syncer::start()?;
        Ok(Self { folder, flush, clock, metrics, roller, syncer, open: IndexMap::new(), made: 0 })
    }

    /// Writes until the queue is closed, and waits until all of it is rolled.
    pub fn run(mut self, queue: &Queue) {
        let (mut told, mut synced) = (false, Instant::now());
        let (mut bytes, mut since) = (0, Instant::now());
        loop {
            // What is written must not wait for its sync longer than promised, though nothing more comes.
            let patience = match self.unsynced() {
                0 => self.flush,
                _ => self.flush.saturating_sub(synced.elapsed()),
            };
            let mut taken = queue.take(patience);
            self.metrics.score_log_waiting(taken.bytes);
            let mut written = self.write(&mut taken);
            bytes += taken.bytes as u64;
            if taken.is_awaited() {
                written = self.sync().and(written);
                synced = Instant::now();
            } else {
                let due = synced.elapsed() >= self.flush;
                // What is due waits for what is under way, and what comes meanwhile waits in the queue.
                written = self.learn(due).and(written);
                if (due || self.unsynced() >= SYNC_BYTES) && self.begin_sync() {
                    synced = Instant::now();
                }
            }
            if since.elapsed() >= PACE {
                self.roller.tell((bytes as f64 / since.elapsed().as_secs_f64()) as u64);
                (bytes, since) = (0, Instant::now());
            }
            match &written {
                // Said once, until something could be written again.
                Err(error) if !std::mem::replace(&mut told, true) => {
                    tracing::error!(%error, "the score log cannot be written; answers go on without it");
                }
                Ok(()) if told && taken.bytes > 0 => {
                    told = false;
                    tracing::info!("the score log is written again");
                }
                _ => {}
            }
            let closed = taken.closed;
            queue.settle(taken, written.is_err());
            self.roll_if(|open, _| closed || open.segment.bytes() >= SEGMENT_BYTES);
            if closed {
                self.roller.finish();
                return;
            }
            let today = self.clock.now().0.div_euclid(DAY);
            self.roll_if(|open, day| day != today || open.since.elapsed() >= SEGMENT_AGE);
        }
    }

    fn unsynced(&self) -> u64 {
        self.open.values().map(|open| open.segment.unsynced()).sum()
    }

    /// Brings all that is written to the disk, in the background; false while the disk is at it already.
    fn begin_sync(&mut self) -> bool {
        if self.syncer.is_under_way() {
            return false;
        }
        let due: Vec<Due> = self.open.values_mut().filter_map(|open| open.segment.due()).collect();
        if !due.is_empty() {
            self.syncer.sync(due);
        }
        true
    }

    /// Gives up the segments that the disk refused in the background.
    fn learn(&mut self, wait: bool) -> std::io::Result<()> {
        let mut failed = Ok(());
        for (path, error) in self.syncer.outcome(wait) {
            let found = self.open.iter().find(|(_, open)| open.segment.path() == path);
            if let Some(group) = found.map(|(group, _)| group.clone()) {
                self.give_up(&group);
            }
            failed = Err(error);
        }
        failed
    }

    /// Waits until all that is written is on the disk.
    fn sync(&mut self) -> std::io::Result<()> {
        let mut failed = self.learn(true);
        let groups: Vec<Group> = self.open.keys().cloned().collect();
        for group in groups {
            let Some(open) = self.open.get_mut(&group) else { continue };
            if let Err(error) = open.segment.sync() {
                self.give_up(&group);
                failed = Err(error);
            }
        }
        failed
    }

    /// Hands a segment to the roller; the next answers begin another.
    fn give_up(&mut self, group: &Group) {
        if let Some(torn) = self.open.swap_remove(group) {
            self.roller.roll(torn.segment.into_path());
        }
    }

    /// Appends what was taken to the segments it belongs to.
    fn write(&mut self, taken: &mut Taken) -> std::io::Result<()> {
        let mut failed = Ok(());
        for batch in &mut taken.batches {
            let group = (batch.model.name().to_owned(), batch.model.version().0, batch.day);
            // A burst that the disk does not keep up with goes where there is more room than in the queue.
            match self.append(&group, batch, taken.behind) {
                Ok(()) => self.metrics.score_log_rows("written", batch.rows),
                Err(error) => {
                    self.give_up(&group);
                    self.metrics.score_log_rows("lost", batch.rows);
                    failed = Err(error);
                }
            }
        }
        failed
    }

    fn append(&mut self, group: &Group, batch: &mut Batch, cached: bool) -> std::io::Result<()> {
        if !self.open.contains_key(group) {
            let segment = Segment::create(self.next(group), &Shape::of(&batch.model))?;
            self.open.insert(group.clone(), Open { segment, since: Instant::now() });
        }
        self.open.get_mut(group).map_or(Ok(()), |open| open.segment.append(&mut batch.answers, cached))
    }

    /// The file of a new segment.
    fn next(&mut self, (model, version, number): &Group) -> PathBuf {
        loop {
            self.made += 1;
            let own = format!("{version}-{:016x}-{}", self.clock.now().0, self.made);
            let day = day(Timestamp(number.saturating_mul(DAY)));
            let name = Name { model: model.clone(), day, own };
            let path = name.segment(&self.folder);
            if !path.exists() && !name.parquet(&self.folder).exists() {
                return path;
            }
        }
    }

    /// Hands segments that are `due` to the roller.
    fn roll_if(&mut self, due: impl Fn(&Open, i64) -> bool) {
        let is_due = |(group, open): &(&Group, &Open)| due(open, group.2);
        let groups: Vec<Group> = self.open.iter().filter(is_due).map(|(group, _)| group.clone()).collect();
        for group in groups {
            if let Some(open) = self.open.get_mut(&group)
                && let Err(error) = open.segment.sync()
            {
                tracing::error!(%error, "the end of a segment of the score log may be lost in a crash");
            }
            self.give_up(&group);
        }
    }
}
