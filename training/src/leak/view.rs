//! A sample of the rows, every column cut into a few dozen states.

use scorehouse_features::time::{DAY, Timestamp};

use crate::dataset::{Column, ColumnData, ColumnNote, Dataset, Treatment};
use crate::leak::odds::Count;

/// Rows looked at.
const SAMPLE: usize = 40_000;
/// A number in this share of the rows is a state of its own.
const ATOM: f64 = 0.005;
/// States into which the other numbers are cut, equally many rows in each.
const CUTS: usize = 32;
/// Levels kept apart; the rarer ones are one state.
const LEVELS: usize = 256;
/// Rows a level needs to be a state of its own.
const LEVEL_ROWS: usize = 20;
/// Rows of the rarer outcome below which nothing is said.
const FEW: f64 = 30.0;

/// The sampled rows and their columns.
pub(super) struct Views<'a> {
    /// The sampled rows of the data, ascending.
    pub rows: Vec<u32>,
    pub label: Vec<f64>,
    /// 0 to 3; rows of one entity are in one fold.
    pub fold: Vec<u8>,
    pub all: Count,
    /// Entities by rows, 0..=1: how much independent evidence a row is.
    pub independent: f64,
    pub columns: Vec<View<'a>>,
}

/// One column over the sampled rows.
pub(super) struct View<'a> {
    pub name: &'a str,
    /// Position among the data's columns.
    pub at: usize,
    pub column: &'a Column,
    /// True when values have no order.
    pub nominal: bool,
    /// The state of each row; the last state is "missing".
    pub state: Vec<u32>,
    /// What each state is, in order of the numbers.
    pub states: Vec<State>,
    /// Numbers (days for moments), NaN when missing; none for nominal columns.
    pub numbers: Option<Vec<f64>>,
}

/// What the rows of a state have in common.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    /// This very value.
    Value(String),
    /// Numbers from the first to the second.
    Between(f64, f64),
    /// One of the rare levels.
    Rare,
    /// No value.
    Missing,
}

impl<'a> Views<'a> {
    /// Rows spread evenly through the data.
    pub fn of(data: &'a Dataset, notes: &[ColumnNote]) -> Self {
        let step = data.rows.div_ceil(SAMPLE).max(1);
        Self::over(data, notes, (0..data.rows).step_by(step).map(|row| row as u32).collect())
    }

    /// These rows.
    pub fn over(data: &'a Dataset, notes: &[ColumnNote], rows: Vec<u32>) -> Self {
        let label: Vec<f64> = rows.iter().map(|row| data.label[*row as usize]).collect();
        let mut all = Count::default();
        label.iter().for_each(|label| all.add(*label));
        let unit = |row: &u32| data.group.as_ref().map_or(*row, |group| group[*row as usize]);
        let mut units: Vec<u32> = rows.iter().map(unit).collect();
        let fold = units.iter().map(|unit| (mixed(*unit) % 4) as u8).collect();
        units.sort_unstable();
        units.dedup();
        let independent = units.len() as f64 / rows.len().max(1) as f64;
        let read = data.columns.iter().zip(notes).enumerate();
        let columns = read
            .filter(|(_, (_, note))| note.treatment != Treatment::SetAside)
            .map(|(at, (column, note))| View::of(at, column, note.treatment, &rows))
            .collect();
        Self { rows, label, fold, all, independent, columns }
    }

    /// False when there are too few rows of either outcome to suspect anything.
    pub fn tells(&self) -> bool {
        self.all.with.min(self.all.rows - self.all.with) * self.independent >= FEW
    }
}

/// Spreads consecutive numbers evenly (the finaliser of `MurmurHash3`).
fn mixed(unit: u32) -> u32 {
    let mut h = unit ^ 0x9e37_79b9;
    h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}

impl<'a> View<'a> {
    fn of(at: usize, column: &'a Column, treatment: Treatment, rows: &[u32]) -> Self {
        let nominal = !matches!(treatment, Treatment::Number | Treatment::Date);
        let numbers = numbers_of(column, rows);
        let (state, states) = match (&numbers, &column.data) {
            (Some(numbers), ColumnData::Time(_)) => cut(numbers, date),
            (Some(numbers), _) if !nominal => cut(numbers, short),
            (Some(numbers), _) => levels(numbers.iter().map(|x| (!x.is_nan()).then(|| x.to_string()))),
            (None, ColumnData::Text { codes, levels: texts }) => levels(
                rows.iter().map(|row| texts.get(codes[*row as usize] as usize).map(|text| text.to_string())),
            ),
            (None, _) => levels(rows.iter().map(|_| None)),
        };
        let numbers = numbers.filter(|_| !nominal);
        Self { name: &column.name, at, column, nominal, state, states, numbers }
    }

