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
