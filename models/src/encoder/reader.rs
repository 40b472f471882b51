//! A row's values taken in: checked against the signature and turned into columns.

use std::ops::Range;

use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Value, ValueType};

use super::{Encoder, Transform};
use crate::error::ModelError;
use crate::signature::{Signature, accepts};

/// What taking in a row asks of signature and encoder, laid close together: names, words and levels, which few columns
/// need, would fill the cache that the values are in.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    /// How many inputs there are.
    width: usize,
    numbers: Box<[Numbers]>,
    /// Inputs that stand in no [`Numbers`], with their types.
    inputs: Box<[(usize, ValueType)]>,
    /// Columns that stand in no [`Numbers`].
    columns: Box<[usize]>,
}

/// Inputs that are numbers, one after the other, and columns that take them as they are.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    input: usize,
    column: usize,
    length: usize,
}

impl Numbers {
    fn inputs(self) -> Range<usize> {
        self.input..self.input + self.length
    }

    fn columns(self) -> Range<usize> {
        self.column..self.column + self.length
    }

    /// Takes the numbers in. False where one is none, and something else may have to be done with it or said of it.
    #[inline]
    fn read(self, values: &[Value], row: &mut [f64]) -> bool {
        let (Some(values), Some(row)) = (values.get(self.inputs()), row.get_mut(self.columns())) else {
            return false;
        };
        let mut plain = true;
        for (value, number) in values.iter().zip(row) {
            *number = match value {
                Value::Float(number) => *number,
                Value::Missing(_) => f64::NAN,
                _ => f64::INFINITY,
            };
            plain &= !number.is_infinite() && (!number.is_nan() || matches!(value, Value::Missing(_)));
        }
        plain
    }
}

impl Reader {
    pub(crate) fn new(signature: &Signature, encoder: &Encoder) -> Self {
        let mut numbers: Vec<Numbers> = Vec::new();
        for (at, column) in encoder.columns().iter().enumerate() {
            let is_number =
                signature.inputs.get(column.input).is_some_and(|i| i.value_type == ValueType::Float);
            if !is_number || column.transform != Transform::Number || column.scaling.is_some() {
                continue;
            }
            match numbers.last_mut() {
                Some(last) if (last.columns().end, last.inputs().end) == (at, column.input) => {
                    last.length += 1
                }
                _ => numbers.push(Numbers { input: column.input, column: at, length: 1 }),
            }
        }
        let reads = |input: usize| numbers.iter().any(|numbers| numbers.inputs().contains(&input));
        let fills = |column: usize| numbers.iter().any(|numbers| numbers.columns().contains(&column));
        let inputs = signature.inputs.iter().map(|input| input.value_type).enumerate();
        Self {
            width: signature.inputs.len(),
            inputs: inputs.filter(|(input, _)| !reads(*input)).collect(),
            columns: (0..encoder.width()).filter(|column| !fills(*column)).collect(),
            numbers: numbers.into(),
        }
    }

    /// Does what [`Signature::accept`] and then [`Encoder::encode`] do.
    ///
    /// # Errors
    /// As [`Signature::accept`].
    pub(crate) fn read(
        &self,
        (signature, encoder): (&Signature, &Encoder),
        values: &[Value],
        as_of: Timestamp,
        row: &mut [f64],
    ) -> Result<(), ModelError> {
        let plain = values.len() == self.width
            && self.numbers.iter().all(|numbers| numbers.read(values, row))
            && self.inputs.iter().all(|(input, wanted)| accepts(&values[*input], *wanted));
        if !plain {
            signature.accept(values)?;
            encoder.encode(values, as_of, row);
            return Ok(());
        }
        for column in &self.columns {
            let found = encoder.columns().get(*column);
            row[*column] = found.map_or(f64::NAN, |column| column.encode(&values[column.input], as_of));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use proptest::prelude::*;
    use scorehouse_features::value::Missing;

    use super::*;
    use crate::encoder::{EncodedColumn, Scaling};
    use crate::signature::{InputField, Output};

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            4 => prop::sample::select(vec![0.0, -2.5, 1e300, f64::NAN, f64::INFINITY]).prop_map(Value::Float),
            2 => (-3_i64..3).prop_map(Value::Int),
            1 => Just(Value::Missing(Missing::Expired)),
            1 => any::<bool>().prop_map(Value::Bool),
            2 => prop::sample::select(vec!["gold", "tin"]).prop_map(|text| Value::Text(text.into())),
        ]
    }

    /// Most are what the inputs below take.
    fn row() -> impl Strategy<Value = Vec<Value>> {
        let (amount, seats, plan) = (value(), value(), value());
        let fits = (amount, seats, plan).prop_filter("of the types", |(amount, seats, plan)| {
            accepts(amount, ValueType::Float)
                && accepts(seats, ValueType::Int)
                && accepts(plan, ValueType::Text)
        });
        prop_oneof![
            3 => fits.prop_map(|(amount, seats, plan)| vec![amount, seats, plan]),
            1 => prop::collection::vec(value(), 2..5),
        ]
    }

    proptest! {
        #[test]
        fn a_row_is_taken_in_as_it_is_accepted_and_then_encoded(values in row()) {
            let input = |name: &str, value_type| InputField::new(name, value_type);
            let inputs = vec![
                input("amount", ValueType::Float),
                input("seats", ValueType::Int),
                input("plan", ValueType::Text),
            ];
            let signature = Signature { entity: None, feature_set: None, inputs, output: Output::Probability };
            let scaling = Scaling { mean: 1.0, scale: 2.0, fill: 3.0, limit: None };
            let level = Transform::OneHot { level: "gold".into() };
            let columns = vec![
                EncodedColumn::new(0, Transform::Number),
                EncodedColumn::new(1, Transform::Number).scaled(scaling),
                EncodedColumn::new(2, level),
                EncodedColumn::new(0, Transform::IsMissing),
            ];
            let encoder = Encoder::new(columns, &signature).unwrap();
            let (mut row, mut apart) = ([7.0; 4], [7.0; 4]);
            let read = Reader::new(&signature, &encoder).read((&signature, &encoder), &values, Timestamp(0), &mut row);
            let accepted = signature.accept(&values);
            prop_assert_eq!(read.map_err(|e| e.to_string()), accepted.as_ref().map_err(ToString::to_string).copied());
            if accepted.is_ok() {
                encoder.encode(&values, Timestamp(0), &mut apart);
                prop_assert_eq!(row.map(f64::to_bits), apart.map(f64::to_bits));
            }
        }
    }
}
