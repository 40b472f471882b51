//! What a column seems to hold, when nobody has said so.
//!
//! What is inferred is always shown, and never guessed: dates that could be day-first or month-first stay
//! text, or are an error where a date is declared.

use std::path::Path;

use super::delimited::{Chunk, DelimitedFile};
use super::error::SourceError;
use super::field::{USUAL_NULLS, parse_bool, parse_float, parse_int};
use super::layout::{Layout, column_names, column_text};
use super::moment::MomentFormat;
use crate::definition::{Column, CsvOptions, FileFormat, Origin, Source};
use crate::ids::ColumnName;
use crate::value::ValueType;

/// Records looked at.
const SAMPLE: usize = 50_000;

/// Date parts that files use besides ISO 8601, as strftime patterns.
const DATES: [&str; 9] = [
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d %b %Y",
    "%b %d, %Y",
];
const TIMES: [&str; 3] = ["", " %H:%M", " %H:%M:%S"];

/// How the dates of a sample are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DateFit {
    /// One format reads every value (or several that read them all alike).
    One(String),
    /// No known format reads every value.
    None,
    /// Several formats read every value, differently.
    Several(Vec<String>),
}

/// Finds the format in which every one of `values` is a date.
#[must_use]
pub fn date_format(values: &[&[u8]]) -> DateFit {
    if values.is_empty() {
        return DateFit::None;
    }
    let mut patterns = vec!["iso".to_owned()];
    patterns.extend(DATES.iter().flat_map(|date| TIMES.iter().map(move |time| format!("{date}{time}"))));
    let mut fits: Vec<(String, Vec<_>)> = Vec::new();
    for pattern in patterns {
        let Ok(format) = MomentFormat::parse(Some(&pattern)) else { continue };
        let read: Option<Vec<_>> = values.iter().map(|v| format.read(v)).collect();
        if let Some(moments) = read {
            fits.push((pattern, moments));
        }
    }
    match fits.split_first() {
        None => DateFit::None,
        Some((first, rest)) if rest.iter().all(|(_, moments)| *moments == first.1) => {
            DateFit::One(first.0.clone())
        }
        Some(_) => DateFit::Several(fits.into_iter().map(|(pattern, _)| pattern).collect()),
    }
}

/// Finds the type of a sample of fields: the narrowest of bool, int, float, time and text that reads them
/// all. Digits with a leading zero are text, for they are codes.
#[must_use]
pub fn field_type(values: &[&[u8]], decimal: u8) -> (ValueType, Option<String>) {
    let all = |test: &dyn Fn(&[u8]) -> bool| values.iter().all(|v| test(v));
    if values.is_empty() {
        return (ValueType::Text, None);
    }
    if all(&|v| parse_bool(v).is_some() && parse_int(v, decimal).is_none()) {
        return (ValueType::Bool, None);
    }
    if values.iter().any(|v| is_code(v)) {
        return (ValueType::Text, None);
    }
    if all(&|v| parse_int(v, decimal).is_some()) {
        return (ValueType::Int, None);
    }
    if all(&|v| parse_float(v, decimal).is_some()) {
        return (ValueType::Float, None);
    }
    match date_format(values) {
        DateFit::One(format) => (ValueType::Time, (format != "iso").then_some(format)),
        DateFit::None | DateFit::Several(_) => (ValueType::Text, None),
    }
}

fn is_code(field: &[u8]) -> bool {
    let field = field.trim_ascii();
    field.len() > 1 && field[0] == b'0' && field.iter().all(u8::is_ascii_digit)
}

/// The fields of column `position` that say something, of at most [`SAMPLE`] records.
fn sample<'a>(chunk: &'a Chunk, position: usize, null: &[String]) -> Vec<&'a [u8]> {
    let says = |text: &&[u8]| {
        let trimmed = text.trim_ascii();
        let is = |n: &str| n.as_bytes() == trimmed;
        !trimmed.is_empty() && !null.iter().any(|n| is(n)) && !USUAL_NULLS.iter().any(|n| is(n))
    };
    (0..chunk.len()).map(|row| chunk.field(row, position)).filter(says).collect()
}

/// The columns of a delimited file that a source does not declare, with the types its first 50,000 records
/// suggest. Files of other formats carry their types.
///
/// # Errors
/// [`SourceError`] when the file cannot be read.
pub fn undeclared_columns(source: &Source, file: &Path) -> Result<Vec<Column>, SourceError> {
    let FileFormat::Csv(options) = &source.format else { return Ok(Vec::new()) };
    infer_columns(file, options, &source.columns)
}

