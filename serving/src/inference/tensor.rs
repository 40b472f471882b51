//! A tensor as it came, whatever wrote it: its elements one by one, in row-major order.

use std::borrow::Cow;

use super::datatype::{Datatype, number, text_of};
use crate::error::ServeError;
use crate::service::scalar::Scalar;

/// One tensor of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// What it says its elements are.
    pub datatype: Datatype,
    /// Its extents; their product is the number of elements.
    pub shape: Vec<usize>,
    /// Its elements; a missing one is [`Scalar::Null`].
    pub elements: Vec<Scalar<'a>>,
}

/// What a tensor says of itself, apart from its elements.
#[derive(Debug, Clone)]
pub struct Head<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// What it says its elements are.
    pub datatype: Datatype,
    /// Its extents.
    pub shape: Vec<usize>,
    /// The product of its extents.
    count: usize,
}

impl<'a> Head<'a> {
    /// Checks what a tensor says of itself.
    ///
    /// # Errors
    /// [`ServeError::WrongType`] for a datatype that is none, [`ServeError::InvalidField`] for a shape without
    /// extents, with a negative one, or whose product no memory holds.
    pub fn new(name: Cow<'a, str>, datatype: &str, shape: &[i64]) -> Result<Self, ServeError> {
        let datatype = Datatype::of(datatype, &name)?;
        let wrong = || invalid(&name, &format!("the shape {shape:?} is not one"));
        if shape.is_empty() {
            return Err(wrong());
        }
        let extents = shape.iter().map(|extent| usize::try_from(*extent).map_err(|_| wrong()));
        let extents = extents.collect::<Result<Vec<_>, _>>()?;
        let product = extents.iter().try_fold(1usize, |product, extent| product.checked_mul(*extent));
        let count = product.filter(|count| *count <= isize::MAX as usize / 64).ok_or_else(wrong)?;
        Ok(Self { name, datatype, shape: extents, count })
    }

    /// How many elements it has.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// A tensor with elements as JSON wrote them.
    ///
    /// # Errors
    /// [`ServeError::InvalidField`] for too few or too many, [`ServeError::WrongType`] for one that is not of the
    /// datatype.
    pub fn json(self, given: Vec<Scalar<'a>>) -> Result<Tensor<'a>, ServeError> {
        self.count_is(given.len())?;
        let mut elements = Vec::with_capacity(given.len());
        for (place, element) in given.into_iter().enumerate() {
            let told = element.clone();
            let element = self.datatype.json(element);
            elements.push(element.ok_or_else(|| self.wrong_element(place, &told))?);
        }
        Ok(self.with(elements))
    }

    /// A tensor with elements as numbers; NaN is a missing one.
    ///
    /// # Errors
    /// [`ServeError::InvalidField`] for too few or too many.
    pub fn numbers(self, given: impl ExactSizeIterator<Item = f64>) -> Result<Tensor<'a>, ServeError> {
        self.count_is(given.len())?;
        Ok(self.with(given.map(number).collect()))
    }

