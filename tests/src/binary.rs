//! Running the `scorehouse` binary.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, bail};

/// The repository's folder.
#[must_use]
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The binary under test: `SCOREHOUSE_BIN`, else the one that cargo built beside this test.
///
/// # Errors
/// When it is not there.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("SCOREHOUSE_BIN") {
        return Ok(path.into());
    }
    let me = std::env::current_exe()?;
    let folder = me.parent().and_then(Path::parent).context("the test has no target folder")?;
    let binary = folder.join("scorehouse");
    if !binary.exists() {
        bail!("{} is not there; run `cargo build -p scorehouse` first", binary.display());
    }
    Ok(binary)
}

/// What a run of the binary came to.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Standard output as JSON.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_str(&self.out).with_context(|| format!("not JSON: {}\n{}", self.out, self.err))
    }
}

/// Runs the binary in `folder`.
///
/// # Errors
/// When it cannot be started.
pub fn run(folder: &Path, args: &[&str]) -> Result<Ran> {
    let Output { status, stdout, stderr } =
        Command::new(binary()?).args(args).current_dir(folder).env("SCOREHOUSE_USER", "tester").output()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Ran { code: status.code(), out: text(stdout), err: text(stderr) })
}

/// Runs the binary in `folder` and expects it to succeed.
///
/// # Errors
/// When it fails, with what it said.
pub fn run_ok(folder: &Path, args: &[&str]) -> Result<Ran> {
    let ran = run(folder, args)?;
    if ran.code != Some(0) {
        bail!("scorehouse {} ended with {:?}\n{}\n{}", args.join(" "), ran.code, ran.out, ran.err);
    }
    Ok(ran)
}
