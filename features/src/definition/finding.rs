//! The mistakes found in a project file, on their way to its writer.

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::definition::Diagnostic;
use crate::nearest::{listed, nearest};

/// Collects mistakes; each gets its line and column.
pub(super) struct Findings<'t> {
    file: PathBuf,
    text: &'t str,
    found: RefCell<Vec<(usize, Diagnostic)>>,
}

/// A mistake on its way into [`Findings`].
#[must_use]
pub(super) struct Finding {
    at: usize,
    message: String,
    expected: Option<String>,
    nearest: Option<String>,
}

impl Finding {
    /// A mistake at byte `at` of the file.
    pub fn at(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), expected: None, nearest: None }
    }

    /// What would have been right.
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Names the known name nearest to `given`, or all of them when none is near.
    pub fn known<'a>(mut self, given: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        self.nearest = nearest(given, known.iter().copied()).map(str::to_owned);
        if self.nearest.is_none() && !known.is_empty() {
            self.expected = Some(format!("one of {}", listed(known)));
        }
        self
    }
}

impl<'t> Findings<'t> {
    pub fn new(file: &Path, text: &'t str) -> Self {
        Self { file: file.to_path_buf(), text, found: RefCell::new(Vec::new()) }
    }

    pub fn report(&self, finding: Finding) {
        let Finding { at, message, expected, nearest } = finding;
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let file = self.file.clone();
        let diagnostic = Diagnostic { file, line, column, message, expected, nearest };
        self.found.borrow_mut().push((at, diagnostic));
    }

    pub fn count(&self) -> usize {
        self.found.borrow().len()
    }

    /// The bytes of the file in `range`.
    pub fn slice(&self, range: Range<usize>) -> &'t str {
        self.text.get(range).unwrap_or_default()
    }

    /// All mistakes in the order of the file.
    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|(at, _)| *at);
        found.dedup();
        found.into_iter().map(|(_, diagnostic)| diagnostic).collect()
    }
}
