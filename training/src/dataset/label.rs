//! The outcome of each row, from a column of two kinds of texts.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::dataset::number::parse_number;
use crate::error::TrainingError;

/// Texts that mean that it happened, when nobody said which one does.
const HAPPENED: [&str; 12] =
    ["1", "true", "yes", "y", "t", "won", "win", "positive", "churned", "churn", "success", "converted"];
/// Texts that mean that it did not.
const DID_NOT: [&str; 10] = ["0", "false", "no", "n", "f", "lost", "loss", "negative", "failure", "-1"];

/// How a label was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelRule {
    /// The text that counts as 1; none when no row has it and nobody named it.
    pub positive: Option<String>,
    /// Every other text there is, counting as 0.
    pub negative: Vec<String>,
    /// Rows without a label, left out.
    pub unlabelled: usize,
}

impl LabelRule {
    /// The one text that every row has; none when there are two kinds or no rows.
    #[must_use]
    pub fn only(&self) -> Option<&str> {
        match (&self.positive, self.negative.as_slice()) {
            (Some(one), []) | (None, [one]) => Some(one),
            _ => None,
        }
    }
}

/// Numbers that are written differently but equal count as one text: `1`, `1.0`, `01`.
fn canonical(text: &str) -> String {
    match parse_number(text, false) {
        Some(number) if number == number.trunc() && number.abs() < 1e15 => format!("{}", number as i64),
        Some(number) => format!("{number}"),
        None => text.to_owned(),
    }
}

/// Reads labels: 1 for `positive` (or, when it is not given, for the one of two texts that says that it
/// happened, else for the rarer), 0 for every other text, none where there is none. Where all texts are the same,
/// they are 1 when that is `positive` or says that it happened, else 0.
///
/// # Errors
/// [`TrainingError::Label`] when there are more than two texts and `positive` is not given, or it does not
/// occur among several.
pub fn read_label<'a>(
    column: &str,
    values: impl Iterator<Item = Option<&'a str>>,
    positive: Option<&str>,
) -> Result<(Vec<Option<f64>>, LabelRule), TrainingError> {
    let mut counts: IndexMap<String, usize> = IndexMap::new();
    let mut codes = Vec::new();
    for value in values {
        codes.push(value.map(|text| {
            let entry = counts.entry(canonical(text));
            let index = entry.index();
            *entry.or_insert(0) += 1;
            index
        }));
    }
    let unlabelled = codes.iter().filter(|code| code.is_none()).count();
    if counts.is_empty() {
        return Ok((vec![None; codes.len()], LabelRule { positive: None, negative: Vec::new(), unlabelled }));
    }
    let one = match (counts.len(), counts.get_index(0)) {
        (1, Some((value, _))) => alone(value, positive).then_some(0),
        _ => Some(choose(column, &counts, positive)?),
    };
    let label = codes.iter().map(|code| code.map(|code| f64::from(u8::from(Some(code) == one)))).collect();
    let name = |index: usize| counts.get_index(index).map(|(value, _)| value.clone());
    let negative = (0..counts.len()).filter(|index| Some(*index) != one).filter_map(name).collect();
    Ok((label, LabelRule { positive: one.and_then(name), negative, unlabelled }))
}

/// Whether the only text there is counts as 1.
fn alone(value: &str, positive: Option<&str>) -> bool {
    match positive {
        Some(positive) => value == canonical(positive.trim()),
        None => HAPPENED.iter().any(|text| value.eq_ignore_ascii_case(text)),
    }
}

fn choose(
    column: &str,
    counts: &IndexMap<String, usize>,
    positive: Option<&str>,
) -> Result<usize, TrainingError> {
    let refuse = |reason: String| Err(TrainingError::Label { column: column.to_owned(), reason });
    let listed = || {
        let shown: Vec<String> = counts.keys().take(8).map(|value| format!("{value:?}")).collect();
        format!("{}{}", shown.join(", "), if counts.len() > 8 { ", …" } else { "" })
    };
    if let Some(positive) = positive {
        let wanted = canonical(positive.trim());
        return match counts.get_index_of(&wanted) {
            Some(index) => Ok(index),
            None => refuse(format!("no row has the positive value {positive:?}; it has {}", listed())),
        };
    }
    if counts.len() > 2 {
        let count = counts.len();
        return refuse(format!(
            "it has {count} different values ({}); say which one counts as positive",
            listed()
        ));
    }
    let among =
        |texts: &[&str]| counts.keys().position(|value| texts.iter().any(|t| value.eq_ignore_ascii_case(t)));
    if let Some(index) = among(&HAPPENED) {
        return Ok(index);
    }
    if let Some(index) = among(&DID_NOT) {
        return Ok(counts.len() - 1 - index);
    }
    // The rarer of the two; of equally many the one that comes later in the alphabet.
    let rarer = counts.iter().enumerate().min_by(|(_, a), (_, b)| a.1.cmp(b.1).then(b.0.cmp(a.0)));
    Ok(rarer.map_or(0, |(index, _)| index))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str], positive: Option<&str>) -> Result<Vec<Option<f64>>, TrainingError> {
        let values = values.iter().map(|v| if v.is_empty() { None } else { Some(*v) });
        read_label("outcome", values, positive).map(|read| read.0)
    }

    #[test]
    fn words_for_yes_count_as_one_whatever_their_share() {
        assert_eq!(read(&["Yes", "No", "Yes"], None).unwrap(), [Some(1.0), Some(0.0), Some(1.0)]);
        assert_eq!(read(&["Lost", "Gained", "Gained"], None).unwrap(), [Some(0.0), Some(1.0), Some(1.0)]);
        assert_eq!(read(&["1.0", "0", "1"], None).unwrap(), [Some(1.0), Some(0.0), Some(1.0)]);
    }

    #[test]
    fn of_two_other_words_the_rarer_counts_as_one() {
        assert_eq!(read(&["stay", "go", "stay"], None).unwrap(), [Some(0.0), Some(1.0), Some(0.0)]);
    }

    #[test]
    fn a_missing_label_is_none_and_counted() {
        assert_eq!(read(&["1", "", "0"], None).unwrap(), [Some(1.0), None, Some(0.0)]);
    }

    #[test]
    fn one_against_several_needs_to_be_said() {
        let refused = read(&["a", "b", "c"], None).unwrap_err().to_string();
        assert!(refused.contains("3 different values"), "{refused}");
        assert_eq!(read(&["a", "b", "c"], Some("b")).unwrap(), [Some(0.0), Some(1.0), Some(0.0)]);
        assert!(read(&["a", "b"], Some("d")).unwrap_err().to_string().contains("\"a\", \"b\""));
    }

    #[test]
    fn one_kind_of_label_is_one_when_it_says_that_it_happened() {
        assert_eq!(read(&["1", "1.0"], None).unwrap(), [Some(1.0); 2]);
        assert_eq!(read(&["Lost"], None).unwrap(), [Some(0.0)]);
        assert_eq!(read(&["gold", "gold"], None).unwrap(), [Some(0.0); 2]);
        assert_eq!(read(&["gold"], Some("gold")).unwrap(), [Some(1.0)]);
        assert_eq!(read(&["lead"], Some("gold")).unwrap(), [Some(0.0)]);
    }
}