    pub const fn missing(&self) -> u32 {
        self.states.len() as u32 - 1
    }

    /// One of its numbers in words: dates are held in days.
    pub fn number(&self, x: f64) -> String {
        if matches!(self.column.data, ColumnData::Time(_)) { date(x) } else { short(x) }
    }

    /// A state in words, after the column's name.
    pub fn words(&self, state: usize) -> String {
        match &self.states[state] {
            State::Value(value) => format!("is {value}"),
            State::Between(low, high) => format!("is {} to {}", self.number(*low), self.number(*high)),
            State::Rare => "has a rare value".to_owned(),
            State::Missing => "has no value".to_owned(),
        }
    }
}

/// A number of days as a date.
fn date(days: f64) -> String {
    let text = Timestamp(days as i64 * DAY).to_string();
    text.split('T').next().unwrap_or(&text).to_owned()
}

/// A number in a few characters.
pub(super) fn short(x: f64) -> String {
    if x == x.trunc() && x.abs() < 1e15 { format!("{x:.0}") } else { format!("{x:.4}") }
}

fn numbers_of(column: &Column, rows: &[u32]) -> Option<Vec<f64>> {
    if let ColumnData::Time(values) = &column.data {
        let day = |row: &u32| values[*row as usize].map_or(f64::NAN, |t| (t.0 as f64 / DAY as f64).floor());
        return Some(rows.iter().map(day).collect());
    }
    let numbers = column.numbers()?;
    Some(rows.iter().map(|row| numbers[*row as usize]).collect())
}

/// Frequent numbers are states of their own, the others are cut into states of equally many rows; states are
/// in the order of their numbers.
fn cut(numbers: &[f64], words: fn(f64) -> String) -> (Vec<u32>, Vec<State>) {
    let mut sorted: Vec<f64> = numbers.iter().copied().filter(|x| !x.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let atom = ((ATOM * numbers.len() as f64).ceil() as usize).max(5);
    let runs: Vec<(f64, usize)> = sorted.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect();
    let loose: usize = runs.iter().filter(|run| run.1 < atom).map(|run| run.1).sum();
    let full = (loose / CUTS).max(atom);
    let (mut starts, mut states, mut open) = (Vec::new(), Vec::new(), 0);
    for (value, count) in runs {
        if count >= atom {
            starts.push(value);
            states.push(State::Value(words(value)));
            open = 0;
        } else if open == 0 || open >= full {
            starts.push(value);
            states.push(State::Between(value, value));
            open = count;
        } else {
            open += count;
            if let Some(State::Between(_, high)) = states.last_mut() {
                *high = value;
            }
        }
    }
    let missing = states.len() as u32;
    states.push(State::Missing);
    let place = |x: &f64| match x.is_nan() {
        true => missing,
        false => (starts.partition_point(|start| start <= x).max(1) - 1) as u32,
    };
    (numbers.iter().map(place).collect(), states)
}

/// The most frequent levels, a state for the others and one for missing.
fn levels(values: impl Iterator<Item = Option<String>>) -> (Vec<u32>, Vec<State>) {
    let mut counts: indexmap::IndexMap<String, usize> = indexmap::IndexMap::new();
    let mut codes = Vec::new();
    for value in values {
        codes.push(value.map(|text| {
            let entry = counts.entry(text);
            let index = entry.index();
            *entry.or_insert(0) += 1;
            index
        }));
    }
    let mut order: Vec<usize> = (0..counts.len()).filter(|at| counts[*at] >= LEVEL_ROWS).collect();
    order.sort_by_key(|at| std::cmp::Reverse(counts[*at]));
    order.truncate(LEVELS);
    let mut states: Vec<State> = order
        .iter()
        .filter_map(|at| counts.get_index(*at))
        .map(|(text, _)| State::Value(text.clone()))
        .collect();
    let rare = states.len() as u32;
    states.extend([State::Rare, State::Missing]);
    let mut place = vec![rare; counts.len()];
    order.iter().enumerate().for_each(|(state, at)| place[*at] = state as u32);
    (codes.iter().map(|code| code.map_or(rare + 1, |code| place[code])).collect(), states)
}
