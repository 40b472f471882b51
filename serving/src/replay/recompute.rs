//! The inputs of logged scores, computed again from history.

use arrow_array::{ArrayRef, Int64Array, StringArray};
use scorehouse_features::definition::Project;
use scorehouse_features::ids::{EntityKey, EntityName, FeatureName};
use scorehouse_features::source::column::ColumnBuilder;
use scorehouse_features::value::{Missing, Value};
use scorehouse_features::view::{Column, FeaturePlan, Read, RequestFields, Scratch};
use scorehouse_models::ScoringModel;
use scorehouse_offline::{EntityRows, OfflineStore};

use super::rebuilt::Rebuilt;
use crate::error::ServeError;
use crate::score_log::read::LoggedScore;
use crate::service::scalar::Fields;
use crate::service::score::NOBODY;

/// Computes inputs of one version's scores.
pub struct Recompute<'a> {
    /// The project.
    pub project: &'a Project,
    /// History.
    pub store: &'a OfflineStore,
    /// The store as history makes it.
    pub rebuilt: &'a Rebuilt<'a>,
    /// The version.
    pub scoring: &'a ScoringModel,
}

/// What a request gave, by name.
type Given = Vec<(FeatureName, Value)>;

impl Recompute<'_> {
    /// The inputs of every row, in the order of the signature.
    ///
    /// # Errors
    /// What history reports.
    pub fn inputs(&self, rows: &[LoggedScore]) -> Result<Vec<Vec<Value>>, ServeError> {
        let mut values: Vec<Vec<Value>> = vec![Vec::new(); rows.len()];
        let (mut joined, mut read) = (Vec::new(), Vec::new());
        for (at, row) in rows.iter().enumerate() {
            if !row.stored {
                values[at] = row.inputs.iter().map(|(_, value)| value.clone()).collect();
                continue;
            }
            let given = self.given(row)?;
            let of_request = given.iter().all(|(name, _)| name.is_request());
            if of_request { &mut joined } else { &mut read }.push((at, given));
        }
        if let Some(entity) = &self.scoring.signature().entity {
            self.join(entity, rows, &joined, &mut values)?;
            self.read(entity, rows, &read, &mut values)?;
        }
        Ok(values)
    }

    fn names(&self) -> Result<Vec<FeatureName>, ServeError> {
        let invalid = |message: String| ServeError::InvalidField { message, nearest: None };
        let inputs = self.scoring.signature().inputs.iter();
        inputs.map(|input| input.name.parse().map_err(|e| invalid(format!("{}: {e}", input.name)))).collect()
    }

    fn given(&self, row: &LoggedScore) -> Result<Given, ServeError> {
        let Some(text) = &row.given else { return Ok(Vec::new()) };
        let unreadable = |reason: String| ServeError::Unavailable { what: "the score log", reason };
        let fields: Fields<'_> = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        let mut given = Vec::with_capacity(fields.0.len());
        for (name, value) in &fields.0 {
            let parsed: FeatureName =
                name.parse().map_err(|_| unreadable(format!("{} is no feature", &**name)))?;
            let typed = self
                .value_type(&parsed)
                .ok_or_else(|| unreadable(format!("the project has no feature {} any more", &**name)))?;
            given.push((parsed, value.to_value(name, typed)?));
        }
        Ok(given)
    }

    fn value_type(&self, name: &FeatureName) -> Option<scorehouse_features::value::ValueType> {
        if name.is_request() {
            return self.project.request_fields.get(&name.name).copied();
        }
        let features = &self.project.views.get(&name.view)?.features;
        features.iter().find(|feature| feature.name == name.name).map(|feature| feature.value_type)
    }

    /// Through the point-in-time engine, all rows at once.
    fn join(
        &self,
        entity: &EntityName,
        rows: &[LoggedScore],
        wanted: &[(usize, Given)],
        values: &mut [Vec<Value>],
    ) -> Result<(), ServeError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let keys: StringArray = wanted.iter().map(|(at, _)| rows[*at].head.key.as_deref()).collect();
        let as_of: Int64Array = wanted.iter().map(|(at, _)| Some(rows[*at].head.as_of.0)).collect();
        let mut request = Vec::new();
        for (field, value_type) in &self.project.request_fields {
            let mut column = ColumnBuilder::new(*value_type, wanted.len());
            for (_, given) in wanted {
                match given.iter().find(|(name, _)| name.is_request() && name.name == *field) {
                    Some((_, value)) => column.push(value),
                    None => column.push_null(),
                }
            }
            let array: ArrayRef = column.finish();
            request.push((field.clone(), Column::from_arrow(&array, *value_type)?));
        }
        let found =
            self.store.history(self.project, entity, &self.names()?, &EntityRows { keys, as_of, request })?;
        let mut columns = Vec::with_capacity(found.len());
        for (slot, input) in found.iter().zip(&self.scoring.signature().inputs) {
            columns.push((slot, Column::from_arrow(&slot.values, input.value_type)?));
        }
        for (number, (at, _)) in wanted.iter().enumerate() {
            values[*at] = columns.iter().map(|(slot, column)| slot.value(column, number)).collect();
        }
        Ok(())
    }

    /// Through the online kernel, over a base made of the same history.
    fn read(
        &self,
        entity: &EntityName,
        rows: &[LoggedScore],
        wanted: &[(usize, Given)],
        values: &mut [Vec<Value>],
    ) -> Result<(), ServeError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let online = self.rebuilt.store()?;
        let plan = FeaturePlan::compile(self.project, entity, &self.names()?)?;
        let (mut scratch, request) = (Scratch::default(), RequestFields::new());
        for (at, given) in wanted {
            let row = &rows[*at];
            let key = EntityKey::new(row.head.key.as_deref().unwrap_or(NOBODY));
            let key = key.map_err(|e| ServeError::InvalidField { message: e.to_string(), nearest: None })?;
            let slot = |(name, value): &(FeatureName, Value)| Some((plan.slot(name)?, value.clone()));
            let overrides: Vec<(usize, Value)> = given.iter().filter_map(slot).collect();
            let read = Read { key: &key, as_of: row.head.as_of, request: &request, overrides: &overrides };
            plan.read(online, &read, &mut scratch, &mut values[*at])?;
        }
        Ok(())
    }
}

/// True when two inputs are the same to a model: the same bits, or both missing.
#[must_use]
pub fn same(served: &Value, now: &Value) -> bool {
    match (served, now) {
        (Value::Missing(_), Value::Missing(_)) => true,
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    }
}

/// A missing value, whatever the reason.
pub const MISSING: Value = Value::Missing(Missing::NeverSeen);
