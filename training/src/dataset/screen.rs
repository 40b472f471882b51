//! Which columns can be learnt from, and which are ids, free text, constant or empty.

use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use scorehouse_features::value::ArcStr;
use serde::{Deserialize, Serialize};
use std::hash::{Hash, Hasher};

use crate::dataset::column::{Column, ColumnData};

/// Rows below which being different in every row proves nothing about a column of numbers.
const FEW_ROWS: usize = 50;
/// Levels above which a category is also read as the rate of the outcome in each level.
pub(crate) const MANY_LEVELS: usize = 64;

/// What is done with a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Treatment {
    /// Read as a number.
    Number,
    /// Read as true or false.
    Flag,
    /// Read as a category.
    Category,
    /// Read as a category with many levels.
    ManyLevels,
    /// Read as a date.
    Date,
    /// Not read.
    SetAside,
}

impl Treatment {
    /// As it stands in the report.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Flag => "true or false",
            Self::Category => "category",
            Self::ManyLevels => "category with many levels",
            Self::Date => "date",
            Self::SetAside => "set aside",
        }
    }
}

/// What was done to one column, for readers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnNote {
    /// The column.
    pub column: String,
    /// What is done with it.
    pub treatment: Treatment,
    /// Why, and what was seen in it.
    pub note: String,
}

/// Looks at every column over `rows` and says what to do with it, in the order of the columns.
#[must_use]
pub fn screen(columns: &[Column], rows: usize) -> Vec<ColumnNote> {
    let mut seen: FxHashMap<u64, &str> = FxHashMap::default();
    let mut notes = Vec::with_capacity(columns.len());
    for column in columns {
        let facts = Facts::of(column, rows);
        let mut note = judge(column, &facts);
        if note.treatment != Treatment::SetAside {
            match seen.get(&facts.fingerprint) {
                Some(other) => note = aside(column, format!("the same in every row as {other}")),
                None => drop(seen.insert(facts.fingerprint, &column.name)),
            }
        }
        notes.push(note);
    }
    notes
}

struct Facts {
    rows: usize,
    present: usize,
    distinct: usize,
    /// Hash of all values, for finding equal columns.
    fingerprint: u64,
}

impl Facts {
    fn of(column: &Column, rows: usize) -> Self {
        let mut hasher = FxHasher::default();
        let mut present = 0;
        let mut distinct = FxHashSet::default();
        for row in 0..rows {
            let bits = bits(column, row);
            bits.hash(&mut hasher);
            if let Some(bits) = bits {
                present += 1;
                distinct.insert(bits);
            }
        }
        column.value_type().hash(&mut hasher);
        Self { rows, present, distinct: distinct.len(), fingerprint: hasher.finish() }
    }

    fn missing(&self) -> usize {
        self.rows - self.present
    }
}

/// A value as bits that are equal when values are; texts by code, which is given in order of appearance.
fn bits(column: &Column, row: usize) -> Option<u64> {
    if column.is_missing(row) {
        return None;
    }
    match &column.data {
        ColumnData::Bool(values) => values[row].map(u64::from),
        ColumnData::Int(values) => values[row].map(|v| (v as f64).to_bits()),
        ColumnData::Float(values) => Some((values[row] + 0.0).to_bits()),
        ColumnData::Text { codes, .. } => Some(u64::from(codes[row])),
        ColumnData::Time(values) => values[row].map(|v| v.0 as u64),
    }
}

fn aside(column: &Column, note: String) -> ColumnNote {
    ColumnNote { column: column.name.clone(), treatment: Treatment::SetAside, note }
}

fn judge(column: &Column, facts: &Facts) -> ColumnNote {
    if facts.present == 0 {
        return aside(column, "no row has a value".to_owned());
    }
    if facts.distinct == 1 && facts.missing() == 0 {
        return aside(column, "the same value in every row".to_owned());
    }
    let keep = |treatment, what: String| {
        let missing = match facts.missing() {
            0 => String::new(),
            missing => format!(", {:.1} % missing", 100.0 * missing as f64 / facts.rows as f64),
        };
        ColumnNote { column: column.name.clone(), treatment, note: format!("{what}{missing}") }
    };
    match &column.data {
        ColumnData::Bool(_) => keep(Treatment::Flag, "true or false".to_owned()),
        ColumnData::Time(_) => keep(Treatment::Date, format!("{} different moments", facts.distinct)),
        ColumnData::Int(_) | ColumnData::Float(_) => match number_id(column, facts) {
            Some(why) => aside(column, why),
            None if named_id(&column.name) && whole(column) && facts.distinct * 2 < facts.present => {
                keep(Treatment::Category, format!("a number named like an id, {} levels", facts.distinct))
            }
            None => keep(Treatment::Number, format!("{} different numbers", facts.distinct)),
        },
        ColumnData::Text { levels, .. } => match text_without_levels(levels, facts) {
            Some(why) => aside(column, why),
            None if facts.distinct > MANY_LEVELS => {
                keep(Treatment::ManyLevels, format!("{} levels", facts.distinct))
            }
            None => keep(Treatment::Category, format!("{} levels", facts.distinct)),
        },
    }
}

