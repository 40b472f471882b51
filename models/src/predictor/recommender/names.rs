//! The names of items or users, numbered.

use std::hash::Hasher;

use rustc_hash::FxHasher;

use crate::error::ModelError;

/// Names in the order of their numbers, found again in constant time.
///
/// Held as one text and its cuts rather than as a list of strings, so that a catalogue of a million names
/// loads at the speed of one copy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    text: String,
    ends: Vec<u32>,
    /// Open-addressing table of `number + 1`; 0 is an empty place. Its length is a power of two.
    table: Vec<u32>,
}

impl Names {
    /// Numbers `names` in their order.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when a name is there twice, or when all of them together are longer
    /// than 4 GiB.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, ModelError> {
        let mut text = String::new();
        let mut ends = Vec::new();
        for name in names {
            text.push_str(name);
            ends.push(u32::try_from(text.len()).map_err(|_| too_long())?);
        }
        Self::index(text, ends)
    }

    /// Takes over a text and where each name ends in it.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when the ends do not rise, do not cover the text, cut a character in
    /// two, or when a name is there twice.
    pub fn from_parts(text: Vec<u8>, ends: Vec<u32>) -> Result<Self, ModelError> {
        let text =
            String::from_utf8(text).map_err(|_| ModelError::invalid("recommender", "names are not UTF-8"))?;
        let mut start = 0usize;
        for &end in &ends {
            let end = end as usize;
            if end < start || !text.is_char_boundary(end) {
                return Err(ModelError::invalid("recommender", "the cuts between names are out of order"));
            }
            start = end;
        }
        if start != text.len() {
            return Err(ModelError::invalid("recommender", "the cuts between names do not cover their text"));
        }
        Self::index(text, ends)
    }

    fn index(text: String, ends: Vec<u32>) -> Result<Self, ModelError> {
        let places = (ends.len() * 2).next_power_of_two().max(2);
        let mut names = Self { text, ends, table: vec![0; places] };
        for number in 0..names.len() {
            let place = names.place(names.name(number));
            if names.table[place] != 0 {
                return Err(ModelError::invalid(
                    "recommender",
                    format!("the name {:?} is there twice", names.name(number)),
                ));
            }
            names.table[place] = u32::try_from(number + 1).map_err(|_| too_long())?;
        }
        Ok(names)
    }

    /// Where `name` stands in the table, or the empty place where it would.
    fn place(&self, name: &str) -> usize {
        let mask = self.table.len() - 1;
        let mut hasher = FxHasher::default();
        hasher.write(name.as_bytes());
        // The low bits of this hash are its weakest, so the high ones choose the place.
        let mut place = (hasher.finish() >> 32) as usize & mask;
        while let Some(number) = (self.table[place] as usize).checked_sub(1) {
            if self.name(number) == name {
                break;
            }
            place = (place + 1) & mask;
        }
        place
    }

    /// The number of `name`.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u32> {
        self.table.get(self.place_checked(name)?).and_then(|n| n.checked_sub(1))
    }

    fn place_checked(&self, name: &str) -> Option<usize> {
        (!self.table.is_empty()).then(|| self.place(name))
    }

    /// The name of `number`; empty for a number out of range.
    #[must_use]
    pub fn name(&self, number: usize) -> &str {
        let Some(&end) = self.ends.get(number) else { return "" };
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..end as usize]
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All names in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|number| self.name(number))
    }

    /// The text and where each name ends, as [`Names::from_parts`] takes them.
    #[must_use]
    pub fn parts(&self) -> (&[u8], &[u32]) {
        (self.text.as_bytes(), &self.ends)
    }
}

fn too_long() -> ModelError {
    ModelError::invalid("recommender", "names together are longer than 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_under_its_number() {
        let given: Vec<String> = (0..5000).map(|n| format!("é{}", n * 7)).collect();
        let names = Names::new(given.iter().map(String::as_str)).unwrap();
        for (number, name) in given.iter().enumerate() {
            assert_eq!(names.number(name), Some(number as u32));
            assert_eq!(names.name(number), name);
        }
        assert_eq!(names.number("é1"), None);
        assert_eq!(names.number(""), None);
        assert_eq!(Names::default().number("a"), None);
    }

    #[test]
    fn broken_parts_are_refused() {
        assert!(Names::from_parts(b"ab".to_vec(), vec![1, 2]).is_ok());
        assert!(Names::from_parts(b"ab".to_vec(), vec![2, 1]).is_err());
        assert!(Names::from_parts(b"ab".to_vec(), vec![1]).is_err());
        assert!(Names::from_parts(b"aa".to_vec(), vec![1, 2]).is_err());
        assert!(Names::from_parts(b"ab".to_vec(), vec![1, 9]).is_err());
        assert!(Names::from_parts("é".as_bytes().to_vec(), vec![1, 2]).is_err());
        assert!(Names::from_parts(vec![0xff], vec![1]).is_err());
    }
}
