//! The one door between the async shell and work that takes a while.
//!
//! A request that needs longer than a few hundred microseconds of CPU crosses into a bounded rayon pool; a
//! request that waits for a disk crosses to a blocking thread. Each crossing takes a permit, and when there
//! is none the caller is told to come back (429) instead of waiting in a queue without end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use prometheus::IntCounter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::error::ServeError;

/// Seconds a refused caller is asked to wait.
const RETRY_AFTER: u32 = 1;

/// The pool and its permits.
#[derive(Debug)]
pub struct Compute {
    pool: rayon::ThreadPool,
    work: Arc<Semaphore>,
    /// Whose turn it is to spread over all threads.
    turn: Semaphore,
    /// Permits of work that spreads over all threads.
    whole: u32,
    waits: Arc<Semaphore>,
    joins: Arc<Semaphore>,
    panics: IntCounter,
}

/// How many crossings may be under way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doors {
    /// Worker threads; 0 means one per core.
    pub threads: usize,
    /// Pieces of CPU work that take one thread; one that spreads over all of them counts for as many as there are.
    pub work: usize,
    /// Waits for a disk, such as a durable push.
    pub waits: usize,
    /// Point-in-time joins, each of which may use the project's whole memory limit.
    pub joins: usize,
}

impl Default for Doors {
    fn default() -> Self {
        Self { threads: 0, work: 64, waits: 256, joins: 2 }
    }
}

impl Doors {
    /// Doors for a pool of `threads` (0: one per core). Two pieces of work a thread, or two that spread over all threads,
    /// keep every thread at work; a third would only wait, and its caller is better told so.
    #[must_use]
    pub fn of(threads: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let working = if threads == 0 { cores } else { threads };
        Self { threads, work: 2 * working, ..Self::default() }
    }
}

impl Compute {
    /// Starts the pool.
    ///
    /// # Errors
    /// [`ServeError::Bug`] when the threads cannot be started.
    pub fn new(doors: Doors, panics: IntCounter) -> Result<Self, ServeError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(doors.threads)
            .thread_name(|i| format!("compute-{i}"))
            .build()
            .map_err(|error| ServeError::Bug {
                message: format!("the compute pool did not start: {error}"),
            })?;
        let whole = pool.current_num_threads().min(doors.work).max(1);
        Ok(Self {
            pool,
            work: Arc::new(Semaphore::new(doors.work)),
            turn: Semaphore::new(1),
            whole: u32::try_from(whole).unwrap_or(u32::MAX),
            waits: Arc::new(Semaphore::new(doors.waits)),
            joins: Arc::new(Semaphore::new(doors.joins)),
            panics,
        })
    }

    /// Runs CPU work in the pool.
    ///
    /// # Errors
    /// [`ServeError::Overloaded`] without a free permit, [`ServeError::Bug`] when the work panicked.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ServeError> {
        self.within(take(&self.work)?, work).await
    }

    /// Runs CPU work that spreads over all threads of the pool: while one such piece runs another may wait, and no
    /// third. Each takes as long as all before it, so that a queue of them would make every one of them slow; and begun
    /// side by side, a thread that waits for the end of one would take up the other first.
    ///
    /// # Errors
    /// As [`Compute::work`].
    pub async fn spread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ServeError> {
        let permit = take_many(&self.work, self.whole)?;
        let _turn = self.turn.acquire().await;
        self.within(permit, work).await
    }

    async fn within<T: Send + 'static>(
        &self,
        permit: OwnedSemaphorePermit,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ServeError> {
        let (done, answer) = oneshot::channel();
        self.pool.spawn(move || {
            // Whoever asked has gone away, or its time is over: what was not begun is left.
            if done.is_closed() {
                return;
            }
            let result = catch_unwind(AssertUnwindSafe(work));
            drop(permit);
            // A caller that has gone away needs no answer.
            let _ = done.send(result);
        });
        self.settle(answer.await.ok().and_then(Result::ok))
    }

    /// Runs work that waits for a disk.
    ///
    /// # Errors
    /// As [`Compute::work`].
    pub async fn wait<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ServeError> {
        self.block(take(&self.waits)?, work).await
    }

    /// Runs a point-in-time join.
    ///
    /// # Errors
    /// As [`Compute::work`].
    pub async fn join<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ServeError> {
        self.block(take(&self.joins)?, work).await
    }

    async fn block<T: Send + 'static>(
        &self,
        permit: OwnedSemaphorePermit,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ServeError> {
        let held = move || {
            let _permit = permit;
            work()
        };
        self.settle(tokio::task::spawn_blocking(held).await.ok())
    }

    fn settle<T>(&self, result: Option<T>) -> Result<T, ServeError> {
        result.ok_or_else(|| {
            self.panics.inc();
            ServeError::Bug { message: "work beyond the async shell panicked".into() }
        })
    }
}

fn take(permits: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ServeError> {
    take_many(permits, 1)
}

fn take_many(permits: &Arc<Semaphore>, count: u32) -> Result<OwnedSemaphorePermit, ServeError> {
    let taken = Arc::clone(permits).try_acquire_many_owned(count);
    taken.map_err(|_| ServeError::Overloaded { retry_after: RETRY_AFTER })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compute(doors: Doors) -> Compute {
        Compute::new(doors, IntCounter::new("panics", "panics").unwrap()).unwrap()
    }

    #[tokio::test]
    async fn work_without_a_permit_is_refused_with_a_time_to_come_back() {
        let compute = compute(Doors { work: 0, ..Doors::default() });
        assert!(matches!(compute.work(|| 1).await, Err(ServeError::Overloaded { retry_after: 1 })));
    }

    #[tokio::test]
    async fn work_that_spreads_takes_the_place_of_as_many_pieces_as_there_are_threads() {
        let compute = compute(Doors { threads: 2, work: 4, ..Doors::default() });
        let held = [take_many(&compute.work, 2).unwrap(), take(&compute.work).unwrap()];
        assert!(
            matches!(compute.spread(|| 1).await, Err(ServeError::Overloaded { .. })),
            "one place is left"
        );
        assert_eq!(compute.work(|| 1).await.unwrap(), 1);
        drop(held);
        assert_eq!(compute.spread(|| 1).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn of_two_pieces_that_spread_one_waits_for_the_other() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let compute = compute(Doors { threads: 2, work: 4, ..Doors::default() });
        let running = Arc::new(AtomicUsize::new(0));
        let piece = || {
            let running = running.clone();
            compute.spread(move || {
                let others = running.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_millis(50));
                running.fetch_sub(1, Ordering::SeqCst);
                others
            })
        };
        let (one, other, third) = tokio::join!(piece(), piece(), piece());
        assert_eq!((one.unwrap(), other.unwrap()), (0, 0));
        assert!(matches!(third, Err(ServeError::Overloaded { .. })));
    }

    #[tokio::test]
    async fn a_panic_beyond_the_door_is_counted_and_answered() {
        let compute = compute(Doors { threads: 1, work: 1, ..Doors::default() });
        assert!(matches!(compute.work(|| panic!("as planned")).await, Err::<(), _>(ServeError::Bug { .. })));
        assert!(matches!(compute.wait(|| panic!("as planned")).await, Err::<(), _>(ServeError::Bug { .. })));
        assert_eq!(compute.panics.get(), 2);
        assert_eq!(compute.work(|| 7).await.unwrap(), 7, "the permit came back");
    }
}
