//! What customers bought, and when.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use rustc_hash::FxHashMap;
use scorehouse_features::definition::{InteractionsSpec, Source, UpsellSpec};
use scorehouse_features::ids::ColumnName;
use scorehouse_features::source::column::TypedColumn;
use scorehouse_features::time::{Span, Timestamp};
use scorehouse_features::value::{Missing, Value};
use scorehouse_features::view::key::key_text;
use scorehouse_offline::ScanRange;
use scorehouse_training::history::EVENT_TIME;
use serde_json::Value as Json;

use super::read::{List, Products};
use crate::error::ServeError;
use crate::monitor::Monitor;
use crate::monitor::outcome::reported;

/// Purchases of the customers that are asked about.
#[derive(Debug, Default)]
pub struct Bought(FxHashMap<String, Vec<(Timestamp, u32)>>);

/// Whose purchases are read, and from when until when.
pub struct Wanted<'a> {
    /// True for a customer that is asked about.
    pub customer: &'a dyn Fn(&str) -> bool,
    /// The first moment.
    pub from: Timestamp,
    /// The last moment.
    pub until: Timestamp,
}

impl Wanted<'_> {
    fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at <= self.until
    }
}

impl Bought {
    /// The interactions of a source that have happened and are known by now. Rows count as training counts them: those
    /// that `where` lets through, with a weight above 0.
    ///
    /// # Errors
    /// What history reports.
    pub fn from_source(
        monitor: &Monitor<'_>,
        spec: &UpsellSpec,
        wanted: &Wanted<'_>,
        products: &mut Products,
    ) -> Result<Self, ServeError> {
        let bug = || ServeError::Bug { message: format!("source {} lacks what it declares", spec.source) };
        let source = monitor.project.sources.get(&spec.source).ok_or_else(bug)?;
        let read = Read::of(spec, source).ok_or_else(bug)?;
        let range =
            ScanRange { from: Some(wanted.from), until: Some(wanted.until), known_by: Some(monitor.now) };
        let batch = monitor.store.scan(&spec.source, &read.columns, range)?;
        let mut bought = Self::default();
        read.rows(&batch, spec, &mut |user, item, at| bought.add(wanted, (user, at), products.number(item)))
            .ok_or_else(bug)?;
        Ok(bought.sorted())
    }

    /// The items that were reported as taken up, of a model over a plain file.
    ///
    /// # Errors
    /// [`ServeError::Io`].
    pub fn reported(
        monitor: &Monitor<'_>,
        (model, spec): (&str, &InteractionsSpec),
        wanted: &Wanted<'_>,
        products: &mut Products,
    ) -> Result<Self, ServeError> {
        let mut bought = Self::default();
        reported(monitor, model, &mut |key, at, outcome| {
            let item = match outcome {
                Json::Object(fields) => fields.get(&spec.item),
                bare => Some(bare),
            };
            let item = match item {
                Some(Json::String(text)) => text.clone(),
                Some(Json::Number(number)) => number.to_string(),
                _ => return,
            };
            bought.add(wanted, (key, at), products.number(&item));
        })?;
        Ok(bought.sorted())
    }

    fn add(&mut self, wanted: &Wanted<'_>, (customer, at): (&str, Timestamp), product: u32) {
        if !wanted.holds(at) || !(wanted.customer)(customer) {
            return;
        }
        match self.0.get_mut(customer) {
            Some(purchases) => purchases.push((at, product)),
            None => drop(self.0.insert(customer.to_owned(), vec![(at, product)])),
        }
    }

    fn sorted(mut self) -> Self {
        self.0.values_mut().for_each(|purchases| purchases.sort_unstable());
        self
    }

    /// The products that a customer bought within `horizon` after a list was made, ascending, without those that lay in
    /// the basket already.
    pub fn after(&self, customer: &str, list: &List, horizon: Span) -> Vec<u32> {
        let Some(purchases) = self.0.get(customer) else { return Vec::new() };
        let until = list.as_of.after(horizon);
        let later = &purchases[purchases.partition_point(|(at, _)| *at <= list.as_of)..];
        let within = later.iter().take_while(|(at, _)| *at <= until).map(|(_, product)| *product);
        let mut products: Vec<u32> = within.filter(|product| !list.basket.contains(product)).collect();
        products.sort_unstable();
        products.dedup();
        products
    }
}

/// The columns of a source that tell a purchase.
struct Read {
    columns: Vec<ColumnName>,
    /// Their places in the source.
    places: Vec<usize>,
    user: usize,
    item: usize,
    /// Columns of the source.
    width: usize,
}

impl Read {
    fn of(spec: &UpsellSpec, source: &Source) -> Option<Self> {
        let place = |name: &ColumnName| source.columns.iter().position(|column| column.name == *name);
        let (user, item) = (place(&spec.user)?, place(&spec.item)?);
        let expressions = [&spec.filter, &spec.weight].into_iter().flatten();
        let mut places: Vec<usize> =
            expressions.flat_map(|one| one.slots().iter().copied()).chain([user, item]).collect();
        places.sort_unstable();
        places.dedup();
        let columns = places.iter().map(|place| Some(source.columns.get(*place)?.name.clone()));
        Some(Self {
            columns: columns.collect::<Option<_>>()?,
            places,
            user,
            item,
            width: source.columns.len(),
        })
    }

    /// Shows `see` every purchase: customer, product, moment. None when the batch lacks what was asked for.
    fn rows(
        &self,
        batch: &RecordBatch,
        spec: &UpsellSpec,
        see: &mut dyn FnMut(&str, &str, Timestamp),
    ) -> Option<()> {
        let typed: Vec<TypedColumn<'_>> =
            batch.columns().get(..self.places.len())?.iter().map(TypedColumn::of).collect::<Option<_>>()?;
        let at = batch.column_by_name(EVENT_TIME)?.as_primitive_opt::<TimestampMicrosecondType>()?.values();
        let mut values = vec![Value::Missing(Missing::Undefined); self.width];
        for row in 0..batch.num_rows() {
            for (place, column) in self.places.iter().zip(&typed) {
                values[*place] = column.value(row);
            }
            let moment = Timestamp(at[row]);
            let counts = spec.filter.as_ref().is_none_or(|filter| filter.is_true(&values, moment))
                && spec.weight.as_ref().is_none_or(|weight| is_positive(&weight.evaluate(&values, moment)));
            let (user, item) = (key_text(&values[self.user]), key_text(&values[self.item]));
            if let (true, Some(user), Some(item)) = (counts, user, item) {
                see(&user, &item, moment);
            }
        }
        Some(())
    }
}

fn is_positive(weight: &Value) -> bool {
    match weight {
        Value::Float(number) => *number > 0.0,
        Value::Int(number) => *number > 0,
        Value::Bool(flag) => *flag,
        _ => false,
    }
}
