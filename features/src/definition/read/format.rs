//! How a source's files are written.

use crate::definition::raw::{Entry, Finding, Section};
use crate::definition::{CsvOptions, FileFormat};

/// Keys that only delimited text knows.
const CSV_KEYS: [&str; 5] = ["delimiter", "quote", "encoding", "null", "decimal"];

/// The format as declared, else as the files' name tells.
pub(super) fn format(section: &Section<'_>, path: Option<&str>) -> FileFormat {
    let by_name =
        if path.is_some_and(|p| p.to_ascii_lowercase().ends_with(".parquet")) { "parquet" } else { "csv" };
    let written = section.get("format").and_then(|e| e.text().map(|text| (e, text)));
    match written.map_or(by_name, |(_, text)| text) {
        "csv" => FileFormat::Csv(csv(section)),
        "parquet" => {
            let csv_key = CSV_KEYS.iter().find_map(|key| section.get(key));
            if let Some(entry) = csv_key {
                let message = format!("`{}` has no meaning for Parquet files", entry.key());
                section.findings().report(Finding::at(entry.key_at(), message));
            }
            FileFormat::Parquet
        }
        other => {
            let at = section.get("format").map_or(section.at(), |e| e.at());
            let finding = Finding::at(at, format!("unknown format `{other}`"));
            section.findings().report(finding.known(other, ["csv", "parquet"]));
            FileFormat::Parquet
        }
    }
}

fn csv(section: &Section<'_>) -> CsvOptions {
    let default = CsvOptions::default();
    let null = section.get("null").map(|e| e.items("a list of texts")).unwrap_or_default();
    CsvOptions {
        delimiter: section.get("delimiter").and_then(|e| byte(&e)),
        quote: section.get("quote").and_then(|e| byte(&e)).unwrap_or(default.quote),
        encoding: section.get("encoding").and_then(|e| encoding(&e)),
        null: null.iter().filter_map(|e| e.text()).map(str::to_owned).collect(),
        decimal: section.get("decimal").and_then(|e| decimal(&e)).unwrap_or(default.decimal),
    }
}

fn byte(entry: &Entry<'_>) -> Option<u8> {
    match entry.text()?.as_bytes() {
        [one] if one.is_ascii() && *one != b'\n' && *one != b'\r' => Some(*one),
        _ => {
            entry.refuse("one ASCII character");
            None
        }
    }
}

fn decimal(entry: &Entry<'_>) -> Option<u8> {
    match entry.text()? {
        "." => Some(b'.'),
        "," => Some(b','),
        _ => {
            entry.refuse("\".\" or \",\"");
            None
        }
    }
}

fn encoding(entry: &Entry<'_>) -> Option<String> {
    let label = entry.words()?;
    if encoding_rs::Encoding::for_label(label.as_bytes()).is_none() {
        entry.refuse("a WHATWG encoding label, such as \"utf-8\" or \"windows-1252\"");
        return None;
    }
    Some(label.to_owned())
}
