//! What every command that works on a project starts from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use scorehouse_features::definition::Project;
use scorehouse_features::ids::ModelName;
use scorehouse_features::time::{Clock, SystemClock, Timestamp};
use scorehouse_models::registry::{Selector, VersionRecord};
use scorehouse_models::{Registry, SqliteRegistry};

use crate::cli::args::Cli;
use crate::cli::failure::{Failure, Outcome};

/// A checked project with the way its results are shown.
pub struct Session {
    /// The project.
    pub project: Project,
    /// Results as JSON.
    pub json: bool,
    /// No progress bars.
    pub quiet: bool,
    /// Where now comes from.
    pub clock: Arc<dyn Clock>,
}

impl Session {
    /// Opens the project that the command line names.
    ///
    /// # Errors
    /// A data failure with every mistake in the project file.
    pub fn open(cli: &Cli) -> Outcome<Self> {
        Self::open_at(&cli.project, cli)
    }

    /// Opens the project at `path`.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn open_at(path: &Path, cli: &Cli) -> Outcome<Self> {
        let project = Project::load(path).map_err(|found| Failure::project(&found))?;
        Ok(Self { project, json: cli.json, quiet: cli.quiet || cli.json, clock: Arc::new(SystemClock) })
    }

    /// The moment an option names, or now.
    ///
    /// # Errors
    /// A caller's failure when the text is no moment.
    pub fn moment(&self, given: Option<&str>) -> Outcome<Timestamp> {
        given.map_or_else(|| Ok(self.clock.now()), |text| Timestamp::parse(text).map_err(Failure::caller))
    }

    /// The folder of the registry.
    #[must_use]
    pub fn registry_folder(&self) -> PathBuf {
        self.project.state.join("registry")
    }

    /// The registry.
    ///
    /// # Errors
    /// A platform failure when it cannot be opened.
    pub fn registry(&self) -> Outcome<SqliteRegistry> {
        Ok(SqliteRegistry::open(self.registry_folder())?)
    }

    /// The record of the version that `selector` (a version number or an alias) points to.
    ///
    /// # Errors
    /// A caller's failure when there is no such model or version.
    pub fn version(
        &self,
        registry: &SqliteRegistry,
        model: &ModelName,
        selector: &str,
    ) -> Outcome<VersionRecord> {
        let selector: Selector = selector.parse()?;
        let version = registry.resolve(model, &selector)?;
        Ok(registry.get(model, version)?)
    }
}

/// A model's name as given on the command line.
///
/// # Errors
/// A caller's failure when it is no name.
pub fn model_name(text: &str) -> Outcome<ModelName> {
    ModelName::new(text).map_err(Failure::caller)
}

/// Who acts, for the audit trail: `SCOREHOUSE_USER`, else the system's user.
#[must_use]
pub fn actor() -> String {
    ["SCOREHOUSE_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|text| !text.is_empty()))
        .unwrap_or_else(|| "command line".to_owned())
}
