//! A plain delimited file: read once, its columns' types found out or given.

use std::fs;
use std::ops::Range;
use std::path::Path;

use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use scorehouse_features::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dataset::column::{Column, ColumnData};
use crate::dataset::fields::Fields;
use crate::dataset::number::{is_nothing, parse_number};
use crate::error::TrainingError;

/// Share of values that must fit a type for a column to be of it.
const FITS: f64 = 0.98;

/// A delimited file, all text.
#[derive(Debug, Clone)]
pub struct RawTable {
    /// The file, for messages.
    pub file: String,
    /// Headers, trimmed.
    pub headers: Vec<String>,
    fields: Fields,
    decimal_comma: bool,
}

/// How a column's texts become values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// `true` or `false`.
    Bool,
    /// Numbers.
    Number,
    /// Categories or words.
    Text,
    /// Moments: a strftime pattern, or none for ISO 8601.
    Time(Option<String>),
}

/// What must be known to read a file for scoring as the training file was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableLayout {
    /// The model's inputs in order, by header.
    pub inputs: Vec<(String, Layout)>,
    /// The column that names the row, carried through.
    pub id: Option<String>,
    /// The column that tells each row's moment.
    pub time: Option<(String, Layout)>,
    /// The moment of rows in a table without time.
    pub as_of: Timestamp,
    /// The label column, which a file for scoring need not have.
    pub label: String,
}

/// Reads a delimited file: `,` `;` tab or `|`, found out from its header; a byte order mark is skipped,
/// bytes that are no UTF-8 are read as windows-1252. Rows may be short; what is not there is missing.
///
/// # Errors
/// [`TrainingError::File`] when it cannot be read or has no header.
pub fn read_table(path: &Path) -> Result<RawTable, TrainingError> {
    let bytes = fs::read(path).map_err(|e| TrainingError::file(path, e))?;
    let text = decode(bytes);
    let delimiter = delimiter_of(text.lines().next().unwrap_or(""));
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .trim(csv::Trim::Headers)
        .from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|e| TrainingError::file(path, e))?;
    let headers: Vec<String> = headers.iter().map(str::to_owned).collect();
    if headers.iter().all(String::is_empty) {
        return Err(TrainingError::file(path, "it has no header line"));
    }
    let body = text.get(reader.position().byte() as usize..).unwrap_or("");
    let fields = Fields::read(body, delimiter).map_err(|e| TrainingError::file(path, e))?;
    let file = path.display().to_string();
    Ok(RawTable { file, headers, fields, decimal_comma: delimiter == b';' })
}

fn decode(bytes: Vec<u8>) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(bytes);
    match String::from_utf8(bytes) {
        Ok(text) => text,
        // The lower half of windows-1252 is ASCII and most of its upper half is Latin-1.
        Err(broken) => broken.as_bytes().iter().map(|byte| char::from(*byte)).collect(),
    }
}

fn delimiter_of(header: &str) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut quoted = false;
    for byte in header.bytes() {
        quoted ^= byte == b'"';
        if !quoted && let Some(count) = counts.iter_mut().find(|count| count.0 == byte) {
            count.1 += 1;
        }
    }
    counts
        .into_iter()
        .rev()
        .max_by_key(|count| count.1)
        .filter(|count| count.1 > 0)
        .map_or(b',', |count| count.0)
}

impl RawTable {
    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.fields.rows()
    }

    /// Position of a column.
    ///
    /// # Errors
    /// [`TrainingError::NoColumn`] naming the columns there are.
    pub fn position(&self, column: &str) -> Result<usize, TrainingError> {
        self.headers.iter().position(|header| header == column).ok_or_else(|| TrainingError::NoColumn {
            file: self.file.clone(),
            column: column.to_owned(),
            has: self.headers.clone(),
        })
    }

    /// A field as it stands in the file; none when it stands for no value.
    #[must_use]
    pub fn field(&self, row: usize, column: usize) -> Option<&str> {
        self.fields.get(row, column).filter(|text| !is_nothing(text))
    }

    /// A field as it stands in the file, empty when the row is short.
    #[must_use]
    pub fn raw(&self, row: usize, column: usize) -> &str {
        self.fields.get(row, column).unwrap_or("")
    }

    fn fields(&self, column: usize, rows: Range<usize>) -> impl Iterator<Item = Option<&str>> + Clone {
        rows.map(move |row| self.field(row, column))
    }

    /// Finds out what a column holds.
    #[must_use]
    pub fn infer(&self, column: usize) -> Layout {
        let values = self.fields(column, 0..self.rows()).flatten();
        let count = values.clone().count();
        if count == 0 {
            return Layout::Text;
        }
        let enough = |fitting: usize| fitting as f64 >= FITS * count as f64;
        let is_bool = |text: &str| text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
        if values.clone().all(is_bool) {
            return Layout::Bool;
        }
        let dated = self.date_format(values.clone(), count);
        if let Some(format) = dated {
            return Layout::Time(format);
        }
        let numeric = values.clone().filter(|text| parse_number(text, self.decimal_comma).is_some()).count();
        let coded =
            |text: &str| text.len() > 1 && text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
        if enough(numeric) && !values.clone().any(coded) {
            return Layout::Number;
        }
        Layout::Text
    }

    fn date_format<'a>(
        &self,
        values: impl Iterator<Item = &'a str> + Clone,
        count: usize,
    ) -> Option<Option<String>> {
        let like_date = |text: &str| text.len() >= 6 && text.bytes().filter(u8::is_ascii_digit).count() >= 3;
        let first = values.clone().find(|text| like_date(text))?;
        // A plain number is a number, even when it might be read as a date.
        if parse_number(first, self.decimal_comma).is_some() {
            return None;
        }
        let fits = |format: Option<&str>| {
            let fitting = values.clone().filter(|text| parse_time(text, format).is_some()).count();
            fitting as f64 >= FITS * count as f64
        };
        if parse_time(first, None).is_some() && fits(None) {
            return Some(None);
        }
        let possible = DATE_FORMATS
            .iter()
            .filter(|format| values.clone().take(20).any(|v| parse_time(v, Some(format)).is_some()));
        possible.copied().find(|format| fits(Some(format))).map(|format| Some(format.to_owned()))
    }

    /// A column's values. A text that does not fit the layout is missing.
    #[must_use]
    pub fn column(&self, column: usize, layout: &Layout) -> Column {
        self.part(column, layout, 0..self.rows())
    }

    /// A column's values in these rows.
    #[must_use]
    pub fn part(&self, column: usize, layout: &Layout, rows: Range<usize>) -> Column {
        let texts = self.fields(column, rows);
        let name = self.headers[column].as_str();
        let data = match layout {
            Layout::Bool => ColumnData::Bool(
                texts.map(|text| text.map(|text| text.eq_ignore_ascii_case("true"))).collect(),
            ),
            Layout::Number => ColumnData::Float(
                texts
                    .map(|text| {
                        text.and_then(|text| parse_number(text, self.decimal_comma)).unwrap_or(f64::NAN)
                    })
                    .collect(),
            ),
            Layout::Text => return Column::text(name, texts),
            Layout::Time(format) => ColumnData::Time(
                texts.map(|text| text.and_then(|text| parse_time(text, format.as_deref()))).collect(),
            ),
        };
        Column { name: name.to_owned(), words: None, data }
    }
}

