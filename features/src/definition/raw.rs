//! The text of a project file as tables and values that know their place.

use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

use toml::de::{DeTable, DeValue};

pub(super) use crate::definition::finding::{Finding, Findings};

/// A table of the file: `[source.orders]`.
#[derive(Clone, Copy)]
pub(super) struct Section<'d> {
    findings: &'d Findings<'d>,
    table: &'d DeTable<'d>,
    at: usize,
}

/// A value of the file with its key.
#[derive(Clone, Copy)]
pub(super) struct Entry<'d> {
    findings: &'d Findings<'d>,
    key: &'d str,
    key_at: usize,
    value: &'d DeValue<'d>,
    /// Bytes of the value.
    from: usize,
    to: usize,
}

impl<'d> Section<'d> {
    pub const fn root(findings: &'d Findings<'d>, table: &'d DeTable<'d>) -> Self {
        Self { findings, table, at: 0 }
    }

    pub const fn findings(&self) -> &'d Findings<'d> {
        self.findings
    }

    /// Byte at which the section is named.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Reports every key that is not in `known`; `title` is the section's name.
    pub fn only(&self, title: &str, known: &[&str]) {
        for entry in self.entries().iter().filter(|entry| !known.contains(&entry.key)) {
            let message = format!("unknown key `{}` in [{title}]", entry.key);
            self.findings.report(Finding::at(entry.key_at, message).known(entry.key, known.iter().copied()));
        }
    }

    /// All entries in the order of the file.
    pub fn entries(&self) -> Vec<Entry<'d>> {
        let mut entries: Vec<Entry<'d>> =
            self.table.iter().map(|(key, value)| self.entry(key.get_ref(), key.span(), value)).collect();
        entries.sort_by_key(|entry| entry.key_at);
        entries
    }

    fn entry(
        &self,
        key: &'d str,
        key_span: Range<usize>,
        value: &'d toml::Spanned<DeValue<'d>>,
    ) -> Entry<'d> {
        let span = value.span();
        let findings = self.findings;
        Entry {
            findings,
            key,
            key_at: key_span.start,
            value: value.get_ref(),
            from: span.start,
            to: span.end,
        }
    }

    pub fn get(&self, key: &str) -> Option<Entry<'d>> {
        self.table
            .iter()
            .find(|(known, _)| known.get_ref() == key)
            .map(|(known, value)| self.entry(known.get_ref(), known.span(), value))
    }

    /// The entry of `key`; its absence is a mistake.
    pub fn need(&self, key: &str, expected: &str) -> Option<Entry<'d>> {
        let entry = self.get(key);
        if entry.is_none() {
            let message = format!("`{key}` is missing");
            self.findings.report(Finding::at(self.at, message).expected(expected));
        }
        entry
    }

    /// The sub-table of `key`.
    pub fn section(&self, key: &str) -> Option<Self> {
        self.get(key)?.section("a table")
    }
}

impl<'d> Entry<'d> {
    pub const fn key(&self) -> &'d str {
        self.key
    }

    pub const fn key_at(&self) -> usize {
        self.key_at
    }

    pub const fn at(&self) -> usize {
        self.from
    }

    pub const fn findings(&self) -> &'d Findings<'d> {
        self.findings
    }

    pub const fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    pub const fn is_list(&self) -> bool {
        matches!(self.value, DeValue::Array(_))
    }

    pub const fn is_text(&self) -> bool {
        matches!(self.value, DeValue::String(_))
    }

    /// Reports that the value is not what was expected.
    pub fn refuse(&self, expected: &str) {
        let message = format!("`{}` is {}", self.key, self.found());
        self.findings.report(Finding::at(self.from, message).expected(expected));
    }

    fn found(&self) -> String {
        match self.value {
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
            _ => self.findings.slice(self.from..self.to).chars().take(60).collect(),
        }
    }

    pub fn text(&self) -> Option<&'d str> {
        match self.value {
            DeValue::String(text) => Some(text.as_ref()),
            _ => {
                self.refuse("text in quotes");
                None
            }
        }
    }

    /// A text that is not blank.
    pub fn words(&self) -> Option<&'d str> {
        let text = self.text()?;
        if text.trim().is_empty() {
            self.refuse("a text that is not empty");
            return None;
        }
        Some(text)
    }

    /// The text as a `T`, whose error says what is wrong.
    pub fn parsed<T: FromStr>(&self) -> Option<T>
    where
        T::Err: Display,
    {
        match self.text()?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.findings.report(Finding::at(self.from, error.to_string()));
                None
            }
        }
    }

    /// The key as a `T`.
    pub fn name<T: FromStr>(&self) -> Option<T>
    where
        T::Err: Display,
    {
        match self.key.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.findings.report(Finding::at(self.key_at, error.to_string()));
                None
            }
        }
    }

    pub fn flag(&self) -> Option<bool> {
        let value = self.value.as_bool();
        if value.is_none() {
            self.refuse("true or false");
        }
        value
    }

    pub fn whole(&self, expected: &str) -> Option<u64> {
        let value = self.value.as_integer().and_then(|i| u64::from_str_radix(i.as_str(), i.radix()).ok());
        if value.is_none() {
            self.refuse(expected);
        }
        value
    }

    /// A finite number, written with or without a point.
    pub fn number(&self, expected: &str) -> Option<f64> {
        let value = match self.value {
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::Integer(number) => {
                i64::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n as f64)
            }
            _ => None,
        };
        let value = value.filter(|v: &f64| v.is_finite());
        if value.is_none() {
            self.refuse(expected);
        }
        value
    }

    /// A plain value (text, number, true, false, date) as the text it would have in a file of data.
    pub fn plain(&self) -> Option<String> {
        match self.value {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) => Some(number.to_string()),
            DeValue::Float(number) => Some(number.to_string()),
            DeValue::Boolean(value) => Some(value.to_string()),
            DeValue::Datetime(moment) => Some(moment.to_string()),
            DeValue::Array(_) | DeValue::Table(_) => {
                self.refuse("one value");
                None
            }
        }
    }

    /// The items of a list, each under the list's key.
    pub fn items(&self, expected: &str) -> Vec<Self> {
        let Some(items) = self.value.as_array() else {
            self.refuse(expected);
            return Vec::new();
        };
        items
            .iter()
            .map(|item| Self { value: item.get_ref(), from: item.span().start, to: item.span().end, ..*self })
            .collect()
    }

    pub fn section(&self, expected: &str) -> Option<Section<'d>> {
        let Some(table) = self.value.as_table() else {
            self.refuse(expected);
            return None;
        };
        Some(Section { findings: self.findings, table, at: self.key_at })
    }

    /// The byte of the file at which character `character` (from 1) of this text stands, if the text is
    /// written without escapes; else where the value begins.
    pub fn inside(&self, character: usize) -> usize {
        let DeValue::String(text) = self.value else { return self.from };
        let Some(begin) = self.findings.slice(self.from..self.to).find(text.as_ref()) else {
            return self.from;
        };
        let byte = text.char_indices().nth(character.saturating_sub(1)).map_or(text.len(), |(byte, _)| byte);
        self.from + begin + byte
    }
}
