//! Threads that answer connections, each with a runtime of its own.
//!
//! A connection stays with the thread that it was given to, so that a request is read, answered and written without
//! waking another thread: at a few microseconds a request, handing it over would cost as much as answering it. Work that
//! takes longer goes to [`crate::compute`]'s pool from every thread alike.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use crate::error::ServeError;

/// What a thread does for one connection; made on that thread, so that its sockets belong to the thread's runtime.
type Job = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// One thread.
struct Hand {
    jobs: UnboundedSender<Job>,
    /// Connections that it has.
    busy: Arc<AtomicUsize>,
}

/// All threads.
pub struct Hands(Vec<Hand>);

impl Hands {
    /// Starts `count` threads.
    ///
    /// # Errors
    /// [`ServeError::Io`] when a thread or its runtime cannot be started.
    pub fn start(count: usize) -> Result<Self, ServeError> {
        (0..count.max(1)).map(Hand::start).collect::<Result<_, _>>().map(Self)
    }

    /// Gives a job to the thread with the fewest.
    pub fn give<F: Future<Output = ()> + Send + 'static>(&self, job: impl FnOnce() -> F + Send + 'static) {
        let idlest = self.0.iter().min_by_key(|hand| hand.busy.load(Ordering::Relaxed));
        let Some(hand) = idlest else { return };
        hand.busy.fetch_add(1, Ordering::Relaxed);
        let done = Done(hand.busy.clone());
        let job = move || -> Pin<Box<dyn Future<Output = ()> + Send>> {
            let work = job();
            Box::pin(async move {
                let _done = done;
                work.await;
            })
        };
        // A thread ends only when these hands are dropped.
        let _ = hand.jobs.send(Box::new(job));
    }
}

/// Requests that a thread answers before it gives way to whoever else waits for its core.
const IN_A_ROW: u32 = 8;

thread_local! {
    static ANSWERED: Cell<u32> = const { Cell::new(0) };
    /// The connections of this thread, where it answers any.
    static OWN: RefCell<Option<Arc<AtomicUsize>>> = const { RefCell::new(None) };
}

/// True on a thread that has one connection and no other: while it works for that, nobody waits for it. Handing the work to
/// another thread and back would only add the time that waking both takes.
pub fn has_one_connection() -> bool {
    OWN.with_borrow(|own| own.as_ref().is_some_and(|own| own.load(Ordering::Relaxed) == 1))
}

/// Lets another thread run, if one waits for this core, after every few requests. A busy thread is otherwise stopped by
/// the system's clock, every 4 ms on many servers, which is far longer than a request takes: those who wait, other
/// threads of this server or a client on the same machine, would make up the slowest hundredth of all answers.
pub fn give_way() {
    let answered = ANSWERED.get() + 1;
    if answered < IN_A_ROW {
        ANSWERED.set(answered);
        return;
    }
    ANSWERED.set(0);
    std::thread::yield_now();
}

/// Counts a job as done, however it ends.
struct Done(Arc<AtomicUsize>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Hand {
    fn start(number: usize) -> Result<Self, ServeError> {
        let failed =
            |source| ServeError::Io { what: "a thread that answers requests did not start".into(), source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (jobs, given) = unbounded_channel();
        let busy = Arc::<AtomicUsize>::default();
        let own = busy.clone();
        std::thread::Builder::new()
            .name(format!("serve-{number}"))
            .spawn(move || {
                OWN.set(Some(own));
                runtime.block_on(work(given));
                // Whoever waits for a blocking task has gone with its connection.
                runtime.shutdown_background();
            })
            .map_err(failed)?;
        Ok(Self { jobs, busy })
    }
}

/// Does jobs until there will be no more and all are done.
async fn work(mut given: UnboundedReceiver<Job>) {
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            job = given.recv() => match job {
                Some(job) => drop(under_way.spawn(job())),
                None => break,
            },
            Some(_) = under_way.join_next() => {}
        }
    }
    while under_way.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use std::collections::BTreeSet;
    use std::sync::mpsc::channel;

    #[test]
    fn a_thread_knows_whether_it_has_one_connection() {
        let hands = Hands::start(1).unwrap();
        let (told, seen) = channel();
        let ask = |more: usize| {
            let told = told.clone();
            let (go, wait) = tokio::sync::oneshot::channel::<()>();
            hands.give(move || async move {
                // The others are given before this one goes on.
                let _ = wait.await;
                told.send((more, has_one_connection())).unwrap();
            });
            go
        };
        let first = ask(1);
        let second = ask(0);
        first.send(()).unwrap();
        assert_eq!(seen.recv().unwrap(), (1, false));
        while hands.0[0].busy.load(Ordering::Relaxed) > 1 {
            std::thread::yield_now();
        }
        second.send(()).unwrap();
        assert_eq!(seen.recv().unwrap(), (0, true));
        assert!(!has_one_connection(), "this thread has none");
    }

    #[test]
    fn jobs_go_to_the_idlest_thread_stay_there_and_a_panic_harms_no_other() {
        let hands = Hands::start(2).unwrap();
        let (told, seen) = channel();
        for job in 0..4 {
            let told = told.clone();
            hands.give(move || async move {
                let before = std::thread::current().name().unwrap().to_owned();
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                assert!(job != 1, "one job of four fails");
                told.send((before, std::thread::current().name().unwrap().to_owned())).unwrap();
            });
        }
        drop((hands, told));
        let seen: Vec<(String, String)> = seen.into_iter().collect();
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|(before, after)| before == after), "{seen:?}");
        assert_eq!(seen.iter().map(|(name, _)| name.as_str()).collect::<BTreeSet<_>>().len(), 2);
    }
}
