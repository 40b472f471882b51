//! Training sets: entity rows in, each with its own moment; the features known at that moment out.

mod reader;
mod rows;
mod store;
mod write;

use arrow_array::RecordBatch;
use scorehouse_features::definition::{FeatureField, FeatureSet, Project};
use scorehouse_features::ids::{EntityKey, EntityName, FeatureName, FeatureSetName, ModelName};
use scorehouse_features::time::{Span, Timestamp};
use scorehouse_features::view::FeaturePlan;
use scorehouse_models::{ModelVersion, Registry};
use scorehouse_training::{Forecast, Period};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

pub use reader::HistoryReader;
pub use rows::GivenRows;
pub use write::{Format, write};

use crate::access::Caller;
use crate::error::{Noun, ServeError};
use crate::monitor::Monitored;
use crate::score_log::read::Range;
use crate::service::scalar::Fields;
use crate::state::AppState;

/// Most features that a request may spell out.
const MOST_FEATURES: usize = 1_000;

/// Builds training sets from history.
pub trait TrainingSets: Send + Sync {
    /// The given rows, in their order and with all their columns, and the features of `set` beside them: for
    /// each row what was known at its `as_of`. With `missing`, also a column per feature that says why a value
    /// is missing.
    ///
    /// `rows` hold the key in a column named as the entity's key is, the moment in `as_of`, request fields as
    /// `request.field`, and whatever else is to be carried through.
    ///
    /// # Errors
    /// What reading history reports.
    fn training_set(
        &self,
        project: &Project,
        set: &FeatureSet,
        rows: &RecordBatch,
        missing: bool,
    ) -> Result<RecordBatch, ServeError>;

    /// Looks at what became of a model's scores, with what was pushed taken over first.
    ///
    /// # Errors
    /// What reading the score log and history report.
    fn monitor(&self, asked: &MonitorAsked<'_>) -> Result<Monitored, ServeError>;

    /// Forecasts what open deals come to, with what was pushed taken over first.
    ///
    /// # Errors
    /// What reading history and forecasting report.
    fn forecast(&self, asked: &ForecastAsked<'_>) -> Result<Forecast, ServeError>;
}

/// Which forecast is asked for.
pub struct ForecastAsked<'a> {
    /// The project.
    pub project: &'a Project,
    /// Where versions come from.
    pub registry: &'a dyn Registry,
    /// The model.
    pub model: &'a ModelName,
    /// The version that judges deals.
    pub version: ModelVersion,
    /// The moment whose knowledge counts.
    pub as_of: Timestamp,
    /// The time in which a win counts.
    pub period: &'a Period,
    /// A feature by which deals are told apart.
    pub by: Option<&'a FeatureName>,
    /// Which deals count.
    pub seen: &'a (dyn Fn(&EntityKey) -> bool + Sync),
}

/// Which scores to look at.
pub struct MonitorAsked<'a> {
    /// The project.
    pub project: &'a Project,
    /// Where versions come from.
    pub registry: &'a dyn Registry,
    /// The model.
    pub model: &'a str,
    /// The present.
    pub now: Timestamp,
    /// The moments of answering that count.
    pub range: Range,
    /// The length of a period.
    pub every: Span,
}

/// A request for a training set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"feature_set": "deal_close", "rows": [{"key": "D-1001", "as_of": "2011-06-30", "label": 1}]}))]
pub struct HistoryRequest<'a> {
    /// The feature set to read.
    #[serde(default)]
    pub feature_set: Option<String>,
    /// In place of a feature set: the entity, with `features`.
    #[serde(default)]
    pub entity: Option<String>,
    /// In place of a feature set: names of features.
    #[serde(default)]
    pub features: Option<Vec<String>>,
    /// The rows: `key`, `as_of` (now if not given), `request.*` fields, and whatever is to be carried through.
    #[serde(borrow)]
    #[schema(value_type = Vec<std::collections::HashMap<String, serde_json::Value>>)]
    pub rows: Vec<Fields<'a>>,
    /// True: add a column per feature, `feature__missing`, that says why a value is missing.
    #[serde(default)]
    pub missing: bool,
}

