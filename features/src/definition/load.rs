//! From the text of a project file to a [`Project`].

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use toml::de::DeTable;

use crate::definition::catalogue::Catalogue;
use crate::definition::infer::infer;
use crate::definition::raw::{Finding, Findings, Section};
use crate::definition::read::source::{Sources, declared};
use crate::definition::read::{
    access, derived, entity, feature_set, model, request, score_log, settings, source, telemetry, view,
    webhook,
};
use crate::definition::{Diagnostic, Project};

/// The name of the project file inside its folder.
pub const PROJECT_FILE: &str = "scorehouse.toml";

impl Project {
    /// Reads and checks a project.
    ///
    /// `path` is the project file or the folder that holds `scorehouse.toml`.
    ///
    /// # Errors
    /// Every mistake found in the file, in the order of its lines; one without a place when the file
    /// cannot be read.
    pub fn load(path: &Path) -> Result<Self, Vec<Diagnostic>> {
        let file = if path.is_dir() { path.join(PROJECT_FILE) } else { path.to_path_buf() };
        let text = std::fs::read_to_string(&file).map_err(|error| {
            vec![Diagnostic {
                file: file.clone(),
                line: 0,
                column: 0,
                message: format!("cannot be read: {error}"),
                expected: Some("a project file, or a folder with a scorehouse.toml in it".to_owned()),
                nearest: None,
            }]
        })?;
        let root = file
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .map_or_else(|| PathBuf::from("."), Path::to_path_buf);
        Self::parse_named(&text, &root, &file)
    }

    /// Checks the text of a project file; relative paths in it start at `root`.
    ///
    /// ```
    /// use scorehouse_features::definition::Project;
    ///
    /// let text = "[project]\nname = \"telco\"\nsede = 1\n";
    /// let found = Project::parse(text, std::path::Path::new(".")).unwrap_err();
    /// let told = found[0].to_string();
    /// assert_eq!(told, "scorehouse.toml:3:1: unknown key `sede` in [project]; did you mean `seed`?");
    /// ```
    ///
    /// # Errors
    /// Every mistake found in the text, in the order of its lines.
    pub fn parse(text: &str, root: &Path) -> Result<Self, Vec<Diagnostic>> {
        Self::parse_named(text, root, Path::new(PROJECT_FILE))
    }

    fn parse_named(text: &str, root: &Path, file: &Path) -> Result<Self, Vec<Diagnostic>> {
        let findings = Findings::new(file, text);
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let at = error.span().map_or(0, |span| span.start);
            findings.report(Finding::at(at, error.message().trim().replace('\n', ", ")));
        }
        // After a mistake in TOML itself the rest cannot be told from its wreckage.
        let project = errors.is_empty().then(|| check(Section::root(&findings, document.get_ref()), root));
        match project {
            Some(project) if findings.count() == 0 => Ok(project),
            _ => Err(findings.into_diagnostics()),
        }
    }
}

/// Checks the sections in the order in which they lean on one another.
fn check(file: Section<'_>, root: &Path) -> Project {
    check_sections(&file);
    let head = settings::head(file, root);
    let mut settings = settings::settings(file, root);
    settings.telemetry = telemetry::telemetry(file);
    let entities = entity::entities(file);
    let checked = source::sources(file, &|source| infer(source, root, &entities));
    let sources = Sources::new(file, &checked);
    let mut catalogue = Catalogue {
        entities,
        views: IndexMap::new(),
        request_fields: IndexMap::new(),
        declared_entities: declared(file, "entity"),
        declared_views: declared(file, "view"),
        reach: HashMap::new(),
    };
    view::stored(file, &sources, &mut catalogue);
    entity::references(file, &mut catalogue);
    request::gather(file, &mut catalogue);
    derived::derived(file, &mut catalogue);
    let feature_sets = feature_set::feature_sets(file, &sources, &catalogue);
    let models = model::models(file, &sources, &catalogue, &feature_sets);
    let around = access::Around { root, sources: &sources, catalogue: &catalogue };
    let access = access::access(file, &around);
    Project {
        name: head.name,
        root: root.to_path_buf(),
        seed: head.seed,
        state: head.state,
        entities: catalogue.entities,
        sources: checked,
        views: catalogue.views,
        request_fields: catalogue.request_fields,
        feature_sets,
        models,
        access,
        webhooks: webhook::webhooks(file, root),
        score_log: score_log::score_log(file),
        settings,
    }
}

const SECTIONS: [&str; 12] = [
    "project",
    "server",
    "limits",
    "access",
    "telemetry",
    "score_log",
    "entity",
    "source",
    "view",
    "features",
    "model",
    "webhook",
];

/// Refuses unknown sections, and `[sources.X]` as soon as `[source.X]` is meant.
fn check_sections(file: &Section<'_>) {
    for entry in file.entries().iter().filter(|entry| !SECTIONS.contains(&entry.key())) {
        let finding = Finding::at(entry.key_at(), format!("unknown section [{}]", entry.key()));
        file.findings().report(finding.known(entry.key(), SECTIONS));
    }
}
