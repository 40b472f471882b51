//! The datatypes of the standard, and how one element of each is written in bytes.

use std::borrow::Cow;

use half::f16;

use crate::error::ServeError;
use crate::service::scalar::Scalar;

/// A datatype of the Open Inference Protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datatype {
    /// True or false, one byte.
    Bool,
    /// A whole number of this many bytes, 0 or more.
    Uint(usize),
    /// A whole number of this many bytes.
    Int(usize),
    /// IEEE 754 half precision.
    Fp16,
    /// IEEE 754 single precision.
    Fp32,
    /// IEEE 754 double precision.
    Fp64,
    /// Any bytes; here text in UTF-8.
    Bytes,
}

/// Every datatype with its name.
pub const DATATYPES: [(&str, Datatype); 13] = [
    ("BOOL", Datatype::Bool),
    ("UINT8", Datatype::Uint(1)),
    ("UINT16", Datatype::Uint(2)),
    ("UINT32", Datatype::Uint(4)),
    ("UINT64", Datatype::Uint(8)),
    ("INT8", Datatype::Int(1)),
    ("INT16", Datatype::Int(2)),
    ("INT32", Datatype::Int(4)),
    ("INT64", Datatype::Int(8)),
    ("FP16", Datatype::Fp16),
    ("FP32", Datatype::Fp32),
    ("FP64", Datatype::Fp64),
    ("BYTES", Datatype::Bytes),
];

impl Datatype {
    /// The datatype of this name.
    ///
    /// # Errors
    /// [`ServeError::WrongType`] naming the tensor and the names there are.
    pub fn of(name: &str, tensor: &str) -> Result<Self, ServeError> {
        let found = DATATYPES.iter().find(|(known, _)| *known == name);
        found.map(|(_, datatype)| *datatype).ok_or_else(|| ServeError::WrongType {
            field: format!("datatype of the tensor {tensor}"),
            expected: DATATYPES.map(|(known, _)| known).join(", "),
            given: name.chars().take(40).collect(),
        })
    }

    /// Its name in the standard.
    #[must_use]
    pub fn name(self) -> &'static str {
        DATATYPES.iter().find(|(_, known)| *known == self).map_or("BYTES", |(name, _)| name)
    }

    /// Bytes of one element; none for one of varying length.
    #[must_use]
    pub const fn width(self) -> Option<usize> {
        match self {
            Self::Bool => Some(1),
            Self::Uint(width) | Self::Int(width) => Some(width),
            Self::Fp16 => Some(2),
            Self::Fp32 => Some(4),
            Self::Fp64 => Some(8),
            Self::Bytes => None,
        }
    }

    /// True for numbers, which may stand in a matrix of features.
    #[must_use]
    pub const fn is_number(self) -> bool {
        !matches!(self, Self::Bool | Self::Bytes)
    }

    /// The element that these bytes, [`Datatype::width`] of them, hold in little-endian order. NaN is a missing
    /// value. None for a truth value that is neither 0 nor 1.
    #[must_use]
    pub fn element(self, bytes: &[u8]) -> Option<Scalar<'static>> {
        let mut low = [0; 8];
        low.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let word = u64::from_le_bytes(low);
        Some(match self {
            Self::Bool => match word {
                0 => Scalar::Bool(false),
                1 => Scalar::Bool(true),
                _ => return None,
            },
            Self::Uint(_) => whole(word),
            Self::Int(width) => {
                let unused = 64 - 8 * width as u32;
                Scalar::Int((word << unused).cast_signed() >> unused)
            }
            Self::Fp16 => number(f16::from_bits(word as u16).to_f64()),
            Self::Fp32 => number(f64::from(f32::from_bits(word as u32))),
            Self::Fp64 => number(f64::from_bits(word)),
            Self::Bytes => return None,
        })
    }

    /// An element as it was written in JSON, rounded as the datatype rounds; `null` is a missing value. None when
    /// it is not of this datatype.
    #[must_use]
    pub fn json<'a>(self, given: Scalar<'a>) -> Option<Scalar<'a>> {
        Some(match (self, given) {
            (_, Scalar::Null) => Scalar::Null,
            (Self::Bool, Scalar::Bool(value)) => Scalar::Bool(value),
            (Self::Uint(width), value) => self.within(value, 0.0, 256f64.powi(width as i32) - 1.0)?,
            (Self::Int(width), value) => {
                let half = 256f64.powi(width as i32) / 2.0;
                self.within(value, -half, half - 1.0)?
            }
            (Self::Fp16, value) => finite(f16::from_f64(float(&value)?).to_f64())?,
            (Self::Fp32, value) => finite(f64::from(float(&value)? as f32))?,
            (Self::Fp64, value) => finite(float(&value)?)?,
            (Self::Bytes, Scalar::Text(text)) => text_of(text),
            _ => return None,
        })
    }

    /// A whole number between two bounds.
    fn within(self, value: Scalar<'_>, least: f64, most: f64) -> Option<Scalar<'static>> {
        let number = float(&value)?;
        let fits = number.fract() == 0.0 && number >= least && number <= most;
        match value {
            // Doubles round at the rim of 64 bits; what fits an i64 fits INT64 as it is.
            Scalar::Int(exact) if fits || self == Self::Int(8) => Some(Scalar::Int(exact)),
            Scalar::Float(_) if fits => Some(Scalar::Float(number)),
            _ => None,
        }
    }
}

