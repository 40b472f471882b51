//! `scorehouse check`: what the project file says, once nothing in it is wrong.

use scorehouse_features::definition::{Pipeline, Project, ViewKind};
use serde::Serialize;

use crate::cli::failure::Outcome;
use crate::cli::output::{Report, show, table};
use crate::cli::session::Session;

/// Runs `scorehouse check`; the project has been checked by the time it is here.
///
/// # Errors
/// When the report cannot be written.
pub fn run(session: &Session) -> Outcome<()> {
    Ok(show(&Summary::of(&session.project), session.json)?)
}

#[derive(Serialize)]
struct Summary {
    project: String,
    entities: Vec<String>,
    sources: Vec<SourceLine>,
    views: Vec<ViewLine>,
    feature_sets: Vec<SetLine>,
    models: Vec<ModelLine>,
}

#[derive(Serialize)]
struct SourceLine {
    name: String,
    path: Option<String>,
    columns: Vec<(String, String)>,
}

#[derive(Serialize)]
struct ViewLine {
    name: String,
    entity: String,
    kind: &'static str,
    features: usize,
}

#[derive(Serialize)]
struct SetLine {
    name: String,
    entity: String,
    features: Vec<String>,
    hash: String,
}

#[derive(Serialize)]
struct ModelLine {
    name: String,
    pipeline: &'static str,
}

impl Summary {
    fn of(project: &Project) -> Self {
        let source = |s: &scorehouse_features::definition::Source| SourceLine {
            name: s.name.to_string(),
            path: s.path.clone(),
            columns: s.columns.iter().map(|c| (c.name.to_string(), c.value_type.to_string())).collect(),
        };
        let view = |v: &scorehouse_features::definition::View| ViewLine {
            name: v.name.to_string(),
            entity: v.entity.to_string(),
            kind: kind(&v.kind),
            features: v.features.len(),
        };
        let set = |s: &scorehouse_features::definition::FeatureSet| SetLine {
            name: s.name.to_string(),
            entity: s.entity.to_string(),
            features: s.features.iter().map(|f| f.name.to_string()).collect(),
            hash: s.hash.clone(),
        };
        Self {
            project: project.name.clone(),
            entities: project.entities.keys().map(ToString::to_string).collect(),
            sources: project.sources.values().map(source).collect(),
            views: project.views.values().map(view).collect(),
            feature_sets: project.feature_sets.values().map(set).collect(),
            models: project
                .models
                .values()
                .map(|m| ModelLine { name: m.name.to_string(), pipeline: pipeline(&m.pipeline) })
                .collect(),
        }
    }
}

const fn kind(kind: &ViewKind) -> &'static str {
    match kind {
        ViewKind::Latest(_) => "latest",
        ViewKind::Window(_) => "window",
        ViewKind::Derived(_) => "derived",
    }
}

/// The pipeline's name as the project file writes it.
#[must_use]
pub const fn pipeline(pipeline: &Pipeline) -> &'static str {
    match pipeline {
        Pipeline::Win(_) => "win",
        Pipeline::Churn(_) => "churn",
        Pipeline::Upsell(_) => "upsell",
        Pipeline::Table(_) => "table",
        Pipeline::Interactions(_) => "interactions",
        Pipeline::Registered(_) => "registered",
    }
}

impl Report for Summary {
    fn human(&self) -> String {
        let mut parts = vec![format!("{}: the project file is in order", self.project)];
        if !self.entities.is_empty() {
            parts.push(format!("entities: {}", self.entities.join(", ")));
        }
        if !self.sources.is_empty() {
            let rows = self.sources.iter().map(|s| {
                let columns: Vec<String> =
                    s.columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
                vec![
                    s.name.clone(),
                    s.path.clone().unwrap_or_else(|| "pushed".to_owned()),
                    columns.join(", "),
                ]
            });
            parts.push(table(&["source", "files", "columns"], &[], rows));
        }
        if !self.views.is_empty() {
            let rows = self
                .views
                .iter()
                .map(|v| vec![v.name.clone(), v.entity.clone(), v.kind.to_owned(), v.features.to_string()]);
            parts.push(table(&["view", "entity", "kind", "features"], &[3], rows));
        }
        if !self.feature_sets.is_empty() {
            let rows = self.feature_sets.iter().map(|s| {
                let hash = s.hash.chars().take(12).collect();
                vec![s.name.clone(), s.entity.clone(), s.features.len().to_string(), hash]
            });
            parts.push(table(&["feature set", "entity", "features", "hash"], &[2], rows));
        }
        if !self.models.is_empty() {
            let rows = self.models.iter().map(|m| vec![m.name.clone(), m.pipeline.to_owned()]);
            parts.push(table(&["model", "pipeline"], &[], rows));
        }
        parts.join("\n\n")
    }
}
