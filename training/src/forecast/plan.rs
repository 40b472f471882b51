//! What a forecast is held against: what was asked of those whom deals belong to, and what they promised.

use std::collections::BTreeMap;

use indexmap::IndexSet;
use scorehouse_features::definition::{FeatureSet, ForecastSpec, PlanSpec};
use scorehouse_features::ids::{EntityKey, EntityName, FeatureName};
use scorehouse_features::value::{Value, ValueType};

use crate::dataset::Column;
use crate::error::TrainingError;
use crate::forecast::book::Book;
use crate::forecast::sheet::shown;
use crate::forecast::{ForecastRequest, Line};
use crate::history::Snapshots;
use crate::pipeline::{feature_set, read_features};

/// What one owner was asked for and promised.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Asked {
    target: Option<f64>,
    commit: Option<f64>,
}

/// Puts targets and commits into the lines, the total last. A target belongs to an owner, not to deals; so a group has
/// one when deals are told apart by their owners, or by a feature of these.
pub(super) fn hold_against(
    request: &ForecastRequest<'_>,
    spec: &ForecastSpec,
    book: &Book,
    lines: &mut [Line],
) -> Result<(), TrainingError> {
    let Some(plan) = &spec.plan else { return Ok(()) };
    let Some((entity, key)) = owner_of(request, plan)? else { return Ok(()) };
    let owners: IndexSet<EntityKey> =
        book.owners.iter().filter_map(|(owner, _)| EntityKey::new(owner.as_str()).ok()).collect();
    let by = request.by.filter(|by| by.through.as_ref() == Some(&plan.role));
    let sheet = Sheet::read(request, plan, &entity, &owners, by)?;
    let mut groups: BTreeMap<Option<String>, Asked> = BTreeMap::new();
    let mut total = Asked::default();
    for (row, owner) in owners.iter().enumerate() {
        let Some(asked) = sheet.asked(row, request.period.name.as_deref()) else { continue };
        total.add(asked);
        match request.by {
            Some(name) if *name == key => groups.entry(Some(owner.to_string())).or_default().add(asked),
            Some(_) if by.is_some() => groups.entry(sheet.group(row)).or_default().add(asked),
            _ => {}
        }
    }
    let last = lines.len().saturating_sub(1);
    for (at, line) in lines.iter_mut().enumerate() {
        let asked = if at == last { Some(total) } else { groups.get(&line.group).copied() };
        let Some(asked) = asked else { continue };
        (line.target, line.commit) = (asked.target, asked.commit);
        line.reaches_target = asked.target.map(|target| line.reaches(target));
        line.reaches_commit = asked.commit.map(|commit| line.reaches(commit));
    }
    Ok(())
}

/// The entity of the owners, and the feature of a deal that holds an owner's key.
fn owner_of(
    request: &ForecastRequest<'_>,
    plan: &PlanSpec,
) -> Result<Option<(EntityName, FeatureName)>, TrainingError> {
    let (win, _) = super::specs(request.project, request.model)?;
    let deal = &feature_set(&request.training(), &win.fit)?.entity;
    let reference = request.project.entities.get(deal).and_then(|entity| entity.references.get(&plan.role));
    Ok(reference.map(|reference| (reference.target.clone(), reference.key.clone())))
}

/// Features of the owners as of the moment whose knowledge counts.
struct Sheet {
    target: Option<Column>,
    commit: Option<Column>,
    period: Option<Column>,
    by: Option<Column>,
}

impl Sheet {
    fn read(
        request: &ForecastRequest<'_>,
        plan: &PlanSpec,
        entity: &EntityName,
        owners: &IndexSet<EntityKey>,
        by: Option<&FeatureName>,
    ) -> Result<Self, TrainingError> {
        let own = |name: &FeatureName| FeatureName { through: None, ..name.clone() };
        let wanted = [plan.target.as_ref(), plan.commit.as_ref(), plan.period.as_ref(), by];
        let names: IndexSet<FeatureName> = wanted.iter().flatten().map(|name| own(name)).collect();
        let (win, _) = super::specs(request.project, request.model)?;
        let like =
            FeatureSet { entity: entity.clone(), ..feature_set(&request.training(), &win.fit)?.clone() };
        let set = request.set_of(&like, names.iter().cloned())?;
        let snapshots =
            Snapshots { keys: owners.iter().cloned().collect(), as_of: vec![request.as_of; owners.len()] };
        let columns = read_features(&request.training(), &set, &snapshots)?;
        let [target, commit, period, by] = wanted.map(|name| {
            let place = names.get_index_of(&own(name?))?;
            Some(columns[place].clone())
        });
        Ok(Self { target, commit, period, by })
    }

    /// What an owner was asked for in the period of this name; none when it was another one.
    fn asked(&self, row: usize, name: Option<&str>) -> Option<Asked> {
        if let Some(period) = &self.period
            && !matches!((period.value(row), name), (Value::Text(of), Some(name)) if of.as_str() == name)
        {
            return None;
        }
        let number = |column: &Option<Column>| {
            let column = column.as_ref().filter(|column| column.value_type() != ValueType::Text)?;
            column.numbers()?.get(row).copied().filter(|number| number.is_finite())
        };
        Some(Asked { target: number(&self.target), commit: number(&self.commit) })
    }

    fn group(&self, row: usize) -> Option<String> {
        self.by.as_ref().and_then(|column| shown(&column.value(row)))
    }
}

impl Asked {
    fn add(&mut self, other: Self) {
        let sum = |a: Option<f64>, b: Option<f64>| a.map_or(b, |a| Some(a + b.unwrap_or(0.0)));
        self.target = sum(self.target, other.target);
        self.commit = sum(self.commit, other.commit);
    }
}
