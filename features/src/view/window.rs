//! Aggregates over trailing windows, exact over raw rows, in one pass from the newest row to the oldest.
//!
//! Trailing windows are nested: the rows of the last 30 days are the first rows met on the way back through
//! the last 90. So each aggregate keeps one running state, and a window's result is that state at the moment
//! the walk leaves the window. Sums therefore add up from the newest row to the oldest, always in this
//! order, which gives both callers of the kernel the same bits.
//!
//! Why a feature is missing: rows counted but all null, `NullAtSource`; no row counted in a bounded window
//! though some row passed the view's filter before, `Expired`; otherwise `NeverSeen`. Count, sum and distinct
//! are 0 instead.

use crate::definition::{Aggregate, WindowFeature, WindowView};
use crate::error::FeatureError;
use crate::expression::Expression;
use crate::time::Timestamp;
use crate::value::{Missing, Value, ValueType};
use crate::view::distinct::{DistinctColumn, DistinctSet};
use crate::view::layout::{SourceLayout, aggregate_column};
use crate::view::rows::Rows;

/// A window view's features, compiled for the kernel.
#[derive(Debug, Clone)]
pub struct WindowPlan {
    filter: Option<usize>,
    lanes: Vec<Lane>,
    stages: Vec<Stage>,
    distinct_sets: usize,
}

/// One running aggregate; features that differ only in their window share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lane {
    filter: Option<usize>,
    keeps: Keeps,
    column: usize,
    value_type: ValueType,
}

/// What a lane keeps as it meets rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeps {
    /// How many rows, the newest and the oldest.
    Rows,
    /// Sum and number of values.
    Total,
    /// Mean and squared deviations (Welford 1962).
    Moments,
    /// The row of the smallest value.
    Smallest,
    /// The row of the largest value.
    Largest,
    /// The set of values, at this place among the scratch's sets.
    Distinct(usize),
    /// The row of the k-th newest value.
    Last(u64),
}

/// A window and the features that are done when the walk leaves it. Stages ascend by window.
#[derive(Debug, Clone)]
struct Stage {
    window: Option<crate::time::Span>,
    emits: Vec<Emit>,
}

#[derive(Debug, Clone, Copy)]
struct Emit {
    lane: usize,
    result: Outcome,
    position: usize,
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Count,
    Sum,
    Mean,
    Stddev,
    RowValue,
    Distinct,
    DaysSinceLast,
    DaysSinceFirst,
}

/// What a lane holds while it walks.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    rows: u64,
    values: u64,
    whole: i128,
    float: f64,
    deviations: f64,
    best: i64,
    row: usize,
    newest: i64,
    oldest: i64,
}

/// Memory that evaluations reuse.
#[derive(Debug, Default)]
pub struct WindowScratch {
    states: Vec<State>,
    sets: Vec<DistinctSet>,
}

impl WindowPlan {
    /// Compiles the features of `view` listed in `picks` as (number in the view, position in the output).
    ///
    /// # Errors
    /// [`FeatureError::Bug`] for a column or filter that `source` does not hold, [`FeatureError::Shape`] for
    /// an aggregate that the column's type does not allow.
    pub fn compile(
        view: &WindowView,
        source: &SourceLayout,
        picks: &[(usize, usize)],
    ) -> Result<Self, FeatureError> {
        let filter = filter_number(source, view.filter.as_ref())?;
        let mut plan = Self { filter, lanes: Vec::new(), stages: Vec::new(), distinct_sets: 0 };
        for (number, position) in picks {
            let missing = || FeatureError::Bug(format!("a window view has no feature number {number}"));
            let feature = view.features.get(*number).ok_or_else(missing)?;
            plan.add(feature, source, *position)?;
        }
        plan.stages.sort_by_key(|stage| stage.window.map_or(i64::MAX, |window| window.0));
        Ok(plan)
    }

    fn add(
        &mut self,
        feature: &WindowFeature,
        source: &SourceLayout,
        position: usize,
    ) -> Result<(), FeatureError> {
        let (column, value_type) = match aggregate_column(&feature.aggregate) {
            None => (0, ValueType::Int),
            Some(name) => source.column(name).ok_or_else(|| {
                FeatureError::Bug(format!("source `{}` has no column `{name}`", source.name))
            })?,
        };
        let (keeps, result) = recipe(&feature.aggregate, value_type, self.distinct_sets)?;
        let filter = filter_number(source, feature.filter.as_ref())?;
        let lane = self.lane(Lane { filter, keeps, column, value_type });
        let emit = Emit { lane, result, position };
        match self.stages.iter_mut().find(|stage| stage.window == feature.window) {
            Some(stage) => stage.emits.push(emit),
            None => self.stages.push(Stage { window: feature.window, emits: vec![emit] }),
        }
        Ok(())
    }

