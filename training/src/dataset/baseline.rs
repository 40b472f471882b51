//! How a dataset's columns lie, as an artifact keeps it.

use rayon::prelude::*;
use scorehouse_models::baseline::{Baseline, InputBaseline, Spread, days_before};

use super::{Column, ColumnData, Dataset};

/// How every column lies over all rows, in their order.
#[must_use]
pub fn baseline(data: &Dataset) -> Baseline {
    Baseline::new(data.columns.par_iter().map(|column| of(column, data)).collect())
}

fn of(column: &Column, data: &Dataset) -> InputBaseline {
    let missing = (0..data.rows).filter(|row| column.is_missing(*row)).count() as u64;
    let spread = match &column.data {
        ColumnData::Bool(values) => {
            let rows = |which: bool| values.iter().filter(|value| **value == Some(which)).count() as u64;
            Spread::of_level_counts(vec![("true".to_owned(), rows(true)), ("false".to_owned(), rows(false))])
        }
        ColumnData::Text { codes, levels } => {
            let mut rows = vec![0_u64; levels.len()];
            for code in codes {
                // A missing one has a code beyond all levels.
                if let Some(rows) = rows.get_mut(*code as usize) {
                    *rows += 1;
                }
            }
            Spread::of_level_counts(levels.iter().map(ToString::to_string).zip(rows).collect())
        }
        ColumnData::Time(values) => {
            let ages = values.iter().zip(&data.as_of);
            let ages: Vec<f64> = ages
                .map(|(value, as_of)| value.map_or(f64::NAN, |value| days_before(value, *as_of)))
                .collect();
            Spread::of_numbers(&ages)
        }
        ColumnData::Int(_) | ColumnData::Float(_) => {
            Spread::of_numbers(&column.numbers().unwrap_or_default())
        }
    };
    InputBaseline { missing, spread }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scorehouse_features::time::{DAY, Timestamp};

    #[test]
    fn every_row_of_every_column_lies_where_its_value_is_looked_for() {
        let rows = 500;
        let as_of: Vec<Timestamp> = (0..rows as i64).map(|day| Timestamp(day * DAY)).collect();
        let column = |name: &str, data| Column { name: name.into(), words: None, data };
        let nth = |row: usize| (!row.is_multiple_of(7)).then_some(row);
        let columns = vec![
            Column::float("amount", (0..rows).map(|row| (row * row) as f64).collect()),
            Column::text("plan", (0..rows).map(|row| nth(row).map(|row| ["a", "b", "c"][row % 3]))),
            column(
                "lines",
                ColumnData::Int((0..rows).map(|row| nth(row).map(|row| row as i64 % 4)).collect()),
            ),
            column(
                "called",
                ColumnData::Bool((0..rows).map(|row| nth(row).map(|row| row % 5 == 0)).collect()),
            ),
            column("since", ColumnData::Time(as_of.iter().map(|at| Some(Timestamp(at.0 / 2))).collect())),
        ];
        let data = Dataset { rows, columns, as_of, label: vec![0.0; rows], ..Dataset::default() };
        let baseline = baseline(&data);
        for (column, own) in data.columns.iter().zip(baseline.inputs()) {
            let mut found = vec![0; own.places()];
            (0..rows).for_each(|row| found[own.place(&column.value(row), data.as_of[row])] += 1);
            assert_eq!(found, own.counts(), "{}", column.name);
            assert_eq!(found.iter().sum::<u64>(), rows as u64, "{}", column.name);
        }
    }
}
