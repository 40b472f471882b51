//! One hash that tells two training sets apart.

use blake3::Hasher;

use crate::dataset::{Column, ColumnData, Dataset};

pub(super) fn digest(data: &Dataset) -> String {
    let mut hasher = Hasher::new();
    number(&mut hasher, data.rows as u64);
    data.columns.iter().for_each(|column| hash_column(&mut hasher, column));
    data.label.iter().for_each(|label| number(&mut hasher, label.to_bits()));
    data.as_of.iter().for_each(|moment| number(&mut hasher, moment.0 as u64));
    data.known_at.iter().flatten().for_each(|moment| number(&mut hasher, moment.0 as u64));
    data.group.iter().flatten().for_each(|group| number(&mut hasher, u64::from(*group)));
    hasher.finalize().to_hex().to_string()
}

fn number(hasher: &mut Hasher, value: u64) {
    hasher.update(&value.to_le_bytes());
}

fn text(hasher: &mut Hasher, text: &str) {
    number(hasher, text.len() as u64);
    hasher.update(text.as_bytes());
}

fn hash_column(hasher: &mut Hasher, column: &Column) {
    text(hasher, &column.name);
    text(hasher, &column.value_type().to_string());
    match &column.data {
        ColumnData::Bool(values) => {
            values.iter().for_each(|v| number(hasher, v.map_or(2, u64::from)));
        }
        ColumnData::Int(values) => values.iter().for_each(|v| {
            number(hasher, u64::from(v.is_some()));
            number(hasher, v.unwrap_or(0) as u64);
        }),
        ColumnData::Float(values) => values.iter().for_each(|v| {
            // Every NaN means the same.
            number(hasher, if v.is_nan() { f64::NAN.to_bits() } else { v.to_bits() });
        }),
        ColumnData::Text { codes, levels } => {
            levels.iter().for_each(|level| text(hasher, level));
            codes.iter().for_each(|code| number(hasher, u64::from(*code)));
        }
        ColumnData::Time(values) => values.iter().for_each(|v| {
            number(hasher, u64::from(v.is_some()));
            number(hasher, v.map_or(0, |v| v.0 as u64));
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_value_name_or_outcome_changes_the_digest() {
        let data = Dataset {
            rows: 2,
            columns: vec![Column::float("a", vec![1.0, f64::NAN]), Column::text("b", [Some("x"), None])],
            label: vec![0.0, 1.0],
            ..Dataset::default()
        };
        let original = data.digest();
        assert_eq!(original, data.clone().digest());
        let mut changed = [data.clone(), data.clone(), data.clone(), data];
        changed[0].label[0] = 1.0;
        changed[1].columns[0].name = "c".into();
        changed[2].columns[0] = Column::float("a", vec![1.0, 0.0]);
        changed[3].columns[1] = Column::text("b", [Some("y"), None]);
        assert!(changed.iter().all(|other| other.digest() != original));
    }
}
