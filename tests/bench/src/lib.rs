//! Measurements, one file each under `examples/`. Run one with
//! `cargo run -p scorehouse-bench --example NAME` (`--features engines` for `online_log`).

/// The allocator of the one binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Seconds that the calling thread has spent on a processor: what remains comparable on a busy machine.
///
/// 0 where the system does not tell (other than Linux).
#[must_use]
pub fn on_cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) * 1e-9
}

/// Prints one line of the table that `make bench` ends with: what was measured, our figure, the peer's, both in
/// `unit`, and how many of the peer's ours is.
#[allow(clippy::print_stdout, reason = "a measurement prints its figures")]
pub fn figure(what: &str, unit: &str, ours: f64, peer: &str, theirs: f64) {
    println!("figure:\t{what}\t{ours:.3} {unit}\t{theirs:.3} {unit}\t{peer}\t{:.2}", ours / theirs);
}

/// The same for a figure that has a bound instead of a peer.
#[allow(clippy::print_stdout, reason = "a measurement prints its figures")]
pub fn bounded(what: &str, unit: &str, ours: f64, bound: f64) {
    println!("figure:\t{what}\t{ours:.3} {unit}\t{bound:.3} {unit}\tbound\t{:.2}", ours / bound);
}

/// Runs `peers/SCRIPT` and gives the seconds it prints after `best:`; all it prints is shown.
///
/// # Errors
/// As [`peer_figures`].
pub fn peer_seconds(python: &str, script: &str, arguments: &[&std::ffi::OsStr]) -> std::io::Result<f64> {
    peer_figures(python, script, arguments, ["best"]).map(|[best]| best)
}

/// Runs `peers/SCRIPT` and gives the numbers it prints after `NAME:`, one for each name; all it prints is shown.
///
/// # Errors
/// When Python or the peer's package is missing, or the script fails.
#[allow(clippy::print_stdout, reason = "a measurement prints its figures")]
pub fn peer_figures<const N: usize>(
    python: &str,
    script: &str,
    arguments: &[&std::ffi::OsStr],
    names: [&str; N],
) -> std::io::Result<[f64; N]> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(script);
    let output = std::process::Command::new(python).arg(path).args(arguments).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    let complaint = || {
        let errors = String::from_utf8_lossy(&output.stderr);
        std::io::Error::other(format!("{script} failed; are peers/requirements.txt installed? {errors}"))
    };
    let mut figures = [f64::NAN; N];
    for (figure, name) in figures.iter_mut().zip(names) {
        let after = |line: &'_ str| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok();
        *figure = said.lines().rev().find_map(after).ok_or_else(complaint)?;
    }
    Ok(figures)
}

/// Processor seconds that this process has used, all threads together; hundredths, as Linux tells them.
#[must_use]
pub fn process_cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program may hold blanks; counting begins behind it.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The middle of an odd number of figures.
#[must_use]
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Largest resident size of this process so far, in MiB; 0 where the system does not tell (other than Linux).
#[must_use]
pub fn largest_resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}
