//! The designs on made-up columns.

use scorehouse_features::time::Timestamp;

use super::levels::{Levelled, level_codes, shrunken};
use super::spread::STRETCHES;
use super::*;
use crate::dataset::screen;

fn data(columns: Vec<Column>, label: Vec<f64>) -> Dataset {
    let rows = label.len();
    Dataset { rows, columns, label, as_of: vec![Timestamp(0); rows], ..Dataset::default() }
}

fn city_data() -> Dataset {
    let rows = 4000;
    let cities: Vec<String> = (0..rows).map(|i| format!("city {}", (i * 7919) % 900)).collect();
    let city = Column::text("city", cities.iter().map(|c| Some(c.as_str())));
    data(vec![city], (0..rows).map(|i| f64::from(u8::from(i % 5 == 0))).collect())
}

#[test]
fn a_rate_in_a_training_row_does_not_hold_its_own_outcome() {
    let original = city_data();
    let rows: Vec<u32> = (0..original.rows as u32).collect();
    let folds: Vec<u8> = (0..original.rows).map(|row| (row / 900 % 4) as u8).collect();
    let rate = |data: &Dataset| {
        let notes = screen(&data.columns, data.rows);
        assert_eq!(notes[0].treatment, Treatment::ManyLevels);
        let design = Design { data, notes: &notes, rows: &rows };
        design.trees().encode(design, &folds).columns[1].clone()
    };
    let before = rate(&original);
    // Two rows of opposite outcome and one fold change places: the base rate stays.
    let mut changed = original.clone();
    changed.label.swap(0, 4);
    assert!(original.label[0] != original.label[4]);
    let after = rate(&changed);
    assert_eq!((before[0], before[4]), (after[0], after[4]));
    assert!(before != after);
}

#[test]
fn with_time_a_rate_counts_only_outcomes_known_before() {
    let mut data = city_data();
    data.columns = vec![Column::text("city", (0..data.rows).map(|_| Some("one")))];
    data.as_of = (0..data.rows as i64).map(Timestamp).collect();
    data.known_at = Some((0..data.rows as i64).map(|at| Timestamp(at + 10)).collect());
    let rows: Vec<u32> = (0..data.rows as u32).collect();
    let (codes, names) = level_codes(&data.columns[0], data.rows);
    let design = Design { data: &data, notes: &[], rows: &rows };
    let levelled = Levelled { design, codes: &codes, levels: names.len(), base: 0.2 };
    let rates = levelled.past(data.known_at.as_ref().unwrap());
    for row in [0_usize, 10, 11, 500] {
        let known: Vec<f64> =
            (0..row).filter(|other| other + 10 < row).map(|other| data.label[other]).collect();
        let expected = shrunken(known.len() as f64, known.iter().sum(), 0.2);
        assert!((rates[row].1 - expected).abs() < 1e-12, "{row}");
    }
}

#[test]
fn every_design_encodes_what_the_encoder_encodes_and_linear_columns_have_no_gaps() {
    let rows: i32 = 600;
    let number = (0..rows).map(|i| if i % 9 == 0 { f64::NAN } else { f64::from(i).powi(3) }).collect();
    let text = Column::text("t", (0..rows).map(|i| ["a", "b", "c"].get(i as usize % 4).copied()));
    let data = data(vec![Column::float("n", number), text], (0..rows).map(|i| f64::from(i % 2)).collect());
    let notes = screen(&data.columns, data.rows);
    let all: Vec<u32> = (0..rows as u32).collect();
    let design = Design { data: &data, notes: &notes, rows: &all };
    let folds = vec![u8::MAX; data.rows];
    for block in [design.trees(), design.forest(), design.linear()] {
        let matrix = block.encode(design, &folds);
        for (column, numbers) in block.columns.iter().zip(&matrix.columns) {
            for row in [0, 1, 2, 3, 77] {
                let value = data.columns[column.encoded.input].value(row);
                let expected = column.encoded.encode(&value, data.as_of[row]);
                assert!(expected == numbers[row] || expected.is_nan() && numbers[row].is_nan());
            }
        }
    }
    let linear = design.linear().encode(design, &folds);
    assert!(linear.columns.iter().flatten().all(|x| x.is_finite() && x.abs() <= 6.0));
    // Log, stretches and the missing flag of the number; three levels and the flag of the text.
    assert_eq!(linear.columns.len(), 1 + 1 + STRETCHES + 4);
}

#[test]
fn a_number_that_an_entity_repeats_in_its_rows_does_not_recur() {
    let rows: u32 = 2400;
    let amounts =
        |each: u32| Column::float("amount", (0..rows).map(|row| f64::from(row / each % 400)).collect());
    let columns = |column: Column, group: Option<Vec<u32>>| {
        let data = Dataset { group, ..data(vec![column], (0..rows).map(|row| f64::from(row % 2)).collect()) };
        let (notes, all) = (screen(&data.columns, data.rows), (0..rows).collect::<Vec<u32>>());
        let design = Design { data: &data, notes: &notes, rows: &all };
        (design.trees().columns.len(), design.trees_without_rates().columns.len())
    };
    // Six rows of each of 400 amounts: six deals, or six looks at one.
    assert_eq!(columns(amounts(1), None), (3, 1));
    assert_eq!(columns(amounts(6), Some((0..rows).map(|row| row / 6).collect())), (1, 1));
    assert_eq!(columns(amounts(1), Some((0..rows).collect())), (3, 1));
}
