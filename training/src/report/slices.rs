//! How good the model is among some of the rows: by what matters most, and over time.

use scorehouse_features::time::Timestamp;

use crate::dataset::{Column, ColumnData, ColumnNote, Dataset, Treatment};
use crate::metric::{auc, log_loss, wilson};
use crate::pipeline::Held;

/// Rows that a slice needs.
const ROWS: usize = 30;
/// Inputs by which rows are sliced, and slices of each.
const INPUTS: usize = 5;
const LEVELS: usize = 6;
/// Parts of equally many rows into which numbers are cut.
const PARTS: usize = 4;
/// Periods of time.
const PERIODS: usize = 8;

/// Some of the rows held out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slice {
    /// Which rows.
    pub name: String,
    /// The same for an axis.
    pub short: String,
    pub rows: usize,
    /// Share with the outcome, and its 95 % interval (Wilson).
    pub observed: f64,
    pub low: f64,
    pub high: f64,
    /// Mean probability.
    pub predicted: f64,
    /// NaN when all rows ended alike.
    pub auc: f64,
    pub log_loss: f64,
}

impl Slice {
    /// True when the mean probability is outside of the observed rate's interval.
    pub fn off(&self) -> bool {
        self.predicted < self.low || self.predicted > self.high
    }

    fn of(name: String, short: String, data: &Dataset, held: &Held, at: &[usize]) -> Option<Self> {
        if at.len() < ROWS {
            return None;
        }
        let p: Vec<f64> = at.iter().map(|at| held.probability[*at]).collect();
        let y: Vec<f64> = at.iter().map(|at| data.label[held.rows[*at] as usize]).collect();
        let rows = at.len();
        let observed = y.iter().sum::<f64>() / rows as f64;
        let (low, high) = wilson(observed, rows as f64);
        let predicted = p.iter().sum::<f64>() / rows as f64;
        let (auc, log_loss) = (auc(&p, &y), log_loss(&p, &y));
        Some(Self { name, short, rows, observed, low, high, predicted, auc, log_loss })
    }
}

/// One input and the slices it cuts the rows into.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Segments {
    pub input: String,
    pub slices: Vec<Slice>,
}

/// Slices by the inputs named first in `order` that cut the rows into two or more.
pub(super) fn segments(data: &Dataset, notes: &[ColumnNote], held: &Held, order: &[String]) -> Vec<Segments> {
    let find = |name: &String| data.columns.iter().zip(notes).find(|(column, _)| column.name == *name);
    let cut = |(column, note): (&Column, &ColumnNote)| {
        let parts = match note.treatment {
            Treatment::Number => numbers(column, held)?,
            Treatment::Category | Treatment::ManyLevels | Treatment::Flag => levels(column, held),
            Treatment::Date | Treatment::SetAside => return None,
        };
        let slice = |(name, at): (String, Vec<usize>)| Slice::of(name.clone(), name, data, held, &at);
        let slices: Vec<Slice> = parts.into_iter().filter_map(slice).collect();
        (slices.len() > 1).then(|| Segments { input: column.name.clone(), slices })
    };
    order.iter().filter_map(find).filter_map(cut).take(INPUTS).collect()
}

/// Rows by level, the most frequent first; the rarer ones together.
fn levels(column: &Column, held: &Held) -> Vec<(String, Vec<usize>)> {
    let mut groups: indexmap::IndexMap<String, Vec<usize>> = indexmap::IndexMap::new();
    for (at, row) in held.rows.iter().enumerate() {
        groups.entry(word(column, *row as usize)).or_default().push(at);
    }
    let mut groups: Vec<(String, Vec<usize>)> = groups.into_iter().collect();
    groups.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then_with(|| a.0.cmp(&b.0)));
    let others: Vec<usize> =
        groups.split_off(groups.len().min(LEVELS)).into_iter().flat_map(|g| g.1).collect();
    groups.push(("all others".to_owned(), others));
    groups
}

fn word(column: &Column, row: usize) -> String {
    match &column.data {
        _ if column.is_missing(row) => "no value".to_owned(),
        ColumnData::Text { codes, levels } => levels[codes[row] as usize].to_string(),
        ColumnData::Bool(values) => if values[row] == Some(true) { "yes" } else { "no" }.to_owned(),
        _ => column.numbers().map_or(String::new(), |numbers| format!("{}", numbers[row])),
    }
}

/// Rows by quarter of the numbers; those without a value apart.
fn numbers(column: &Column, held: &Held) -> Option<Vec<(String, Vec<usize>)>> {
    let all = column.numbers()?;
    let number = |at: &usize| all[held.rows[*at] as usize];
    let (mut with, without): (Vec<usize>, Vec<usize>) =
        (0..held.rows.len()).partition(|at| !number(at).is_nan());
    with.sort_by(|a, b| number(a).total_cmp(&number(b)).then(a.cmp(b)));
    let mut edges: Vec<f64> =
        (1..PARTS).filter_map(|part| with.get(part * with.len() / PARTS).map(number)).collect();
    edges.dedup();
    let part = |at: &usize| edges.partition_point(|edge| *edge <= number(at));
    let mut parts: Vec<(String, Vec<usize>)> = with
        .chunk_by(|a, b| part(a) == part(b))
        .map(|run| {
            let (low, high) = (number(&run[0]), number(&run[run.len() - 1]));
            let name = if low == high { short(low) } else { format!("{} to {}", short(low), short(high)) };
            (name, run.to_vec())
        })
        .collect();
    parts.push(("no value".to_owned(), without));
    Some(parts)
}

fn short(x: f64) -> String {
    match x.abs() {
        _ if x == x.trunc() && x.abs() < 1e7 => format!("{x:.0}"),
        size if size >= 1000.0 => format!("{x:.0}"),
        size if size >= 1.0 => format!("{x:.2}"),
        _ => format!("{x:.4}"),
    }
}

/// Consecutive periods of equally many rows; empty without time.
pub(super) fn periods(data: &Dataset, held: &Held) -> Vec<Slice> {
    if data.known_at.is_none() {
        return Vec::new();
    }
    let moment = |at: &usize| data.as_of[held.rows[*at] as usize];
    let mut order: Vec<usize> = (0..held.rows.len()).collect();
    order.sort_by_key(|at| (moment(at), *at));
    let count = PERIODS.min(order.len() / ROWS).max(1);
    let mut periods: Vec<Vec<usize>> = Vec::new();
    for at in order {
        let full = periods.last().is_some_and(|period| {
            period.len() * count >= held.rows.len()
                && period.last().is_none_or(|last| moment(last) != moment(&at))
        });
        match periods.last_mut() {
            Some(period) if !full => period.push(at),
            _ => periods.push(vec![at]),
        }
    }
    let slice = |at: &Vec<usize>| {
        let (from, to) = (day(moment(at.first()?)), day(moment(at.last()?)));
        let name = if from == to { from.clone() } else { format!("{from} to {to}") };
        Slice::of(name, from, data, held, at)
    };
    periods.iter().filter_map(slice).collect()
}

/// The date of a moment.
pub(super) fn day(moment: Timestamp) -> String {
    let text = moment.to_string();
    text.split('T').next().unwrap_or(&text).to_owned()
}
