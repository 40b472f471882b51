//! Items for customers from the rows of a source in the feature store.

use arrow_array::RecordBatch;
use scorehouse_features::definition::{FeatureSet, RerankSpec, Source, UpsellSpec};
use scorehouse_features::expression::Expression;
use scorehouse_features::ids::{ColumnName, EntityKey};
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value, ValueType};
use scorehouse_models::predictor::recommender::{FactsRead, Repeat};

use super::recommend::{Naming, train_on, weight_of};
use super::snapshot::read_features;
use crate::dataset::{Column, from_record_batch};
use crate::error::TrainingError;
use crate::fit::recommender::{Facts, FitSettings, InteractionLog, LogBuilder, Named};
use crate::history::{AVAILABLE_TIME, EVENT_TIME, Snapshots};
use crate::trained::{TrainRequest, Trained};

/// Trains a recommender on the rows of a source that had happened and were known by now.
///
/// # Errors
/// [`TrainingError::Definition`] when the definition names a source or column that is not there,
/// [`TrainingError::History`] when the rows cannot be read, [`TrainingError::File`] when no row is an
/// interaction, and what the fit reports.
pub fn train(request: &TrainRequest<'_>, spec: &UpsellSpec) -> Result<Trained, TrainingError> {
    let Some(source) = request.project.sources.get(&spec.source) else {
        return Err(TrainingError::Definition(format!("the project declares no source {}", spec.source)));
    };
    request.progress.stage("read interactions", 0);
    let log = read(request, spec, source)?;
    let origin = format!("source {}", source.name);
    let naming = Naming {
        entity: spec.user_entity.as_ref(),
        user: spec.user.as_str(),
        item: spec.item.as_str(),
        origin: &origin,
    };
    let repeat = spec.not_bought_within.map_or(Repeat::Always, Repeat::After);
    let settings = FitSettings { half_life: spec.half_life, repeat, seed: request.seed };
    let facts = spec.rerank.as_ref().map(|spec| StoreFacts { request, spec });
    train_on(request, &log, naming, (settings, facts.as_ref().map(|facts| facts as &dyn Facts)))
}

/// What the store knew of customers and products, by the same join that every training set is made with.
struct StoreFacts<'a> {
    request: &'a TrainRequest<'a>,
    spec: &'a RerankSpec,
}

impl StoreFacts<'_> {
    fn columns(
        &self,
        set: Option<&FeatureSet>,
        keys: &[&str],
        as_of: Timestamp,
    ) -> Result<Vec<Column>, TrainingError> {
        let Some(set) = set else { return Ok(Vec::new()) };
        let keys: Result<Vec<EntityKey>, _> = keys.iter().map(|key| EntityKey::new(*key)).collect();
        let keys = keys.map_err(TrainingError::history)?;
        let snapshots = Snapshots { as_of: vec![as_of; keys.len()], keys };
        read_features(self.request, set, &snapshots)
    }
}

impl Facts for StoreFacts<'_> {
    fn of_customer(&self) -> FactsRead {
        read_of(self.spec.customer.as_ref())
    }

    fn of_product(&self) -> FactsRead {
        read_of(self.spec.product.as_ref())
    }

    fn customers(&self, keys: &[&str], as_of: Timestamp) -> Result<Vec<Column>, TrainingError> {
        self.columns(self.spec.customer.as_ref(), keys, as_of)
    }

    fn products(&self, keys: &[&str], as_of: Timestamp) -> Result<Vec<Column>, TrainingError> {
        self.columns(self.spec.product.as_ref(), keys, as_of)
    }
}

fn read_of(set: Option<&FeatureSet>) -> FactsRead {
    set.map_or_else(FactsRead::default, |set| FactsRead {
        features: set.features.iter().map(|field| field.name.clone()).collect(),
        hash: set.hash.clone(),
    })
}

