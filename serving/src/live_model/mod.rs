//! The models that answer: which version stands behind which alias at this moment.
//!
//! A request takes its model once and keeps it to the end, so one version answers all of it whatever moves
//! meanwhile (where a challenger has a share of the answers: one of the two, by the key). A version is loaded, matched with the project's features and tried on its golden samples before
//! it takes the place of another; one that fails never answers, and the one before goes on.

mod margin;
mod table;
mod watch;

use std::borrow::Cow;

use prometheus::IntCounter;
use rustc_hash::FxHashMap;
use scorehouse_features::definition::{Pipeline, Project};
use scorehouse_features::ids::{EntityName, FeatureName, ModelName};
use scorehouse_features::value::{Missing, Value, ValueType};
use scorehouse_features::view::FeaturePlan;
use scorehouse_models::{ModelVersion, Registry, ScoringModel};

pub use margin::Margin;
pub use table::{AliasShown, LiveModels, Selected};
pub use watch::watch;

use crate::error::{Noun, ServeError};
use crate::policy::Policy;
use crate::service::recommend::Shelf;
use crate::service::scalar::{Fields, Scalar, Text};
use crate::telemetry::Metrics;

/// One version of a model, ready to answer.
#[derive(Debug)]
pub struct LiveModel {
    name: ModelName,
    version: ModelVersion,
    scoring: ScoringModel,
    stored: Option<Stored>,
    /// The views that it reads, each with the hash of what it reads of it: `purchases@1a2b3c4d5e6f`.
    views: Vec<String>,
    inputs: FxHashMap<String, (usize, ValueType)>,
    policy: Option<Policy>,
    shelf: Option<Shelf>,
    margin: Option<Margin>,
    /// The column that names a row of a plain table.
    id: Option<String>,
    scores: IntCounter,
    recommendations: IntCounter,
}

/// How a model over an entity reads its features.
#[derive(Debug)]
struct Stored {
    entity: EntityName,
    plan: FeaturePlan,
    /// What a request may give in place of a stored value: every feature that the plan computes on the way.
    slots: FxHashMap<String, (usize, ValueType)>,
    /// The names of `slots`, by slot.
    names: FxHashMap<usize, String>,
}

impl LiveModel {
    /// Loads a version and makes it ready: its parts verified, its golden samples scored, its features those
    /// of the project.
    ///
    /// # Errors
    /// [`ServeError::VersionRefused`] with the reason; [`ServeError::Unknown`] when there is none such.
    pub fn load(
        project: &Project,
        registry: &dyn Registry,
        metrics: &Metrics,
        (name, version): (&ModelName, ModelVersion),
    ) -> Result<Self, ServeError> {
        let refused = |reason: String| ServeError::VersionRefused {
            model: name.to_string(),
            version: version.0,
            reason,
        };
        registry.get(name, version)?;
        let artifact = registry.artifact(name, version).map_err(|e| refused(e.to_string()))?;
        let scoring = ScoringModel::load(&artifact).map_err(|e| refused(e.to_string()))?;
        let (policy, more) = policy(project, name, &scoring);
        let stored = Stored::of(project, &scoring, &more).map_err(|e| refused(e.to_string()))?;
        let shelf = shelf(project, name, &scoring).map_err(|e| refused(e.to_string()))?;
        let inputs = scoring.signature().inputs.iter().enumerate();
        Ok(Self {
            inputs: inputs.map(|(i, input)| (input.name.clone(), (i, input.value_type))).collect(),
            margin: Margin::of(project, name, scoring.signature()),
            views: views(project, &scoring),
            id: id(project, name, &scoring),
            name: name.clone(),
            version,
            stored,
            policy,
            shelf,
            scores: metrics.scores(name.as_str()),
            recommendations: metrics.recommendations(name.as_str()),
            scoring,
        })
    }

    /// The model's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The version.
    #[must_use]
    pub const fn version(&self) -> ModelVersion {
        self.version
    }