/// Forms of dates besides ISO 8601, each also with a time of day after it. Where day and month could be
/// either, the first form under which all values are dates wins.
const DATE_FORMATS: [&str; 36] = [
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%Y/%m/%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%Y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%B %d, %Y",
    "%m/%d/%y",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%Y/%m/%d %H:%M",
    "%d-%m-%Y %H:%M",
    "%m-%d-%Y %H:%M",
    "%d.%m.%Y %H:%M",
    "%d-%b-%Y %H:%M",
    "%d %b %Y %H:%M",
    "%b %d, %Y %H:%M",
    "%d %B %Y %H:%M",
    "%B %d, %Y %H:%M",
    "%m/%d/%y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%d-%m-%Y %H:%M:%S",
    "%m-%d-%Y %H:%M:%S",
    "%d.%m.%Y %H:%M:%S",
    "%d-%b-%Y %H:%M:%S",
    "%d %b %Y %H:%M:%S",
    "%b %d, %Y %H:%M:%S",
    "%d %B %Y %H:%M:%S",
    "%B %d, %Y %H:%M:%S",
    "%m/%d/%y %H:%M:%S",
];

fn parse_time(text: &str, format: Option<&str>) -> Option<Timestamp> {
    let Some(format) = format else { return Timestamp::parse(text).ok() };
    let parts = BrokenDownTime::parse(format, text).ok()?;
    let date = parts.to_date().ok()?;
    let time = parts.to_time().unwrap_or(jiff::civil::Time::midnight());
    let moment = date.to_datetime(time).to_zoned(TimeZone::UTC).ok()?;
    Some(Timestamp(moment.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use scorehouse_features::value::Value;

    fn table(text: &[u8]) -> RawTable {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        read_table(file.path()).unwrap()
    }

    #[test]
    fn types_are_found_out_and_missing_values_do_not_hide_them() {
        let t = table(b"n,b,d,e,t,z\n1,true,2024-01-02,31/12/2023,red,01234\nNA,FALSE,,01/02/2024,2,00001\n 2.5 ,true,2024-01-05 10:00:00,,,99999\n");
        let layouts: Vec<Layout> = (0..6).map(|c| t.infer(c)).collect();
        assert_eq!(
            layouts,
            [
                Layout::Number,
                Layout::Bool,
                Layout::Time(None),
                Layout::Time(Some("%d/%m/%Y".into())),
                Layout::Text,
                Layout::Text
            ]
        );
        assert!(t.column(0, &layouts[0]).is_missing(1));
        assert_eq!(t.column(3, &layouts[3]).value(1), Value::Time(Timestamp::parse("2024-02-01").unwrap()));
    }

    #[test]
    fn semicolons_decimal_commas_and_a_byte_order_mark_are_read() {
        let t = table("\u{feff}a;b\n1,5;x\n2,25;y\n".as_bytes());
        assert_eq!(t.headers, ["a", "b"]);
        assert_eq!(t.column(0, &t.infer(0)).numbers().unwrap(), [1.5, 2.25]);
    }

    #[test]
    fn short_rows_and_foreign_bytes_do_not_break_it() {
        let t = table(b"a,b\n1\n2,caf\xe9\n3,x,extra\n");
        assert_eq!(t.rows(), 3);
        assert_eq!(t.field(0, 1), None);
        assert_eq!(t.field(1, 1), Some("café"));
    }

    #[test]
    fn an_unknown_column_is_told_with_those_there_are() {
        let t = table(b"a,b\n1,2\n");
        assert!(t.position("c").unwrap_err().to_string().ends_with("it has a, b"));
    }

    #[test]
    fn plain_numbers_are_not_taken_for_dates() {
        assert_eq!(table(b"a\n20240101\n20240215\n").infer(0), Layout::Number);
    }
}
