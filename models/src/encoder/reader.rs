//! A row's values taken in: checked against the signature and turned into columns.

use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Value, ValueType};

use super::{EncodedColumn, Encoder, Transform};
use crate::error::ModelError;
use crate::signature::{Signature, accepts};

/// What taking in a row asks of signature and encoder, laid close together: names, words and levels, which few columns
/// need, would fill the cache that the values are in.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    types: Box<[ValueType]>,
    columns: Box<[Column]>,
}

/// A column of the predictor's row.
#[derive(Debug, Clone, Copy)]
struct Column {
    input: u32,
    /// True where the number is taken as it is.
    plain: bool,
}

impl Reader {
    pub(crate) fn new(signature: &Signature, encoder: &Encoder) -> Self {
        let column = |column: &EncodedColumn| Column {
            // An encoder was checked: it reads inputs that are there.
            input: column.input as u32,
            plain: column.transform == Transform::Number && column.scaling.is_none(),
        };
        Self {
            types: signature.inputs.iter().map(|input| input.value_type).collect(),
            columns: encoder.columns().iter().map(column).collect(),
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
        let accepted = values.len() == self.types.len()
            && values.iter().zip(&self.types).all(|(value, wanted)| accepts(value, *wanted));
        if !accepted {
            signature.accept(values)?;
        }
        for (at, (column, number)) in self.columns.iter().zip(row).enumerate() {
            *number = match values.get(column.input as usize) {
                Some(Value::Float(number)) if column.plain => *number,
                Some(value) => {
                    encoder.columns().get(at).map_or(f64::NAN, |column| column.encode(value, as_of))
                }
                None => f64::NAN,
            };
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
    use crate::encoder::Scaling;
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
