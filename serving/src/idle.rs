//! Threads that let every other thread go first.

use thread_priority::ThreadPriority;
#[cfg(target_os = "linux")]
use thread_priority::{NormalThreadSchedulePolicy, ThreadSchedulePolicy};

use crate::error::ServeError;

/// Does something on a thread of its own that every other thread goes before, and waits for it: the thread that calls stays
/// as it is, since one that has stepped back cannot come forward again.
///
/// # Errors
/// [`ServeError::Io`] when the thread cannot be started. A panic goes on in the caller.
pub fn behind<T: Send>(what: &str, work: impl FnOnce() -> T + Send) -> Result<T, ServeError> {
    let run = || {
        step_back(what);
        work()
    };
    std::thread::scope(|threads| {
        let thread = std::thread::Builder::new().name("idle".into()).spawn_scoped(threads, run);
        let thread =
            thread.map_err(|source| ServeError::Io { what: "a thread did not start".into(), source })?;
        Ok(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Lets every other thread go before this one, and before the processes it starts: `what` can wait, requests cannot.
/// Where that is refused, nothing changes.
pub fn step_back(what: &str) {
    // The idle policy gives way at once; the lowest priority of the usual one first uses up its slice.
    #[cfg(target_os = "linux")]
    let done = thread_priority::set_thread_priority_and_policy(
        thread_priority::thread_native_id(),
        ThreadPriority::Min,
        ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle),
    );
    #[cfg(not(target_os = "linux"))]
    let done = thread_priority::set_current_thread_priority(ThreadPriority::Min);
    if let Err(error) = done {
        tracing::debug!(?error, what, "this runs at the usual priority");
    }
}
