//! Training a model again, in a process of its own.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use scorehouse_features::definition::Project;
use scorehouse_features::ids::ModelName;
use scorehouse_features::time::Timestamp;
use scorehouse_models::Registry;
use serde_json::Value as Json;

use crate::error::ServeError;

/// Time between two looks whether the process has ended.
const LOOK: Duration = Duration::from_millis(100);
/// Characters of what it said that are kept.
const MOST_TOLD: usize = 500;
/// Who makes the version and moves the alias, as registry and trail tell it.
const WHO: &str = "retraining";

/// True when any server on the registry trained the model again after a moment.
///
/// # Errors
/// What the registry reports.
pub fn retrained_since(
    registry: &dyn Registry,
    model: &ModelName,
    since: Timestamp,
) -> Result<bool, ServeError> {
    let versions = registry.versions(model)?;
    Ok(versions.iter().any(|version| version.who == WHO && version.when > since))
}

/// What a retraining came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retrained {
    /// The new version.
    pub version: u64,
    /// True when the gate let it become champion.
    pub champion: bool,
    /// The gate's word.
    pub why: String,
}

impl Retrained {
    /// As it is counted.
    #[must_use]
    pub const fn result(&self) -> &'static str {
        if self.champion { "promoted" } else { "kept" }
    }
}

/// Runs `scorehouse train`.
#[derive(Debug, Clone)]
pub struct Trainer {
    /// The program.
    program: PathBuf,
}

impl Trainer {
    /// A trainer that runs `program`, a `scorehouse` binary.
    #[must_use]
    pub const fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// Trains a model and waits for the end; the process is stopped when `stop` says so.
    ///
    /// # Errors
    /// Why there is no new version, in words.
    pub fn train(
        &self,
        project: &Project,
        model: &ModelName,
        stop: &dyn Fn() -> bool,
    ) -> Result<Retrained, String> {
        let said = |error: std::io::Error| error.to_string();
        let (mut out, mut err) = (tempfile::tempfile().map_err(said)?, tempfile::tempfile().map_err(said)?);
        let mut child = Command::new(&self.program)
            .arg("--project")
            .arg(&project.root)
            .args(["--json", "--quiet", "train", model.as_str()])
            .env("SCOREHOUSE_USER", WHO)
            .stdin(Stdio::null())
            .stdout(out.try_clone().map_err(said)?)
            .stderr(err.try_clone().map_err(said)?)
            .spawn()
            .map_err(|error| format!("{}: {error}", self.program.display()))?;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(said)? {
                break status;
            }
            if stop() {
                let _ = child.kill();
                let _ = child.wait();
                return Err("the server stopped".to_owned());
            }
            std::thread::sleep(LOOK);
        };
        if !status.success() {
            let text = text(&mut err);
            let told: Option<Json> = serde_json::from_str(&text).ok();
            let why = told.and_then(|told| Some(told["error"].as_str()?.to_owned())).unwrap_or(text);
            return Err(why.chars().take(MOST_TOLD).collect());
        }
        let told: Json = serde_json::from_str(&text(&mut out)).map_err(|error| error.to_string())?;
        let line = &told["models"][0];
        Ok(Retrained {
            version: line["version"].as_u64().unwrap_or_default(),
            champion: line["champion"].as_bool().unwrap_or_default(),
            why: line["gate"]["why"].as_str().unwrap_or_default().to_owned(),
        })
    }
}

/// What was written to a file, from its beginning.
fn text(file: &mut File) -> String {
    use std::io::Seek as _;
    let mut bytes = Vec::new();
    let read = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
    if read.is_err() {
        return String::new();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
