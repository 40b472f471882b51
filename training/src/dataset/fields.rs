//! The fields of a delimited text: all of them in one string, so that a row costs no allocation of its own.

use csv::{ReaderBuilder, StringRecord};
use rayon::prelude::*;

/// Bytes that one task reads.
const PART: usize = 1 << 20;

/// Fields by row and column, trimmed; rows may be of different length.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    text: String,
    /// Where each field ends in `text`; the next begins there.
    ends: Vec<usize>,
    /// For each row, the number of fields up to its end.
    rows: Vec<usize>,
}

impl Fields {
    /// Reads records without a header. A text in which nothing is quoted is read by all threads, since there each line
    /// is a record.
    pub(super) fn read(text: &str, delimiter: u8) -> Result<Self, csv::Error> {
        let parts = if text.as_bytes().contains(&b'"') { vec![text] } else { parts_of(text) };
        let mut read = parts
            .into_par_iter()
            .map(|part| Self::read_part(part, delimiter))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter();
        let mut fields = read.next().unwrap_or_default();
        read.for_each(|part| fields.append(part));
        Ok(fields)
    }

    fn read_part(text: &str, delimiter: u8) -> Result<Self, csv::Error> {
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .has_headers(false)
            .from_reader(text.as_bytes());
        let mut fields = Self { text: String::with_capacity(text.len()), ..Self::default() };
        let mut record = StringRecord::new();
        while reader.read_record(&mut record)? {
            for field in &record {
                fields.text.push_str(field.trim());
                fields.ends.push(fields.text.len());
            }
            fields.rows.push(fields.ends.len());
        }
        Ok(fields)
    }

    fn append(&mut self, part: Self) {
        let (bytes, count) = (self.text.len(), self.ends.len());
        self.text.push_str(&part.text);
        self.ends.extend(part.ends.into_iter().map(|end| end + bytes));
        self.rows.extend(part.rows.into_iter().map(|end| end + count));
    }

    /// Number of rows.
    pub(super) const fn rows(&self) -> usize {
        self.rows.len()
    }

    /// A field; none where the row is short.
    pub(super) fn get(&self, row: usize, column: usize) -> Option<&str> {
        let first = if row == 0 { 0 } else { self.rows[row - 1] };
        let at = first + column;
        if at >= self.rows[row] {
            return None;
        }
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        Some(&self.text[start..self.ends[at]])
    }
}

/// The text in parts of about [`PART`] bytes that end where a line does.
fn parts_of(mut text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    while text.len() > PART {
        let Some(end) = text.as_bytes()[PART..].iter().position(|byte| *byte == b'\n') else { break };
        let (part, rest) = text.split_at(PART + end + 1);
        parts.push(part);
        text = rest;
    }
    parts.push(text);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(fields: &Fields) -> Vec<Vec<&str>> {
        (0..fields.rows()).map(|row| (0..).map_while(|column| fields.get(row, column)).collect()).collect()
    }

    #[test]
    fn short_and_long_rows_quotes_and_blanks_are_read() {
        let fields = Fields::read("a, b ,\n\nc\n\"d,\n\"\"e\"\"\",f\r\n", b',').unwrap();
        assert_eq!(all(&fields), [vec!["a", "b", ""], vec!["c"], vec!["d,\n\"e\"", "f"]]);
        assert_eq!(Fields::read("", b',').unwrap().rows(), 0);
    }

    #[test]
    fn a_text_of_many_parts_is_read_like_one_of_a_single_part() {
        let line = |row: usize| format!("{row},é{}{}\n", "x".repeat(row % 90), ",".repeat(row % 3));
        let text: String = (0..60_000).map(line).collect();
        assert!(text.len() > 2 * PART);
        let (many, one) = (Fields::read(&text, b',').unwrap(), Fields::read_part(&text, b',').unwrap());
        assert_eq!(many.rows(), 60_000);
        assert_eq!(all(&many), all(&one));
    }
}
