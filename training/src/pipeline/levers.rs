//! What people can change, and how far: what the project says, and else what the rows learnt from show.

use indexmap::IndexMap;
use scorehouse_features::definition::ActionableSpec;
use scorehouse_models::what_if::Lever;

use crate::dataset::{Column, ColumnData, Dataset};
use crate::error::TrainingError;

/// Shares of the numbers seen beyond which a number is not plausible.
const PLAUSIBLE: [f64; 2] = [0.01, 0.99];
/// Shares of the numbers between which their spread is measured.
const MIDDLE: [f64; 2] = [0.1, 0.9];
/// Numbers seen that are kept, evenly among all of them.
const KEPT: usize = 101;
/// Texts that are kept, and rows that must have shown one.
const LEVELS: usize = 100;
const SHOWN: usize = 3;

/// The levers of a model over these columns, in their order.
///
/// # Errors
/// [`TrainingError::Definition`] for a column that is not there, or cannot be changed as is said.
pub(super) fn levers(
    data: &Dataset,
    actionable: &IndexMap<String, ActionableSpec>,
) -> Result<Vec<Lever>, TrainingError> {
    for name in actionable.keys() {
        if !data.columns.iter().any(|column| column.name == *name) {
            let names: Vec<&str> = data.columns.iter().map(|column| column.name.as_str()).collect();
            let why =
                format!("`actionable` names `{name}`, which is not read; read are {}", names.join(", "));
            return Err(TrainingError::Definition(why));
        }
    }
    let named = data.columns.iter().enumerate();
    named
        .filter_map(|(input, column)| actionable.get(&column.name).map(|spec| (input, column, spec)))
        .map(|(input, column, spec)| lever(input, column, spec))
        .collect()
}

fn lever(input: usize, column: &Column, spec: &ActionableSpec) -> Result<Lever, TrainingError> {
    let refuse = |why: &str| {
        Err(TrainingError::Definition(format!("`actionable` names `{}`, but {why}", column.name)))
    };
    if matches!(column.data, ColumnData::Time(_)) {
        return refuse("a moment cannot be changed");
    }
    let numeric = matches!(column.data, ColumnData::Int(_) | ColumnData::Float(_));
    if !numeric && (spec.min.is_some() || spec.max.is_some() || spec.step.is_some()) {
        return refuse("only numbers have `min`, `max` and `step`");
    }
    if numeric && !spec.values.is_empty() {
        return refuse("a number takes `min`, `max` and `step` instead of `values`");
    }
    let mut numbers = if numeric { column.numbers().unwrap_or_default() } else { Vec::new() };
    numbers.retain(|number| number.is_finite());
    numbers.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| {
        let place = (share * numbers.len().saturating_sub(1) as f64).round() as usize;
        numbers.get(place).copied().unwrap_or(0.0)
    };
    let least = spec.min.unwrap_or(at(PLAUSIBLE[0]));
    let bounds = [least, spec.max.unwrap_or(at(PLAUSIBLE[1])).max(least)];
    let spread = [at(MIDDLE[1]) - at(MIDDLE[0]), bounds[1] - bounds[0], 1.0];
    let spread = spread.into_iter().find(|spread| *spread > 0.0).unwrap_or(1.0);
    let kept = (0..KEPT).map(|part| at(part as f64 / (KEPT - 1) as f64));
    let mut seen: Vec<f64> = kept.filter(|number| (bounds[0]..=bounds[1]).contains(number)).collect();
    seen.dedup();
    if numbers.is_empty() {
        seen.clear();
    }
    let levels = if spec.values.is_empty() { levels(column) } else { spec.values.clone() };
    Ok(Lever { input, direction: spec.direction, bounds, step: spec.step, spread, seen, levels })
}

/// Texts that a few rows show, the most frequent first.
fn levels(column: &Column) -> Vec<String> {
    let ColumnData::Text { codes, levels } = &column.data else { return Vec::new() };
    let mut counts = vec![0_usize; levels.len()];
    for code in codes {
        // A missing text has a code beyond the levels.
        if let Some(count) = counts.get_mut(*code as usize) {
            *count += 1;
        }
    }
    let mut shown: Vec<(usize, &str)> = counts
        .iter()
        .zip(levels)
        .filter(|(count, _)| **count >= SHOWN)
        .map(|(c, level)| (*c, level.as_ref()))
        .collect();
    shown.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    shown.into_iter().take(LEVELS).map(|(_, level)| level.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use scorehouse_features::definition::Direction;

    fn data() -> Dataset {
        let discount = (0..1000).map(|row| f64::from(row % 100)).collect();
        let stage = Column::text("stage", (0..1000).map(|row| Some(if row == 0 { "odd" } else { "open" })));
        let columns = vec![Column::float("discount", discount), stage];
        Dataset { rows: 1000, columns, ..Dataset::default() }
    }

    fn asked(name: &str, spec: ActionableSpec) -> Result<Vec<Lever>, TrainingError> {
        levers(&data(), &[(name.to_owned(), spec)].into_iter().collect())
    }

    #[test]
    fn what_is_not_said_follows_from_what_was_seen() {
        let up = ActionableSpec { direction: Some(Direction::Up), ..ActionableSpec::default() };
        let lever = asked("discount", up).unwrap().remove(0);
        assert_eq!((lever.input, lever.bounds, lever.spread), (0, [1.0, 98.0], 79.0));
        assert!(lever.seen.len() > 50 && lever.seen.iter().all(|number| (1.0..=98.0).contains(number)));
        let texts = asked("stage", ActionableSpec::default()).unwrap().remove(0);
        assert_eq!(texts.levels, ["open"], "what one row shows is not plausible");
    }

    #[test]
    fn what_is_said_is_kept() {
        let spec =
            ActionableSpec { min: Some(5.0), max: Some(20.0), step: Some(2.5), ..ActionableSpec::default() };
        let lever = asked("discount", spec).unwrap().remove(0);
        assert_eq!((lever.bounds, lever.step), ([5.0, 20.0], Some(2.5)));
    }

    #[test]
    fn what_makes_no_sense_is_told_by_name() {
        let numbers = ActionableSpec { min: Some(1.0), ..ActionableSpec::default() };
        let texts = ActionableSpec { values: vec!["a".to_owned()], ..ActionableSpec::default() };
        for (name, spec) in [("stage", numbers), ("discount", texts), ("amount", ActionableSpec::default())] {
            let refused = asked(name, spec).unwrap_err().to_string();
            assert!(refused.contains(name), "{refused}");
        }
    }
}
