//! What the project declares, as an answer.

use std::collections::BTreeMap;

use scorehouse_features::definition::{Pipeline, Project, Source, View, ViewKind};
use serde::Serialize;
use utoipa::ToSchema;

/// A whole project.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectAnswer {
    /// Its name.
    pub name: String,
    /// Its entities.
    pub entities: Vec<EntityShown>,
    /// Its sources.
    pub sources: Vec<SourceShown>,
    /// Its views.
    pub views: Vec<ViewShown>,
    /// Its feature sets.
    pub feature_sets: Vec<FeatureSetShown>,
    /// Its models as declared; `GET /v1/models` tells of their versions.
    pub models: Vec<ModelDeclared>,
}

/// A kind of entity.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntityShown {
    /// Its name.
    pub name: String,
    /// The column of its key.
    pub key: String,
    /// Other entities it refers to, by the name of the reference.
    pub refers_to: BTreeMap<String, String>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A source.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceShown {
    /// Its name.
    pub name: String,
    /// The column that says when a row happened.
    pub event_time: String,
    /// Its columns: name to type.
    pub columns: Vec<FieldShown>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A view.
#[derive(Debug, Serialize, ToSchema)]
pub struct ViewShown {
    /// Its name.
    pub name: String,
    /// The entity it describes.
    pub entity: String,
    /// `latest`, `window` or `derived`.
    pub kind: &'static str,
    /// The source it reads; none for a derived view.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its features.
    pub features: Vec<FieldShown>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A feature set.
#[derive(Debug, Serialize, ToSchema)]
pub struct FeatureSetShown {
    /// Its name.
    pub name: String,
    /// The entity scored.
    pub entity: String,
    /// Two projects with the same hash compute the same values.
    pub hash: String,
    /// Its features in order.
    pub features: Vec<FieldShown>,
}

/// A column or feature and its type.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldShown {
    /// Its name.
    pub name: String,
    /// `bool`, `int`, `float`, `text` or `time`.
    #[serde(rename = "type")]
    pub value_type: String,
    /// Its template in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
}

/// A model as the project declares it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelDeclared {
    /// Its name.
    pub name: String,
    /// How it comes to be.
    pub pipeline: &'static str,
    /// The feature set it reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature_set: Option<String>,
    /// True when `GET /v1/models/{model}/board` lists what is open.
    pub board: bool,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// The project as an answer.
#[must_use]
pub fn project(project: &Project) -> ProjectAnswer {
    ProjectAnswer {
        name: project.name.clone(),
        entities: project.entities.values().map(entity).collect(),
        sources: project.sources.values().map(source).collect(),
        views: project.views.values().map(view).collect(),
        feature_sets: project.feature_sets.values().map(feature_set).collect(),
        models: project.models.values().map(model).collect(),
    }
}

fn entity(entity: &scorehouse_features::definition::Entity) -> EntityShown {
    let refers_to = entity.references.iter().map(|(name, to)| (name.to_string(), to.target.to_string()));
    EntityShown {
        name: entity.name.to_string(),
        key: entity.key.to_string(),
        refers_to: refers_to.collect(),
        description: entity.description.clone(),
    }
}

fn source(source: &Source) -> SourceShown {
    let column = |column: &scorehouse_features::definition::Column| FieldShown {
        name: column.name.to_string(),
        value_type: column.value_type.to_string(),
        words: None,
    };
    SourceShown {
        name: source.name.to_string(),
        event_time: source.event_time.to_string(),
        columns: source.columns.iter().map(column).collect(),
        description: source.description.clone(),
    }
}

fn view(view: &View) -> ViewShown {
    let (kind, source) = match &view.kind {
        ViewKind::Latest(latest) => ("latest", Some(&latest.source)),
        ViewKind::Window(window) => ("window", Some(&window.source)),
        ViewKind::Derived(_) => ("derived", None),
    };
    let feature = |feature: &scorehouse_features::definition::Feature| FieldShown {
        name: feature.name.to_string(),
        value_type: feature.value_type.to_string(),
        words: feature.words.clone(),
    };
    ViewShown {
        name: view.name.to_string(),
        entity: view.entity.to_string(),
        kind,
        source: source.map(ToString::to_string),
        features: view.features.iter().map(feature).collect(),
        description: view.description.clone(),
    }
}

fn feature_set(set: &scorehouse_features::definition::FeatureSet) -> FeatureSetShown {
    let field = |field: &scorehouse_features::definition::FeatureField| FieldShown {
        name: field.name.to_string(),
        value_type: field.value_type.to_string(),
        words: field.words.clone(),
    };
    FeatureSetShown {
        name: set.name.to_string(),
        entity: set.entity.to_string(),
        hash: set.hash.clone(),
        features: set.features.iter().map(field).collect(),
    }
}

fn model(model: &scorehouse_features::definition::ModelSpec) -> ModelDeclared {
    let set = |name: &scorehouse_features::ids::FeatureSetName| Some(name.to_string());
    let (pipeline, feature_set, board) = match &model.pipeline {
        Pipeline::Win(spec) => ("win", set(&spec.fit.feature_set), true),
        Pipeline::Churn(spec) => ("churn", set(&spec.fit.feature_set), false),
        Pipeline::Upsell(_) => ("upsell", None, false),
        Pipeline::Table(_) => ("table", None, false),
        Pipeline::Interactions(_) => ("interactions", None, false),
        Pipeline::Registered(name) => ("registered", set(name), false),
    };
    ModelDeclared {
        name: model.name.to_string(),
        pipeline,
        feature_set,
        board,
        description: model.description.clone(),
    }
}
