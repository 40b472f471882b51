//! The steps of a plan: what each reads and which slots it fills.

use crate::expression::Expression;
use crate::time::{Span, Timestamp};
use crate::value::{Missing, Value};
use crate::view::latest;
use crate::view::layout::TableId;
use crate::view::rows::{Rows, Run};
use crate::view::window::{WindowPlan, WindowScratch};

/// One step of a plan.
#[derive(Debug, Clone)]
pub enum Step {
    /// Reads the rows of one holder in one table.
    Gather(Gather),
    /// Finds the key of `holder` in slot `key`; a missing value there leaves the holder without a key.
    Link {
        /// The holder whose key is found.
        holder: usize,
        /// The slot that holds it.
        key: usize,
    },
    /// Evaluates an expression over slots.
    Derive(Derive),
}

impl Step {
    /// The gathering step, if it is one.
    #[must_use]
    pub const fn gather(&self) -> Option<&Gather> {
        match self {
            Self::Gather(gather) => Some(gather),
            _ => None,
        }
    }
}

/// What is read from the rows of one holder in one table.
#[derive(Debug, Clone)]
pub struct Gather {
    /// Whose rows.
    pub holder: usize,
    /// Where they stand.
    pub table: TableId,
    /// Newest rows to find.
    pub latest: Vec<LatestPart>,
    /// Windows to aggregate.
    pub windows: Vec<WindowPlan>,
    /// The slots it fills.
    pub fills: Vec<usize>,
}

/// One latest view's columns.
#[derive(Debug, Clone)]
pub struct LatestPart {
    /// Number of the Bool column that a row must hold true in.
    pub filter: Option<usize>,
    /// Time to live.
    pub ttl: Option<Span>,
    /// (number of the column, slot).
    pub columns: Vec<(usize, usize)>,
    /// The same, those together that follow each other in both.
    runs: Vec<Run>,
}

impl LatestPart {
    /// `columns`: (number of the column, slot).
    #[must_use]
    pub fn new(filter: Option<usize>, ttl: Option<Span>, columns: Vec<(usize, usize)>) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        for (column, slot) in &columns {
            match runs.last_mut() {
                Some(run) if (run.columns().end, run.slots().end) == (*column, *slot) => run.length += 1,
                _ => runs.push(Run { column: *column, slot: *slot, length: 1 }),
            }
        }
        Self { filter, ttl, columns, runs }
    }
}

/// One derived feature.
#[derive(Debug, Clone)]
pub struct Derive {
    /// The entity it belongs to.
    pub holder: usize,
    /// What is computed; input i is slot `inputs[i]`.
    pub expression: Expression,
    /// The slots it reads.
    pub inputs: Vec<usize>,
    /// The slot it fills.
    pub slot: usize,
}

impl Gather {
    /// Computes everything from `rows`, the holder's rows in this table, as of `as_of`.
    pub fn fill<R: Rows + ?Sized>(
        &self,
        rows: &R,
        as_of: Timestamp,
        scratch: &mut WindowScratch,
        slots: &mut [Value],
    ) {
        for part in &self.latest {
            match latest::select(rows, part.filter, part.ttl, as_of) {
                Ok(row) => rows.copy(row, &part.runs, slots),
                Err(missing) => {
                    for (_, slot) in &part.columns {
                        slots[*slot] = Value::Missing(missing);
                    }
                }
            }
        }
        for plan in &self.windows {
            plan.evaluate(rows, as_of, scratch, slots);
        }
    }

    /// Fills the slots for a holder that has no key.
    pub fn not_linked(&self, slots: &mut [Value]) {
        for slot in &self.fills {
            slots[*slot] = Value::Missing(Missing::NotLinked);
        }
    }
}

impl Derive {
    /// The feature's value from the slots filled so far; `Missing(NotLinked)` when its holder has no key.
    /// `inputs` is memory to reuse.
    #[must_use]
    pub fn evaluate(
        &self,
        linked: bool,
        slots: &[Value],
        as_of: Timestamp,
        inputs: &mut Vec<Value>,
    ) -> Value {
        if !linked {
            return Value::Missing(Missing::NotLinked);
        }
        inputs.clear();
        inputs.extend(self.inputs.iter().map(|slot| slots[*slot].clone()));
        self.expression.evaluate(inputs, as_of)
    }
}