    fn lane(&mut self, wanted: Lane) -> usize {
        let alike = |lane: &Lane| match (lane.keeps, wanted.keeps) {
            (Keeps::Distinct(_), Keeps::Distinct(_)) => {
                lane.filter == wanted.filter && lane.column == wanted.column
            }
            _ => *lane == wanted,
        };
        self.lanes.iter().position(alike).unwrap_or_else(|| {
            self.distinct_sets += usize::from(matches!(wanted.keeps, Keeps::Distinct(_)));
            self.lanes.push(wanted);
            self.lanes.len() - 1
        })
    }

    /// Computes every feature as of `as_of` into `out`, each at its position.
    ///
    /// A row counts when `as_of - window < event time <= as_of`, its availability time is `<= as_of`, and
    /// the filters are true.
    pub fn evaluate<R: Rows + ?Sized>(
        &self,
        rows: &R,
        as_of: Timestamp,
        scratch: &mut WindowScratch,
        out: &mut [Value],
    ) {
        scratch.start(self);
        let mut left = rows.happened_by(as_of);
        let mut seen = false;
        for stage in &self.stages {
            let floor = stage.window.map(|window| as_of.before(window));
            while left > 0 && floor.is_none_or(|floor| rows.event_time(left - 1) > floor) {
                left -= 1;
                if self.passes(rows, left, as_of) {
                    seen = true;
                    self.take(rows, left, scratch);
                }
            }
            for emit in &stage.emits {
                out[emit.position] = self.emit(rows, emit, as_of, scratch);
            }
        }
        let seen = seen || (0..left).rev().any(|row| self.passes(rows, row, as_of));
        if seen {
            self.mark_expired(out);
        }
    }

    #[inline]
    fn passes<R: Rows + ?Sized>(&self, rows: &R, row: usize, as_of: Timestamp) -> bool {
        rows.available(row) <= as_of && self.filter.is_none_or(|filter| rows.is_true(row, filter))
    }

    /// Whether rows came before a bounded window is known only at the end of the walk.
    fn mark_expired(&self, out: &mut [Value]) {
        for stage in self.stages.iter().filter(|stage| stage.window.is_some()) {
            for emit in &stage.emits {
                if out[emit.position] == Value::Missing(Missing::NeverSeen) {
                    out[emit.position] = Value::Missing(Missing::Expired);
                }
            }
        }
    }

    #[inline]
    fn take<R: Rows + ?Sized>(&self, rows: &R, row: usize, scratch: &mut WindowScratch) {
        for (lane, state) in self.lanes.iter().zip(&mut scratch.states) {
            if lane.filter.is_none_or(|filter| rows.is_true(row, filter)) {
                lane.take(rows, row, state, &mut scratch.sets);
            }
        }
    }

    fn emit<R: Rows + ?Sized>(
        &self,
        rows: &R,
        emit: &Emit,
        as_of: Timestamp,
        scratch: &WindowScratch,
    ) -> Value {
        let lane = &self.lanes[emit.lane];
        let state = &scratch.states[emit.lane];
        let days = |moment: i64| Value::Float(as_of.days_since(Timestamp(moment)));
        match emit.result {
            Outcome::Count => Value::Int(i64::try_from(state.rows).unwrap_or(i64::MAX)),
            Outcome::Distinct => {
                let Keeps::Distinct(set) = lane.keeps else { return Value::Missing(Missing::Undefined) };
                Value::Int(scratch.sets[set].count() as i64)
            }
            Outcome::Sum => lane.sum(state),
            Outcome::DaysSinceLast if state.rows > 0 => days(state.newest),
            Outcome::DaysSinceFirst if state.rows > 0 => days(state.oldest),
            Outcome::Mean if state.values > 0 => lane.mean(state),
            Outcome::Stddev if state.values > 0 => stddev(state),
            Outcome::RowValue if lane.has_row(state) => rows.value(state.row, lane.column),
            _ if state.rows > 0 && state.values == 0 => Value::Missing(Missing::NullAtSource),
            _ => Value::Missing(Missing::NeverSeen),
        }
    }
}

impl WindowScratch {
    fn start(&mut self, plan: &WindowPlan) {
        self.states.clear();
        self.states.resize(plan.lanes.len(), State::default());
        if self.sets.len() < plan.distinct_sets {
            self.sets.resize_with(plan.distinct_sets, DistinctSet::default);
        }
        self.sets.iter_mut().take(plan.distinct_sets).for_each(DistinctSet::clear);
    }
}

