//! Named arrays of numbers, written in the safetensors format.

use std::borrow::Cow;
use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors, View};

use crate::error::ModelError;

/// Named arrays of numbers; writing them gives the same bytes in whatever order they were put.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tensors {
    arrays: BTreeMap<String, Array>,
}

#[derive(Debug, Clone, PartialEq)]
struct Array {
    dtype: Dtype,
    shape: Vec<usize>,
    /// Little-endian.
    bytes: Vec<u8>,
}

impl View for &Array {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

const PART: &str = "artifact";

macro_rules! numbers {
    ($($put:ident, $get:ident, $number:ty, $dtype:ident, $size:literal;)*) => {
        $(
            #[doc = concat!("Puts an array of `", stringify!($number), "`, in place of one of the same name.")]
            pub fn $put(&mut self, name: &str, numbers: impl IntoIterator<Item = $number>) {
                let bytes: Vec<u8> = numbers.into_iter().flat_map(<$number>::to_le_bytes).collect();
                let shape = vec![bytes.len() / $size];
                self.arrays.insert(name.to_owned(), Array { dtype: Dtype::$dtype, shape, bytes });
            }

            #[doc = concat!("The array of `", stringify!($number), "` of this name.")]
            ///
            /// # Errors
            /// [`ModelError::Invalid`] when there is none, or one of other numbers.
            pub fn $get(&self, name: &str) -> Result<Vec<$number>, ModelError> {
                let bytes = self.get(name, Dtype::$dtype)?;
                let (numbers, _) = bytes.as_chunks::<$size>();
                Ok(numbers.iter().map(|bytes| <$number>::from_le_bytes(*bytes)).collect())
            }
        )*
    };
}

impl Tensors {
    numbers! {
        put_f64, f64, f64, F64, 8;
        put_f32, f32, f32, F32, 4;
        put_u64, u64, u64, U64, 8;
        put_i64, i64, i64, I64, 8;
        put_u32, u32, u32, U32, 4;
        put_u16, u16, u16, U16, 2;
        put_u8, u8, u8, U8, 1;
    }

    fn get(&self, name: &str, dtype: Dtype) -> Result<&[u8], ModelError> {
        match self.arrays.get(name) {
            Some(array) if array.dtype == dtype => Ok(&array.bytes),
            Some(array) => {
                let why = format!("array {name} holds {:?}, not {dtype:?}", array.dtype);
                Err(ModelError::invalid(PART, why))
            }
            None => Err(ModelError::invalid(PART, format!("array {name} is missing"))),
        }
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        // Without metadata: safetensors keeps that in an unordered map.
        safetensors::serialize(&self.arrays, None).map_err(|e| ModelError::invalid(PART, e.to_string()))
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let read = SafeTensors::deserialize(bytes).map_err(|e| ModelError::invalid(PART, e.to_string()))?;
        let array = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
            let (dtype, shape) = (view.dtype(), view.shape().to_vec());
            (name, Array { dtype, shape, bytes: view.data().to_vec() })
        };
        Ok(Self { arrays: read.tensors().into_iter().map(array).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_survive_and_their_order_does_not_matter() {
        let mut left = Tensors::default();
        left.put_f64("a", [1.5, f64::INFINITY]);
        left.put_u32("b", [1, 2, 3]);
        let mut right = Tensors::default();
        right.put_u32("b", [1, 2, 3]);
        right.put_f64("a", [1.5, f64::INFINITY]);
        let bytes = left.to_bytes().unwrap();
        assert_eq!(bytes, right.to_bytes().unwrap());
        let read = Tensors::from_bytes(&bytes).unwrap();
        assert_eq!(read.f64("a").unwrap(), [1.5, f64::INFINITY]);
        assert_eq!(read.u32("b").unwrap(), [1, 2, 3]);
    }

    #[test]
    fn another_type_and_a_missing_array_are_refused_by_name() {
        let mut tensors = Tensors::default();
        tensors.put_u64("a", [1]);
        assert!(tensors.u32("a").unwrap_err().to_string().contains("array a"));
        assert!(tensors.u32("z").unwrap_err().to_string().contains("array z is missing"));
    }
}