    /// What computes the scores.
    #[must_use]
    pub const fn scoring(&self) -> &ScoringModel {
        &self.scoring
    }

    /// The views that it reads, each with the hash of what it reads of it, such as `purchases@1a2b3c4d5e6f`; none for a
    /// model over a plain table.
    #[must_use]
    pub fn views(&self) -> &[String] {
        &self.views
    }

    /// What is at stake with a customer who may leave; none where the project declares no margin.
    #[must_use]
    pub const fn margin(&self) -> Option<&Margin> {
        self.margin.as_ref()
    }

    /// The entity scored; none for a model over a plain table.
    #[must_use]
    pub fn entity(&self) -> Option<&EntityName> {
        self.stored.as_ref().map(|stored| &stored.entity)
    }

    /// What is to be done about its scores, where the project says so.
    #[must_use]
    pub const fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// How to read the features of the entity scored: the inputs in their order, then what its policy reads besides.
    ///
    /// # Errors
    /// [`ServeError::NotSuited`] for a model over a plain table.
    pub fn plan(&self) -> Result<(&FeaturePlan, &EntityName), ServeError> {
        let stored = self.stored.as_ref().ok_or_else(|| self.not_suited("reads no entity"))?;
        Ok((&stored.plan, &stored.entity))
    }

    /// What the model may recommend, and under which rules.
    ///
    /// # Errors
    /// [`ServeError::NotSuited`] for a model that answers with scores.
    pub fn shelf(&self) -> Result<&Shelf, ServeError> {
        self.shelf.as_ref().ok_or_else(|| self.not_suited("answers with scores, not with items"))
    }

    /// Position and type of an input by name.
    ///
    /// # Errors
    /// [`ServeError::Unknown`] with the nearest input.
    pub fn input(&self, name: &str) -> Result<(usize, ValueType), ServeError> {
        let known = || {
            let inputs = self.scoring.signature().inputs.iter().map(|input| input.name.as_str());
            ServeError::unknown(Noun::Feature, name, inputs)
        };
        self.inputs.get(name).copied().ok_or_else(known)
    }

    /// True for the column that names a row of a plain table: a row may hold it, and the model does not read it.
    #[must_use]
    pub fn is_id(&self, name: &str) -> bool {
        self.id.as_deref() == Some(name)
    }

    /// What names a row of a plain table, where its project says which column does and the row holds it.
    #[must_use]
    pub fn row_key<'a>(&self, fields: &'a Fields<'_>) -> Option<Cow<'a, str>> {
        let id = self.id.as_deref()?;
        let (_, value) = fields.0.iter().rev().find(|(name, _)| **name == *id)?;
        value.text()
    }

    /// The inputs of a row of plain values, as far as this version reads it: what another version reads is no mistake
    /// here.
    #[must_use]
    pub fn inputs_where_read(&self, fields: &Fields<'_>) -> Vec<Value> {
        let mut values = vec![Value::Missing(Missing::NotGiven); self.scoring.signature().inputs.len()];
        for (name, given) in &fields.0 {
            let Some((position, value_type)) = self.inputs.get(&**name) else { continue };
            if let Ok(value) = given.to_value(name, *value_type) {
                values[*position] = value;
            }
        }
        values
    }

    /// Given values by the slot that each takes.
    ///
    /// # Errors
    /// [`ServeError::Unknown`] for a feature, [`ServeError::WrongType`] for a value.
    pub fn bind(&self, fields: &Fields<'_>) -> Result<Vec<(usize, Value)>, ServeError> {
        let mut bound = Vec::with_capacity(fields.0.len());
        self.bind_into(fields, &mut bound)?;
        Ok(bound)
    }