impl Lane {
    #[inline]
    fn take<R: Rows + ?Sized>(&self, rows: &R, row: usize, state: &mut State, sets: &mut [DistinctSet]) {
        state.rows += 1;
        match self.keeps {
            Keeps::Rows => {
                let moment = rows.event_time(row).0;
                if state.rows == 1 {
                    state.newest = moment;
                }
                state.oldest = moment;
            }
            Keeps::Total if self.value_type == ValueType::Int => {
                if let Some(value) = rows.whole(row, self.column) {
                    state.values += 1;
                    state.whole += i128::from(value);
                }
            }
            Keeps::Total => {
                if let Some(value) = rows.number(row, self.column) {
                    state.values += 1;
                    state.float += value;
                }
            }
            Keeps::Moments => {
                if let Some(value) = rows.number(row, self.column) {
                    state.values += 1;
                    let from_mean = value - state.float;
                    state.float += from_mean / state.values as f64;
                    state.deviations += from_mean * (value - state.float);
                }
            }
            Keeps::Smallest | Keeps::Largest => self.take_extreme(rows, row, state),
            Keeps::Distinct(set) => {
                if !rows.is_null(row, self.column) {
                    state.values += 1;
                    let of = DistinctColumn { column: self.column, value_type: self.value_type };
                    sets[set].insert(rows, of, row);
                }
            }
            Keeps::Last(k) => {
                if state.values < k && !rows.is_null(row, self.column) {
                    state.values += 1;
                    state.row = row;
                }
            }
        }
    }

    /// Among equal values the newest row stays.
    fn take_extreme<R: Rows + ?Sized>(&self, rows: &R, row: usize, state: &mut State) {
        let largest = self.keeps == Keeps::Largest;
        let first = state.values == 0;
        let better = match self.value_type {
            ValueType::Float => {
                let Some(value) = rows.number(row, self.column) else { return };
                let better = first || if largest { value > state.float } else { value < state.float };
                if better {
                    state.float = value;
                }
                better
            }
            ValueType::Text => {
                let Some(value) = rows.text(row, self.column) else { return };
                first
                    || rows
                        .text(state.row, self.column)
                        .is_some_and(|best| if largest { value > best } else { value < best })
            }
            ValueType::Int | ValueType::Time | ValueType::Bool => {
                let Some(value) = rows.whole(row, self.column) else { return };
                let better = first || if largest { value > state.best } else { value < state.best };
                if better {
                    state.best = value;
                }
                better
            }
        };
        state.values += 1;
        if better {
            state.row = row;
        }
    }

    const fn has_row(&self, state: &State) -> bool {
        match self.keeps {
            Keeps::Last(k) => state.values == k,
            _ => state.values > 0,
        }
    }

    fn sum(&self, state: &State) -> Value {
        if self.value_type == ValueType::Int {
            return i64::try_from(state.whole).map_or(Value::Missing(Missing::Undefined), Value::Int);
        }
        finite(state.float)
    }

    fn mean(&self, state: &State) -> Value {
        let total = if self.value_type == ValueType::Int { state.whole as f64 } else { state.float };
        finite(total / state.values as f64)
    }
}

fn stddev(state: &State) -> Value {
    if state.values < 2 {
        return Value::Missing(Missing::Undefined);
    }
    finite((state.deviations / (state.values - 1) as f64).sqrt())
}

fn finite(number: f64) -> Value {
    if number.is_finite() { Value::Float(number) } else { Value::Missing(Missing::Undefined) }
}

fn filter_number(source: &SourceLayout, filter: Option<&Expression>) -> Result<Option<usize>, FeatureError> {
    let Some(filter) = filter else { return Ok(None) };
    let unknown = || FeatureError::Bug(format!("`{}` is no filter of `{}`", filter.text(), source.name));
    source.filter(filter).map(Some).ok_or_else(unknown)
}

fn recipe(
    aggregate: &Aggregate,
    value_type: ValueType,
    next_set: usize,
) -> Result<(Keeps, Outcome), FeatureError> {
    let number = matches!(value_type, ValueType::Int | ValueType::Float);
    let recipe = match aggregate {
        Aggregate::Count => (Keeps::Rows, Outcome::Count),
        Aggregate::DaysSinceLast => (Keeps::Rows, Outcome::DaysSinceLast),
        Aggregate::DaysSinceFirst => (Keeps::Rows, Outcome::DaysSinceFirst),
        Aggregate::Sum(_) => (Keeps::Total, Outcome::Sum),
        Aggregate::Mean(_) => (Keeps::Total, Outcome::Mean),
        Aggregate::Stddev(_) => (Keeps::Moments, Outcome::Stddev),
        Aggregate::Min(_) => (Keeps::Smallest, Outcome::RowValue),
        Aggregate::Max(_) => (Keeps::Largest, Outcome::RowValue),
        Aggregate::Distinct(_) => (Keeps::Distinct(next_set), Outcome::Distinct),
        Aggregate::Last(_, k) => (Keeps::Last(u64::from((*k).max(1))), Outcome::RowValue),
    };
    if matches!(recipe.0, Keeps::Total | Keeps::Moments) && !number {
        let column = aggregate_column(aggregate).map(ToString::to_string).unwrap_or_default();
        return Err(FeatureError::Shape(format!(
            "column `{column}` holds {value_type} values; sum, mean and stddev need int or float"
        )));
    }
    Ok(recipe)
}