/// The columns of a delimited file, except those that `declared` reads, with inferred types.
///
/// # Errors
/// [`SourceError`] when the file cannot be read.
pub fn infer_columns(
    file: &Path,
    options: &CsvOptions,
    declared: &[Column],
) -> Result<Vec<Column>, SourceError> {
    let mut open = DelimitedFile::open(file, options)?;
    let chunk = open.next_chunk(SAMPLE)?.unwrap_or_default();
    let taken = |header: &str| {
        declared.iter().any(|c| match &c.origin {
            Origin::Read { header: own, .. } => own == header || column_text(own) == column_text(header),
            Origin::Computed(_) => false,
        })
    };
    let names = column_names(open.headers());
    let mut out = Vec::new();
    for (position, header) in open.headers().iter().enumerate() {
        let Ok(name) = ColumnName::new(&names[position]) else { continue };
        if taken(header) || declared.iter().any(|c| c.name == name) {
            continue;
        }
        let (value_type, format) = field_type(&sample(&chunk, position, &options.null), options.decimal);
        let origin = Origin::Read { header: header.clone(), format, required: false };
        out.push(Column { name, value_type, origin });
    }
    Ok(out)
}

/// Settles how the `Time` columns that declare no format are written, from a file's first records: ISO 8601
/// if it reads most of them, else the one format that reads them all. Tells what was found besides ISO.
///
/// # Errors
/// [`SourceError::AmbiguousDates`] when several formats read them, differently.
pub fn settle_moments(
    layout: &mut Layout,
    chunk: &Chunk,
    path: &Path,
) -> Result<Vec<(ColumnName, String)>, SourceError> {
    let mut found = Vec::new();
    let nulls: Vec<String> = layout.nulls.iter().map(|n| String::from_utf8_lossy(n).into_owned()).collect();
    for field in &mut layout.fields {
        if field.value_type != ValueType::Time || field.moment != MomentFormat::Iso {
            continue;
        }
        let values = sample(chunk, field.position, &nulls);
        let read = values.iter().filter(|v| field.moment.read(v).is_some()).count();
        if read * 2 >= values.len() {
            continue;
        }
        match date_format(&values) {
            DateFit::None => {}
            DateFit::One(pattern) => {
                if let Ok(moment) = MomentFormat::parse(Some(&pattern)) {
                    field.moment = moment;
                    found.push((field.name.clone(), pattern));
                }
            }
            DateFit::Several(readings) => {
                return Err(SourceError::AmbiguousDates {
                    path: path.to_owned(),
                    column: field.name.clone(),
                    example: String::from_utf8_lossy(values[0]).into_owned(),
                    readings,
                });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn infer(values: &[&str]) -> (ValueType, Option<String>) {
        let bytes: Vec<&[u8]> = values.iter().map(|v| v.as_bytes()).collect();
        field_type(&bytes, b'.')
    }

    #[test]
    fn the_narrowest_type_that_reads_every_value_is_taken() {
        assert_eq!(infer(&["TRUE", "false"]), (ValueType::Bool, None));
        assert_eq!(infer(&["1", "0", "1"]), (ValueType::Int, None));
        assert_eq!(infer(&["1", "2.5"]), (ValueType::Float, None));
        assert_eq!(infer(&["2011-12-09", "2011-12-09 08:26:00"]), (ValueType::Time, None));
        assert_eq!(infer(&["12", "x"]), (ValueType::Text, None));
        assert_eq!(infer(&[]), (ValueType::Text, None));
    }

    #[test]
    fn codes_with_leading_zeros_stay_text() {
        assert_eq!(infer(&["00123", "45678"]), (ValueType::Text, None));
        assert_eq!(infer(&["0", "12"]), (ValueType::Int, None));
    }

    #[test]
    fn a_day_above_twelve_settles_the_order_of_day_and_month() {
        assert_eq!(infer(&["03/04/2011", "27/04/2011"]), (ValueType::Time, Some("%d/%m/%Y".to_owned())));
        assert_eq!(infer(&["03/04/2011 10:15", "04/27/2011 9:15"]).1.as_deref(), Some("%m/%d/%Y %H:%M"));
    }

    #[test]
    fn dates_that_can_be_read_in_two_ways_are_not_guessed() {
        assert_eq!(infer(&["03/04/2011", "05/06/2011"]), (ValueType::Text, None));
        let fit = date_format(&[b"03/04/2011"]);
        assert_eq!(fit, DateFit::Several(vec!["%d/%m/%Y".to_owned(), "%m/%d/%Y".to_owned()]));
        // Read alike by both, so either will do.
        assert_eq!(date_format(&[b"04/04/2011"]), DateFit::One("%d/%m/%Y".to_owned()));
    }
}