    /// A tensor of texts, each given as its bytes.
    ///
    /// # Errors
    /// As for [`Head::bytes`].
    pub fn contents(self, given: impl ExactSizeIterator<Item = &'a [u8]>) -> Result<Tensor<'a>, ServeError> {
        self.count_is(given.len())?;
        let texts = given.enumerate().map(|(place, bytes)| self.text(place, bytes));
        let elements = texts.collect::<Result<Vec<_>, _>>()?;
        Ok(self.with(elements))
    }

    /// A tensor with elements in bytes: numbers in little-endian order one after the other, texts each after its
    /// length in four bytes.
    ///
    /// # Errors
    /// [`ServeError::InvalidField`] for too few or too many bytes, or a truth value that is neither 0 nor 1;
    /// [`ServeError::WrongType`] for text that is not UTF-8.
    pub fn bytes(self, bytes: &'a [u8]) -> Result<Tensor<'a>, ServeError> {
        let Some(width) = self.datatype.width() else { return self.texts(bytes) };
        if self.count.checked_mul(width) != Some(bytes.len()) {
            let why =
                format!("{} elements of {} are not {} bytes", self.count, self.datatype.name(), bytes.len());
            return Err(invalid(&self.name, &why));
        }
        let bad = || invalid(&self.name, "a BOOL is the byte 0 or 1");
        let elements = bytes.chunks_exact(width).map(|bytes| self.datatype.element(bytes).ok_or_else(bad));
        let elements = elements.collect::<Result<Vec<_>, _>>()?;
        Ok(self.with(elements))
    }

    fn texts(self, mut bytes: &'a [u8]) -> Result<Tensor<'a>, ServeError> {
        let mut elements = Vec::with_capacity(self.count.min(bytes.len() / 4));
        while !bytes.is_empty() {
            let (text, rest) = next_text(bytes).ok_or_else(|| {
                invalid(&self.name, &format!("its bytes break off in element {}", elements.len()))
            })?;
            elements.push(self.text(elements.len(), text)?);
            bytes = rest;
        }
        self.count_is(elements.len())?;
        Ok(self.with(elements))
    }

    fn text(&self, place: usize, bytes: &'a [u8]) -> Result<Scalar<'a>, ServeError> {
        let text = std::str::from_utf8(bytes).map_err(|_| ServeError::WrongType {
            field: format!("element {place} of the tensor {}", self.name),
            expected: "text in UTF-8".into(),
            given: "other bytes".into(),
        })?;
        Ok(text_of(Cow::Borrowed(text)))
    }

    fn count_is(&self, given: usize) -> Result<(), ServeError> {
        if given == self.count {
            return Ok(());
        }
        let why = format!("the shape {:?} takes {} elements, {given} were given", self.shape, self.count);
        Err(invalid(&self.name, &why))
    }

    fn wrong_element(&self, place: usize, given: &Scalar<'_>) -> ServeError {
        ServeError::WrongType {
            field: format!("element {place} of the tensor {}", self.name),
            expected: self.datatype.name().into(),
            given: given.told(),
        }
    }

    fn with(self, elements: Vec<Scalar<'a>>) -> Tensor<'a> {
        Tensor { name: self.name, datatype: self.datatype, shape: self.shape, elements }
    }
}

impl Tensor<'_> {
    /// Elements per row: 1 for a shape of `[n]` or `[n, 1]`, the second extent of `[n, m]`.
    ///
    /// # Errors
    /// [`ServeError::InvalidField`] for more than two extents.
    pub fn row_width(&self) -> Result<usize, ServeError> {
        match self.shape[..] {
            [_] => Ok(1),
            [_, width] => Ok(width),
            _ => Err(invalid(&self.name, &format!("the shape {:?} has more than two extents", self.shape))),
        }
    }

    /// The number of rows: the first extent.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(0)
    }
}

/// A refusal that names the tensor.
pub fn invalid(tensor: &str, why: &str) -> ServeError {
    ServeError::InvalidField { message: format!("tensor {tensor}: {why}"), nearest: None }
}

/// The text at the head of `bytes`, and what follows it.
fn next_text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(datatype: &str, shape: &[i64]) -> Head<'static> {
        Head::new("t".into(), datatype, shape).unwrap()
    }

    #[test]
    fn texts_are_read_by_their_lengths_and_an_empty_one_is_missing() {
        let bytes = b"\x02\0\0\0ab\0\0\0\0\x01\0\0\0c";
        let tensor = head("BYTES", &[3]).bytes(bytes).unwrap();
        let text = |text: &'static str| Scalar::Text(text.into());
        assert_eq!(tensor.elements, [text("ab"), Scalar::Null, text("c")]);
    }

    #[test]
    fn bytes_that_break_off_are_refused_with_the_tensors_name() {
        for (datatype, shape, bytes) in [
            ("BYTES", &[1i64][..], &b"\x05\0\0\0ab"[..]),
            ("BYTES", &[1], b"\x05\0"),
            ("BYTES", &[1], b"\xff\xff\xff\xff"),
            ("BYTES", &[2], b"\x01\0\0\0a"),
            ("FP64", &[1, 2], &[0; 15]),
            ("INT16", &[0], &[0; 2]),
            ("BOOL", &[1], &[7]),
        ] {
            let refused = head(datatype, shape).bytes(bytes).unwrap_err();
            assert!(refused.to_string().starts_with("tensor t:"), "{refused}");
        }
    }

    #[test]
    fn shapes_that_cannot_be_are_refused_before_anything_is_reserved() {
        for shape in [&[][..], &[-1], &[1, -1], &[i64::MAX, 4], &[1 << 40, 1 << 40], &[1 << 62]] {
            assert!(Head::new("t".into(), "FP32", shape).is_err(), "{shape:?}");
        }
    }
}