    /// As [`LiveModel::bind`], appended to `bound`; later values take the place of earlier ones.
    ///
    /// # Errors
    /// As [`LiveModel::bind`].
    pub fn bind_into(&self, fields: &Fields<'_>, bound: &mut Vec<(usize, Value)>) -> Result<(), ServeError> {
        for (name, given) in &fields.0 {
            let (slot, value_type) = self.slot(name)?;
            bound.push((slot, given.to_value(name, value_type)?));
        }
        Ok(())
    }

    /// The type of what a request may give in place of a stored value.
    ///
    /// # Errors
    /// [`ServeError::Unknown`] with the nearest feature, [`ServeError::NotSuited`] for a model over a plain table.
    pub fn given_type(&self, name: &str) -> Result<ValueType, ServeError> {
        self.slot(name).map(|(_, value_type)| value_type)
    }

    /// The slot that a given value takes.
    ///
    /// # Errors
    /// As [`LiveModel::given_type`].
    pub fn given_slot(&self, name: &str) -> Result<usize, ServeError> {
        self.slot(name).map(|(slot, _)| slot)
    }

    /// The name under which a request gives the value of a slot.
    #[must_use]
    pub fn slot_name(&self, slot: usize) -> Option<&str> {
        self.stored.as_ref()?.names.get(&slot).map(String::as_str)
    }

    /// What a request gives, by slot, as far as this version reads it: what another version reads is no mistake here.
    #[must_use]
    pub fn given_where_read(&self, all: &[&Fields<'_>]) -> Vec<(usize, Value)> {
        let own = |(name, given): &(Text<'_>, Scalar<'_>)| {
            let (slot, value_type) = self.slot(name).ok()?;
            Some((slot, given.to_value(name, value_type).ok()?))
        };
        all.iter().flat_map(|fields| fields.0.iter().filter_map(own)).collect()
    }

    fn slot(&self, name: &str) -> Result<(usize, ValueType), ServeError> {
        let stored = self.stored.as_ref().ok_or_else(|| self.not_suited("reads no entity"))?;
        let known = || {
            let mut names: Vec<&str> = stored.slots.keys().map(String::as_str).collect();
            names.sort_unstable();
            ServeError::unknown(Noun::Feature, name, names)
        };
        stored.slots.get(name).copied().ok_or_else(known)
    }

    /// The refusal of what this model does not do.
    #[must_use]
    pub fn not_suited(&self, message: &str) -> ServeError {
        ServeError::NotSuited { model: self.name.to_string(), message: message.to_owned() }
    }

    /// Counts answered scores.
    pub fn count_scores(&self, count: usize) {
        self.scores.inc_by(count as u64);
    }

    /// Counts an answered list of recommendations.
    pub fn count_recommendation(&self) {
        self.recommendations.inc();
    }
}

impl Stored {
    /// How `scoring` reads the project's features; none for a model over a plain table.
    fn of(
        project: &Project,
        scoring: &ScoringModel,
        more: &[FeatureName],
    ) -> Result<Option<Self>, ServeError> {
        let signature = scoring.signature();
        let Some(entity) = &signature.entity else { return Ok(None) };
        check_feature_set(project, scoring)?;
        let invalid = |message: String| ServeError::InvalidField { message, nearest: None };
        let names: Result<Vec<FeatureName>, _> = signature.inputs.iter().map(|i| i.name.parse()).collect();
        let mut names = names.map_err(|error| invalid(error.to_string()))?;
        names.extend_from_slice(more);
        let plan = FeaturePlan::compile(project, entity, &names)?;
        for (input, found) in signature.inputs.iter().zip(plan.types()) {
            if input.value_type != found {
                let message = format!("{} is {found} now; the model reads {}", input.name, input.value_type);
                return Err(invalid(message));
            }
        }
        let slots = given_slots(project, entity, &plan);
        let mut names: Vec<(usize, String)> =
            slots.iter().map(|(name, (slot, _))| (*slot, name.clone())).collect();
        names.sort_unstable();
        names.dedup_by_key(|(slot, _)| *slot);
        let names = names.into_iter().collect();
        Ok(Some(Self { entity: entity.clone(), plan, slots, names }))
    }
}

fn check_feature_set(project: &Project, scoring: &ScoringModel) -> Result<(), ServeError> {
    let Some(read) = &scoring.signature().feature_set else { return Ok(()) };
    let refuse = |message: String| Err(ServeError::InvalidField { message, nearest: None });
    match project.feature_sets.get(&read.name) {
        None => refuse(format!("the project has no feature set {}", read.name)),
        Some(set) if set.hash != read.hash => refuse(format!(
            "it was made for other definitions of the feature set {}; train it again",
            read.name
        )),
        Some(_) => Ok(()),
    }
}

/// Every name that `entity` has for a slot of `plan`.
fn given_slots(
    project: &Project,
    entity: &EntityName,
    plan: &FeaturePlan,
) -> FxHashMap<String, (usize, ValueType)> {
    let mut names: Vec<FeatureName> = own_features(project, entity, None).collect();
    if let Some(declared) = project.entities.get(entity) {
        for (role, reference) in &declared.references {
            names.extend(own_features(project, &reference.target, Some(role.clone())));
        }
    }
    let request = project.request_fields.keys().filter_map(|field| format!("request.{field}").parse().ok());
    let slot = |name: FeatureName| {
        let slot = plan.slot(&name)?;
        Some((name.to_string(), (slot, plan.slot_type(slot)?)))
    };
    names.into_iter().chain(request).filter_map(slot).collect()
}

fn own_features<'a>(
    project: &'a Project,
    entity: &EntityName,
    through: Option<scorehouse_features::ids::ReferenceName>,
) -> impl Iterator<Item = FeatureName> + use<'a> {
    let entity = entity.clone();
    project.views.values().filter(move |view| view.entity == entity).flat_map(move |view| {
        let through = through.clone();
        view.features.iter().map(move |feature| FeatureName {
            through: through.clone(),
            view: view.name.clone(),
            name: feature.name.clone(),
        })
    })
}

