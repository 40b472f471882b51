//! Measurements, one file each under `examples/`. Run one with
//! `cargo run -p scorehouse-bench --example NAME` (`--features engines` for `online_log`).

/// Seconds that the calling thread has spent on a processor: what remains comparable on a busy machine.
///
/// 0 where the system does not tell (other than Linux).
#[must_use]
pub fn on_cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) * 1e-9
}
