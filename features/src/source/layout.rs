//! Where a source's columns stand in a file, and how each is read.

use std::collections::HashMap;
use std::path::Path;

use super::error::SourceError;
use super::moment::MomentFormat;
use crate::definition::{Column, CsvOptions, Origin, Source};
use crate::ids::ColumnName;
use crate::nearest::nearest;
use crate::value::ValueType;

/// How one stored column is read from a field.
#[derive(Debug, Clone)]
pub struct FieldPlan {
    /// The column's name.
    pub name: ColumnName,
    /// Its type.
    pub value_type: ValueType,
    /// Position of its field in the record.
    pub position: usize,
    /// How its moments are written, for `Time` columns.
    pub moment: MomentFormat,
    /// A row without a value here is rejected.
    pub required: bool,
}

/// How the records of one file become a source's read columns.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Number of fields in the header.
    pub width: usize,
    /// The read columns, in the source's order.
    pub fields: Vec<FieldPlan>,
    /// Headers that no column takes.
    pub ignored: Vec<String>,
    /// Texts declared to stand for no value.
    pub nulls: Vec<Vec<u8>>,
    /// Byte that separates decimals.
    pub decimal: u8,
    /// The file's encoding, for messages.
    pub encoding: &'static str,
    /// True when the file was decoded, so that U+FFFD means bytes that were not text.
    pub decoded: bool,
}

impl Layout {
    /// Finds a source's columns among a file's `headers`.
    ///
    /// A header is found if it is the declared one, or if it is the only one that differs from it in case,
    /// spaces and punctuation alone.
    ///
    /// # Errors
    /// [`SourceError`] for a column that is not there or is there twice, or a time format that is none.
    pub fn new(
        source: &Source,
        options: &CsvOptions,
        path: &Path,
        headers: &[String],
    ) -> Result<Self, SourceError> {
        let mut taken = vec![false; headers.len()];
        let fields = field_plans(source, |column, header| {
            let position = find(source, column, path, headers, header)?;
            taken[position] = true;
            Ok(position)
        })?;
        let ignored =
            headers.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(h, _)| h.clone()).collect();
        Ok(Self { width: headers.len(), fields, ignored, ..Self::blank(options) })
    }

    /// The layout of events, whose fields are found by name: field i is the source's i-th read column.
    pub(super) fn of_events(source: &Source) -> Result<Self, SourceError> {
        let mut next = 0..;
        let fields = field_plans(source, |_, _| Ok(next.next().unwrap_or_default()))?;
        Ok(Self { width: fields.len(), fields, ..Self::blank(&CsvOptions::default()) })
    }

    fn blank(options: &CsvOptions) -> Self {
        let nulls = options.null.iter().map(|n| n.as_bytes().to_vec()).collect();
        Self {
            width: 0,
            fields: Vec::new(),
            ignored: Vec::new(),
            nulls,
            decimal: options.decimal,
            encoding: "UTF-8",
            decoded: false,
        }
    }

    /// The same layout for a file decoded from `encoding`.
    #[must_use]
    pub fn decoded_from(mut self, encoding: &'static str) -> Self {
        self.decoded = encoding != encoding_rs::UTF_8.name();
        self.encoding = encoding;
        self
    }
}

fn field_plans(
    source: &Source,
    mut position: impl FnMut(&Column, &str) -> Result<usize, SourceError>,
) -> Result<Vec<FieldPlan>, SourceError> {
    let mut fields = Vec::new();
    for column in &source.columns {
        let Origin::Read { header, format, required } = &column.origin else { continue };
        let moment = MomentFormat::parse(format.as_deref()).map_err(|problem| SourceError::Definition {
            source_name: source.name.clone(),
            problem: format!("column {}: {problem}", column.name),
        })?;
        fields.push(FieldPlan {
            name: column.name.clone(),
            value_type: column.value_type,
            position: position(column, header)?,
            moment,
            required: *required || column.name == source.event_time,
        });
    }
    Ok(fields)
}

fn find(
    source: &Source,
    column: &Column,
    path: &Path,
    headers: &[String],
    header: &str,
) -> Result<usize, SourceError> {
    let exact: Vec<usize> = (0..headers.len()).filter(|i| headers[*i] == header).collect();
    let folded = column_text(header);
    let alike = || (0..headers.len()).filter(|i| column_text(&headers[*i]) == folded).collect::<Vec<_>>();
    let found = if exact.is_empty() { alike() } else { exact };
    match found[..] {
        [position] => Ok(position),
        [] => Err(SourceError::MissingColumn {
            path: path.to_owned(),
            source_name: source.name.clone(),
            column: column.name.clone(),
            header: header.to_owned(),
            nearest: nearest(header, headers.iter().map(String::as_str)).map(str::to_owned),
            known: headers.to_vec(),
        }),
        _ => Err(SourceError::AmbiguousColumn { path: path.to_owned(), header: header.to_owned() }),
    }
}

/// A header as a column name: `UnitPrice` and `Unit price` become `unit_price`.
#[must_use]
pub fn column_text(header: &str) -> String {
    let mut out = String::with_capacity(header.len() + 4);
    let mut previous: Option<char> = None;
    let mut letters = header.trim().chars().peekable();
    while let Some(c) = letters.next() {
        if !c.is_ascii_alphanumeric() {
            previous = None;
            if !out.is_empty() && !out.ends_with('_') {
                out.push('_');
            }
            continue;
        }
        let after_lower = previous.is_some_and(|p| p.is_ascii_lowercase() || p.is_ascii_digit());
        let ends_acronym = previous.is_some_and(|p| p.is_ascii_uppercase())
            && letters.peek().is_some_and(char::is_ascii_lowercase);
        if c.is_ascii_uppercase() && (after_lower || ends_acronym) {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
        previous = Some(c);
    }
    let out = out.trim_matches('_');
    match out.as_bytes().first() {
        None => "column".to_owned(),
        Some(b) if b.is_ascii_digit() => format!("_{out}"),
        Some(_) => out.to_owned(),
    }
}

/// Column names for headers, made distinct by a number behind repeated ones.
#[must_use]
pub fn column_names(headers: &[String]) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut name = |header: &String| {
        let base: String = column_text(header).chars().take(90).collect();
        let count = seen.entry(base.clone()).or_default();
        *count += 1;
        if *count == 1 { base } else { format!("{base}_{count}") }
    };
    headers.iter().map(&mut name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_become_names_as_a_reader_would_write_them() {
        for (header, expected) in [
            ("InvoiceNo", "invoice_no"),
            ("CustomerID", "customer_id"),
            ("Unit price (GBP)", "unit_price_gbp"),
            ("HTTPStatus", "http_status"),
            ("2nd Phone", "_2nd_phone"),
            ("SeniorCitizen", "senior_citizen"),
            ("---", "column"),
            ("Größe", "gr_e"),
            ("x1_0", "x1_0"),
        ] {
            assert_eq!(column_text(header), expected, "{header}");
        }
    }

    #[test]
    fn repeated_headers_get_a_number() {
        let headers = ["a", "A", "b"].map(str::to_owned);
        assert_eq!(column_names(&headers), ["a", "a_2", "b"]);
    }
}