/// The views that a model reads, each with the hash of what it reads of it.
fn views(project: &Project, scoring: &ScoringModel) -> Vec<String> {
    let set = scoring.signature().feature_set.as_ref().and_then(|set| project.feature_sets.get(&set.name));
    let views = set.map(|set| set.views.as_slice()).unwrap_or_default();
    views.iter().map(|version| format!("{}@{}", version.view, version.hash)).collect()
}

/// The policy of a model, and the features that only it reads.
fn policy(project: &Project, name: &ModelName, scoring: &ScoringModel) -> (Option<Policy>, Vec<FeatureName>) {
    let spec = project.models.get(name).and_then(|model| model.serving.policy.as_ref());
    let signature = scoring.signature();
    // A model over a plain table reads no features, and its rules neither.
    let inputs: Vec<FeatureName> = match signature.entity {
        Some(_) => signature.inputs.iter().filter_map(|input| input.name.parse().ok()).collect(),
        None => Vec::new(),
    };
    let mut more = Vec::new();
    let policy = spec.map(|spec| Policy::bind(spec, signature.output, &inputs, &mut more));
    (policy, more)
}

/// The column that names a row, unless the model reads it.
fn id(project: &Project, name: &ModelName, scoring: &ScoringModel) -> Option<String> {
    let Some(Pipeline::Table(table)) = project.models.get(name).map(|spec| &spec.pipeline) else {
        return None;
    };
    table.id.clone().filter(|id| scoring.signature().position(id).is_none())
}

fn shelf(project: &Project, name: &ModelName, scoring: &ScoringModel) -> Result<Option<Shelf>, ServeError> {
    let Ok(recommender) = scoring.recommender() else { return Ok(None) };
    match project.models.get(name).map(|spec| &spec.pipeline) {
        Some(Pipeline::Upsell(spec)) => {
            Shelf::of(project, spec, recommender.parts().reranker.as_ref()).map(Some)
        }
        _ => Ok(Some(Shelf::bare())),
    }
}
