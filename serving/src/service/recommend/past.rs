//! A customer's own past, as the store knows it at this moment.

use rustc_hash::FxHashSet;
use scorehouse_features::definition::{Project, UpsellSpec};
use scorehouse_features::expression::Expression;
use scorehouse_features::online::OnlineStore;
use scorehouse_features::time::{Span, Timestamp};
use scorehouse_features::value::{Missing, Value};
use scorehouse_features::view::key::key_text;
use scorehouse_features::view::{Layout, Rows, TableId};

use crate::error::ServeError;

/// Most rows of one customer that are read, the newest first.
const MOST_ROWS: usize = 5_000;

/// Reads interactions of one customer.
#[derive(Debug)]
pub struct PastReader {
    table: TableId,
    width: usize,
    item: usize,
    filter: Option<usize>,
    weight: Option<Expression>,
    not_again: Option<Span>,
}

/// One interaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Bought {
    /// The product's key.
    pub item: String,
    /// How much it counts.
    pub weight: f64,
    /// When.
    pub time: Timestamp,
}

impl PastReader {
    /// Binds the interactions of `spec` to the store's tables.
    ///
    /// # Errors
    /// [`ServeError::Bug`] when the project's layout has no table for them.
    pub fn of(project: &Project, spec: &UpsellSpec) -> Result<Self, ServeError> {
        let bug = || ServeError::Bug { message: format!("no table holds {} by {}", spec.source, spec.user) };
        let layout = Layout::of(project)?;
        let table = layout.table(&spec.source, &spec.user).ok_or_else(bug)?;
        let source = layout.source(&spec.source).ok_or_else(bug)?;
        let (item, _) = source.column(&spec.item).ok_or_else(bug)?;
        Ok(Self {
            table,
            width: source.columns.len(),
            item,
            filter: spec.filter.as_ref().and_then(|filter| source.filter(filter)),
            weight: spec.weight.clone(),
            not_again: spec.not_bought_within,
        })
    }

    /// Everything that `key` had interacted with, as known at `as_of`, the oldest first.
    ///
    /// # Errors
    /// What the store reports.
    pub fn read(
        &self,
        online: &dyn OnlineStore,
        key: &str,
        as_of: Timestamp,
    ) -> Result<Vec<Bought>, ServeError> {
        let mut past = Vec::new();
        online.visit(self.table, key, &mut |rows| self.gather(rows, as_of, &mut past))?;
        past.reverse();
        Ok(past)
    }

    fn gather(&self, rows: &dyn Rows, as_of: Timestamp, past: &mut Vec<Bought>) {
        for row in (0..rows.happened_by(as_of)).rev() {
            let seen = rows.available(row) <= as_of && self.filter.is_none_or(|at| rows.is_true(row, at));
            if !seen {
                continue;
            }
            let item = rows.value(row, self.item);
            let Some(item) = key_text(&item) else { continue };
            let weight = self.weight(rows, row);
            past.push(Bought { item: item.into_owned(), weight, time: rows.event_time(row) });
            if past.len() == MOST_ROWS {
                return;
            }
        }
    }

    fn weight(&self, rows: &dyn Rows, row: usize) -> f64 {
        let Some(weight) = &self.weight else { return 1.0 };
        let mut values = vec![Value::Missing(Missing::NullAtSource); self.width];
        for slot in weight.slots() {
            values[*slot] = rows.value(row, *slot);
        }
        match weight.evaluate(&values, rows.event_time(row)) {
            Value::Float(number) => number,
            Value::Int(number) => number as f64,
            _ => 0.0,
        }
    }

    /// The products of `past` that are too recent to be shown again.
    #[must_use]
    pub fn just_bought<'a>(&self, past: &'a [Bought], as_of: Timestamp) -> FxHashSet<&'a str> {
        let Some(span) = self.not_again else { return FxHashSet::default() };
        let recent = past.iter().filter(|bought| bought.time > as_of.before(span));
        recent.map(|bought| bought.item.as_str()).collect()
    }
}
