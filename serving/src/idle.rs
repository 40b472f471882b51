//! Threads that let every other thread go first.

use thread_priority::ThreadPriority;
#[cfg(target_os = "linux")]
use thread_priority::{NormalThreadSchedulePolicy, ThreadSchedulePolicy};

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