fn read(
    request: &TrainRequest<'_>,
    spec: &UpsellSpec,
    source: &Source,
) -> Result<InteractionLog, TrainingError> {
    let wanted = Wanted::of(spec, source)?;
    let batch = request.history.rows(&spec.source, &wanted.names)?;
    let rows = Rows::of(&batch, &wanted)?;
    let mut log = LogBuilder::new(true);
    let mut inputs = vec![Value::Missing(Missing::NullAtSource); wanted.names.len()];
    for row in 0..batch.num_rows() {
        let Some(time) = rows.known_by(row, request.now) else {
            log.set_aside.future += 1;
            continue;
        };
        for (input, column) in inputs.iter_mut().zip(&rows.columns) {
            *input = column.value(row);
        }
        if wanted.filter.as_ref().is_some_and(|filter| !filter.is_true(&inputs, time)) {
            continue;
        }
        let weight = wanted.weight.as_ref().map_or(1.0, |weight| weight_of(&weight.evaluate(&inputs, time)));
        let (user, item) = (key(&inputs[wanted.user]), key(&inputs[wanted.item]));
        let basket = wanted.basket.and_then(|at| key(&inputs[at]));
        log.add(Named {
            user: user.as_deref().unwrap_or(""),
            item: item.as_deref().unwrap_or(""),
            weight,
            time: Some(time),
            basket: basket.as_deref(),
        });
    }
    Ok(log.finish())
}

/// The columns to read, and everything in the definition that refers to them by their place among these.
struct Wanted {
    names: Vec<ColumnName>,
    types: Vec<ValueType>,
    user: usize,
    item: usize,
    basket: Option<usize>,
    filter: Option<Expression>,
    weight: Option<Expression>,
}

impl Wanted {
    fn of(spec: &UpsellSpec, source: &Source) -> Result<Self, TrainingError> {
        let position = |name: &ColumnName| {
            source.columns.iter().position(|column| &column.name == name).ok_or_else(|| {
                TrainingError::Definition(format!("source {} has no column {name}", source.name))
            })
        };
        let (user, item) = (position(&spec.user)?, position(&spec.item)?);
        let basket = spec.basket.as_ref().map(position).transpose()?;
        let expressions = [&spec.filter, &spec.weight].into_iter().flatten();
        let mut places: Vec<usize> = expressions.flat_map(|e| e.slots().iter().copied()).collect();
        places.extend([user, item]);
        places.extend(basket);
        places.sort_unstable();
        places.dedup();
        if places.last().is_some_and(|last| *last >= source.columns.len()) {
            let why = format!("an expression reads beyond the columns of source {}", source.name);
            return Err(TrainingError::Definition(why));
        }
        // A slot that no expression reads may stand anywhere.
        let place = |slot: usize| places.binary_search(&slot).unwrap_or(0);
        let moved = |expression: &Option<Expression>| expression.as_ref().map(|e| e.with_slots(place));
        Ok(Self {
            names: places.iter().map(|at| source.columns[*at].name.clone()).collect(),
            types: places.iter().map(|at| source.columns[*at].value_type).collect(),
            user: place(user),
            item: place(item),
            basket: basket.map(place),
            filter: moved(&spec.filter),
            weight: moved(&spec.weight),
        })
    }
}

struct Rows {
    columns: Vec<Column>,
    event: Column,
    available: Column,
}

impl Rows {
    fn of(batch: &RecordBatch, wanted: &Wanted) -> Result<Self, TrainingError> {
        let columns = wanted.names.iter().zip(&wanted.types);
        let columns = columns.map(|(name, value_type)| from_record_batch(batch, name.as_str(), *value_type));
        Ok(Self {
            columns: columns.collect::<Result<_, _>>()?,
            event: from_record_batch(batch, EVENT_TIME, ValueType::Time)?,
            available: from_record_batch(batch, AVAILABLE_TIME, ValueType::Time)?,
        })
    }

    /// When a row happened, unless that, or its becoming known, is still to come.
    fn known_by(&self, row: usize, now: Timestamp) -> Option<Timestamp> {
        match (self.event.value(row), self.available.value(row)) {
            (Value::Time(event), Value::Time(available)) if event <= now && available <= now => Some(event),
            _ => None,
        }
    }
}

/// A key as text: numbers as they are written.
fn key(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Time(moment) => Some(moment.to_string()),
        Value::Missing(_) => None,
    }
}