fn whole(column: &Column) -> bool {
    column.numbers().is_some_and(|numbers| numbers.iter().all(|x| x.is_nan() || x.fract() == 0.0))
}

fn named_id(name: &str) -> bool {
    let last = name.rsplit(['.', ' ']).next().unwrap_or(name);
    let lower = last.to_lowercase();
    let camel = last.len() > 2 && (last.ends_with("Id") || last.ends_with("ID"));
    let word = ["id", "key", "uuid", "guid", "code", "number", "no", "nr", "identifier"];
    camel || lower.rsplit(['_', '-']).next().is_some_and(|last| word.contains(&last))
}

/// Whole numbers that differ in (nearly) every row and count up without large gaps, or are named like an id.
fn number_id(column: &Column, facts: &Facts) -> Option<String> {
    if facts.present < FEW_ROWS || facts.distinct * 100 < facts.present * 99 || !whole(column) {
        return None;
    }
    let numbers = column.numbers()?;
    let present = numbers.iter().filter(|x| !x.is_nan());
    let (low, high) = present.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(*x), high.max(*x)));
    let dense = high - low < 1.5 * facts.present as f64;
    (dense || named_id(&column.name))
        .then(|| "an id: a different whole number in nearly every row".to_owned())
}

/// Texts that (nearly) never repeat: ids when short, words when long.
fn text_without_levels(levels: &[ArcStr], facts: &Facts) -> Option<String> {
    let unique = facts.distinct as f64 / facts.present as f64;
    let long = levels.iter().map(|level| level.split_whitespace().count()).sum::<usize>() as f64
        / levels.len().max(1) as f64;
    if long >= 4.0 && unique > 0.3 && facts.distinct > 20 {
        return Some(format!("free text: {long:.0} words on average, rarely the same twice"));
    }
    let few = facts.present < 10;
    if unique > 0.9 && !few {
        return Some("an id: a different text in nearly every row".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn treatment(column: Column, rows: usize) -> (Treatment, String) {
        let note = screen(&[column], rows).remove(0);
        (note.treatment, note.note)
    }

    #[test]
    fn ids_and_free_text_are_set_aside() {
        let ids: Vec<String> = (0..200).map(|i| format!("C-{i}")).collect();
        let column = Column::text("customer", ids.iter().map(|id| Some(id.as_str())));
        assert!(treatment(column, 200).1.starts_with("an id"));
        let running = Column::float("row", (1000..1200).map(f64::from).collect());
        assert!(treatment(running, 200).1.starts_with("an id"));
        let words: Vec<String> = (0..200).map(|i| format!("the customer said {i} things today")).collect();
        let column = Column::text("note", words.iter().map(|w| Some(w.as_str())));
        assert!(treatment(column, 200).1.starts_with("free text"));
    }

    #[test]
    fn amounts_that_never_repeat_are_numbers_and_not_ids() {
        let amounts = Column::float("amount", (0..200).map(|i| f64::from(i * i) * 17.0).collect());
        assert_eq!(treatment(amounts, 200).0, Treatment::Number);
        let cents = Column::float("price", (0..200).map(|i| f64::from(i) + 0.5).collect());
        assert_eq!(treatment(cents, 200).0, Treatment::Number);
    }

    #[test]
    fn constant_empty_and_repeated_columns_are_set_aside() {
        assert_eq!(treatment(Column::float("a", vec![3.0; 9]), 9).0, Treatment::SetAside);
        assert_eq!(treatment(Column::float("a", vec![f64::NAN; 9]), 9).0, Treatment::SetAside);
        let a = Column::float("a", vec![1.0, 2.0, 3.0]);
        let notes = screen(&[a.clone(), Column { name: "b".into(), ..a }], 3);
        assert_eq!(notes[1].note, "the same in every row as a");
    }

    #[test]
    fn one_value_with_gaps_is_kept_because_the_gaps_may_tell() {
        let column = Column::float("a", vec![3.0, f64::NAN, 3.0, 3.0]);
        assert_eq!(treatment(column, 4), (Treatment::Number, "1 different numbers, 25.0 % missing".into()));
    }

    #[test]
    fn repeated_numbers_named_like_an_id_are_categories() {
        let column = Column::float("store_id", (0..300).map(|i| f64::from(i % 7) * 1000.0).collect());
        assert_eq!(treatment(column, 300).0, Treatment::Category);
    }
}