/// What a training set in CSV or Arrow is asked for by: rows are the body, the rest stands in the query.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryAsked {
    /// The feature set to read.
    pub feature_set: Option<String>,
    /// In place of a feature set: the entity, with `features`.
    pub entity: Option<String>,
    /// In place of a feature set: names of features, separated by commas.
    pub features: Option<String>,
    /// True: add a column per feature that says why a value is missing.
    pub missing: Option<bool>,
    /// How the answer is written: `json`, `csv` or `arrow`; as the Accept header says if not given, else JSON.
    #[param(inline)]
    pub format: Option<Format>,
}

/// Which features to read.
#[derive(Debug, Default)]
pub struct Wanted {
    /// A feature set by name.
    pub feature_set: Option<String>,
    /// Or an entity,
    pub entity: Option<String>,
    /// and names of its features.
    pub features: Option<Vec<String>>,
    /// Whether to say why values are missing.
    pub missing: bool,
}

/// The feature set that a request names or spells out.
///
/// # Errors
/// [`ServeError::Unknown`] for a name that the project does not have.
pub fn feature_set(project: &Project, wanted: &Wanted) -> Result<FeatureSet, ServeError> {
    let invalid = |message: &str| ServeError::InvalidField { message: message.into(), nearest: None };
    match (&wanted.feature_set, &wanted.entity, &wanted.features) {
        (Some(name), None, None) => {
            let known = || project.feature_sets.keys().map(FeatureSetName::as_str);
            let found = project.feature_sets.get(name.as_str());
            found.cloned().ok_or_else(|| ServeError::unknown(Noun::FeatureSet, name, known()))
        }
        (None, Some(entity), Some(features)) => spelled_out(project, entity, features),
        _ => Err(invalid("give `feature_set`, or `entity` and `features`")),
    }
}

fn spelled_out(project: &Project, entity: &str, features: &[String]) -> Result<FeatureSet, ServeError> {
    if features.is_empty() {
        let message = "name at least one feature in `features`".into();
        return Err(ServeError::InvalidField { message, nearest: None });
    }
    if features.len() > MOST_FEATURES {
        return Err(ServeError::TooMany { what: "features", limit: MOST_FEATURES, given: features.len() });
    }
    let known = || project.entities.keys().map(EntityName::as_str);
    let (entity, _) = project
        .entities
        .get_key_value(entity)
        .ok_or_else(|| ServeError::unknown(Noun::Entity, entity, known()))?;
    let bad_name = |error: scorehouse_features::ids::InvalidId| ServeError::InvalidField {
        message: error.to_string(),
        nearest: None,
    };
    let parsed = features.iter().map(|name| name.trim().parse().map_err(bad_name));
    let names: Vec<FeatureName> = parsed.collect::<Result<_, _>>()?;
    let types = FeaturePlan::compile(project, entity, &names)?.types();
    let field = |(name, value_type)| FeatureField { name, value_type, words: None, group: None };
    let name = FeatureSetName::new("spelled_out").map_err(bad_name)?;
    let features = names.into_iter().zip(types).map(field).collect();
    Ok(FeatureSet { name, entity: entity.clone(), features, hash: String::new(), views: Vec::new() })
}

/// Builds a training set.
///
/// # Errors
/// What the names, the rows and history report; [`ServeError::Unavailable`] in a server without history.
pub fn training_set(
    state: &AppState,
    caller: &Caller,
    wanted: &Wanted,
    given: &GivenRows,
) -> Result<RecordBatch, ServeError> {
    let none = || ServeError::Unavailable { what: "history", reason: "this server keeps none".into() };
    let history = state.history.as_ref().ok_or_else(none)?;
    let set = feature_set(&state.project, wanted)?;
    caller.check_all(&set.entity)?;
    let now: Timestamp = state.clock.now();
    let rows = given.to_batch(&state.project, &set, now)?;
    history.training_set(&state.project, &set, &rows, wanted.missing)
}