/// Text, of which none at all is a missing value.
pub fn text_of(text: Cow<'_, str>) -> Scalar<'_> {
    if text.is_empty() { Scalar::Null } else { Scalar::Text(text) }
}

fn whole(word: u64) -> Scalar<'static> {
    i64::try_from(word).map_or(Scalar::Float(word as f64), Scalar::Int)
}

/// A number, of which NaN is a missing value.
pub fn number(value: f64) -> Scalar<'static> {
    if value.is_nan() { Scalar::Null } else { Scalar::Float(value) }
}

fn finite(value: f64) -> Option<Scalar<'static>> {
    value.is_finite().then_some(Scalar::Float(value))
}

fn float(value: &Scalar<'_>) -> Option<f64> {
    match value {
        Scalar::Int(number) => Some(*number as f64),
        Scalar::Float(number) => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_of_every_width_keeps_its_sign_and_value() {
        let int = |width, bytes: &[u8]| Datatype::Int(width).element(bytes).unwrap();
        assert_eq!(int(1, &[0xff]), Scalar::Int(-1));
        assert_eq!(int(2, &[0x00, 0x80]), Scalar::Int(i64::from(i16::MIN)));
        assert_eq!(int(4, &(-7i32).to_le_bytes()), Scalar::Int(-7));
        assert_eq!(int(8, &i64::MIN.to_le_bytes()), Scalar::Int(i64::MIN));
        assert_eq!(Datatype::Uint(1).element(&[0xff]), Some(Scalar::Int(255)));
        assert_eq!(Datatype::Uint(8).element(&[0xff; 8]), Some(Scalar::Float(u64::MAX as f64)));
        assert_eq!(Datatype::Fp16.element(&f16::from_f32(1.5).to_le_bytes()), Some(Scalar::Float(1.5)));
        assert_eq!(Datatype::Fp32.element(&0.1f32.to_le_bytes()), Some(Scalar::Float(f64::from(0.1f32))));
        assert_eq!(Datatype::Fp64.element(&f64::NAN.to_le_bytes()), Some(Scalar::Null));
        assert_eq!(Datatype::Bool.element(&[2]), None);
    }

    #[test]
    fn a_number_in_json_must_fit_its_datatype_and_is_rounded_by_it() {
        let fits = |datatype: Datatype, value| datatype.json(Scalar::Int(value)).is_some();
        assert!(
            fits(Datatype::Uint(1), 255) && !fits(Datatype::Uint(1), 256) && !fits(Datatype::Uint(8), -1)
        );
        assert!(fits(Datatype::Int(1), -128) && !fits(Datatype::Int(1), 128));
        assert!(fits(Datatype::Int(8), i64::MAX) && fits(Datatype::Int(8), i64::MIN));
        assert_eq!(Datatype::Int(4).json(Scalar::Float(0.5)), None);
        assert_eq!(Datatype::Fp32.json(Scalar::Float(0.1)), Some(Scalar::Float(f64::from(0.1f32))));
        assert_eq!(Datatype::Fp16.json(Scalar::Float(1e6)), None, "beyond half precision");
        assert_eq!(Datatype::Fp64.json(Scalar::Null), Some(Scalar::Null));
        assert_eq!(Datatype::Bytes.json(Scalar::Text("".into())), Some(Scalar::Null));
        assert_eq!(Datatype::Bytes.json(Scalar::Int(1)), None);
    }
}
