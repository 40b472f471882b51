//! What is read of deals at moments: inputs of the model, what they are worth, whose they are.

use indexmap::IndexSet;
use scorehouse_features::definition::{FeatureField, FeatureSet, ForecastSpec};
use scorehouse_features::ids::{EntityKey, FeatureName};
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Value, ValueType};
use scorehouse_models::{ScoringModel, Scratch};

use crate::dataset::Column;
use crate::error::TrainingError;
use crate::forecast::ForecastRequest;
use crate::history::Snapshots;
use crate::pipeline::read_features;
use crate::trained::TrainRequest;

/// What is read of deals: the model's features first, then what else is needed.
pub(super) struct Sheet {
    set: FeatureSet,
    /// How many of the columns are the model's.
    inputs: usize,
    /// Where what is needed stands.
    amount: Vec<usize>,
    pub by: Option<usize>,
    pub owner: Option<usize>,
}

/// What a model says of a deal at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Judged {
    /// The probability that it is won at all.
    pub probability: f64,
    /// If it is won: the probabilities that this happens before the period, and before its end.
    pub before: [f64; 2],
}

impl Judged {
    /// The probability that it is won within the period.
    pub fn within(&self) -> f64 {
        self.probability * (self.before[1] - self.before[0]).max(0.0)
    }
}

impl Sheet {
    /// What is read of deals that are open (`judged`), or of those that ended.
    pub fn of(
        request: &ForecastRequest<'_>,
        spec: &ForecastSpec,
        set: &FeatureSet,
        judged: bool,
    ) -> Result<Self, TrainingError> {
        let owner = spec.plan.as_ref().and_then(|plan| {
            let entity = request.project.entities.get(&set.entity)?;
            entity.references.get(&plan.role).map(|reference| reference.key.clone())
        });
        let more = spec.amount.inputs.iter().chain(request.by).chain(owner.as_ref()).cloned();
        // A feature that is read twice over stands there twice: inputs keep their places.
        let more: IndexSet<FeatureName> = more.collect();
        let extra = request.set_of(set, more.iter().cloned())?;
        let begin = if judged { set.features.len() } else { 0 };
        let at = |name: &FeatureName| begin + more.get_index_of(name).unwrap_or(0);
        let (amount, by) = (spec.amount.inputs.iter().map(at).collect(), request.by.map(at));
        let owner = owner.as_ref().map(at);
        let own = if judged { set.features.clone() } else { Vec::new() };
        let features = own.into_iter().chain(extra.features).collect();
        Ok(Self { set: FeatureSet { features, ..set.clone() }, inputs: begin, amount, by, owner })
    }

    /// The columns of deals at moments.
    pub fn read<'d>(
        &self,
        training: &TrainRequest<'_>,
        rows: impl Iterator<Item = (&'d EntityKey, Timestamp)>,
    ) -> Result<Vec<Column>, TrainingError> {
        // Each feature is asked for once; what stands in the sheet twice is the same column.
        let mut names: IndexSet<FeatureName> = IndexSet::new();
        let places: Vec<usize> =
            self.set.features.iter().map(|field| names.insert_full(field.name.clone()).0).collect();
        let mut asked = self.set.clone();
        let mut met = IndexSet::new();
        asked.features.retain(|field| met.insert(field.name.clone()));
        let (keys, as_of) = rows.map(|(key, at)| (key.clone(), at)).unzip();
        let columns = read_features(training, &asked, &Snapshots { keys, as_of })?;
        Ok(places.into_iter().map(|place| columns[place].clone()).collect())
    }

    /// What the request's version says of rows read at these moments: the inputs are the first columns.
    pub fn judge(
        &self,
        request: &ForecastRequest<'_>,
        columns: &[Column],
        as_of: impl Iterator<Item = Timestamp>,
    ) -> Result<Vec<Judged>, TrainingError> {
        let broken = |error: scorehouse_models::ModelError| TrainingError::Artifact(error.to_string());
        let model = ScoringModel::load(request.artifact).map_err(broken)?;
        let mut scratch = Scratch::default();
        let days = [request.period.from, request.period.to].map(|end| end.days_since(request.as_of));
        let inputs = &columns[..self.inputs];
        let mut judged = Vec::new();
        for (row, at) in as_of.enumerate() {
            let values: Vec<Value> = inputs.iter().map(|column| column.value(row)).collect();
            let score = model.score(&values, at, 0, &mut scratch).map_err(broken)?;
            let curve = model.curve(&values, at, 1.0).map_err(broken)?.ok_or_else(|| {
                TrainingError::Definition(format!(
                    "this version of {} does not know when deals end; train it again, once enough have ended",
                    request.model
                ))
            })?;
            let before = days.map(|days| curve.won_by(days));
            judged.push(Judged { probability: score.output, before });
        }
        Ok(judged)
    }

    /// What the deal of a row is worth; none when that is not known.
    pub fn amount(&self, spec: &ForecastSpec, columns: &[Column], row: usize, at: Timestamp) -> Option<f64> {
        let inputs: Vec<Value> = self.amount.iter().map(|place| columns[*place].value(row)).collect();
        match spec.amount.expression.evaluate(&inputs, at) {
            Value::Float(amount) => Some(amount),
            Value::Int(amount) => Some(amount as f64),
            _ => None,
        }
    }
}

impl ForecastRequest<'_> {
    /// The type of a feature of the project.
    pub(super) fn type_of(&self, name: &FeatureName) -> Result<ValueType, TrainingError> {
        let view = self.project.views.get(&name.view);
        let feature = view.and_then(|view| view.features.iter().find(|feature| feature.name == name.name));
        let unknown = || TrainingError::Definition(format!("the project has no feature {name}"));
        feature.map(|feature| feature.value_type).ok_or_else(unknown)
    }

    /// A feature set of these features.
    pub(super) fn set_of(
        &self,
        like: &FeatureSet,
        names: impl Iterator<Item = FeatureName>,
    ) -> Result<FeatureSet, TrainingError> {
        let field = |name: FeatureName| {
            let value_type = self.type_of(&name)?;
            Ok(FeatureField { name, value_type, words: None, group: None })
        };
        let features = names.map(field).collect::<Result<Vec<_>, TrainingError>>()?;
        Ok(FeatureSet { features, hash: String::new(), ..like.clone() })
    }
}

/// A value as the name of a group; none when missing.
pub(super) fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Missing(_) => None,
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(value) => Some(value.to_string()),
        Value::Float(value) => Some(value.to_string()),
        Value::Text(value) => Some(value.to_string()),
        Value::Time(value) => Some(value.to_string()),
    }
}
